//! What was served and how it went, as the server hears of it.

use std::time::Duration;

use ripcord_proto::outcome::{NumberSums, OutcomeBatch, OutcomeCount, Traffic};
use ripcord_sdk::{Client, Context, Outcome, Reporting};

use crate::builder;
use crate::server::{Detail, Peer, Server, eventually};
use crate::world::{World, frame_of};

async fn reporting(server: &mut Server, world: &World) -> (Client, Peer) {
    let client = builder(server).reporting(Reporting::Every(Duration::from_millis(50))).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    (client, stream)
}

fn batches(server: &Server) -> Vec<OutcomeBatch> {
    server
        .requests("/v1/outcomes")
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect()
}

/// All that was counted, each batch once.
fn sum(server: &Server, counts: impl Fn(&OutcomeCount) -> u64) -> u64 {
    let mut batches = batches(server);
    batches.sort_by_key(|batch| batch.batch);
    batches.dedup_by_key(|batch| batch.batch);
    batches.iter().flat_map(|batch| &batch.counts).map(counts).sum()
}

#[tokio::test]
async fn evaluations_and_outcomes_arrive_by_variant_and_by_traffic() {
    let (mut server, mut world) = (Server::start().await, World::new());
    server.answer("/v1/outcomes", Detail::status(204));
    let (client, mut stream) = reporting(&mut server, &world).await;
    let (user, probe) = (Context::new("user-1"), Context::new("probe").with("traffic", "synthetic"));
    for _ in 0..100 {
        client.bool("checkout", &user, true);
    }
    client.bool("checkout", &probe, true);
    stream.send(frame_of(&world.put("checkout", true))).await;
    stream.ack().await;
    let answer = client.bool_detail("checkout", &user, false);
    client.outcome(&answer, Outcome::Success);
    client.outcome(&answer, Outcome::Error);
    client.close().await;
    let counted = |variant: &'static str, traffic: Traffic| {
        move |count: &OutcomeCount| {
            let same = count.flag.as_str() == "checkout" && count.variant.as_ref().is_some_and(|own| own.as_str() == variant) && count.traffic == traffic;
            if same {
                count.evaluations * 1_000_000 + count.successes * 1_000 + count.errors
            } else {
                0
            }
        }
    };
    assert_eq!(sum(&server, counted("off", Traffic::Real)), 100_000_000);
    assert_eq!(sum(&server, counted("off", Traffic::Synthetic)), 1_000_000);
    assert_eq!(sum(&server, counted("on", Traffic::Real)), 1_001_001);
    assert_eq!(client.status().outcomes.dropped, 0);
}

#[tokio::test]
async fn a_batch_that_was_not_taken_is_sent_again_under_its_number() {
    let (mut server, world) = (Server::start().await, World::new());
    server.answer("/v1/outcomes", Detail::status(503));
    let (client, _stream) = reporting(&mut server, &world).await;
    client.bool("checkout", &Context::new("user-1"), true);
    eventually("the first batch is sent twice", || {
        batches(&server).iter().filter(|batch| batch.batch == 1).count() >= 2
    })
    .await;
    server.answer("/v1/outcomes", Detail::status(204));
    eventually("it is taken", || client.status().outcomes.batches >= 1).await;
    assert_eq!(sum(&server, |count| count.evaluations), 1);
}

#[tokio::test]
async fn counts_that_the_server_refuses_are_dropped_and_said_to_be() {
    let (mut server, world) = (Server::start().await, World::new());
    server.answer("/v1/outcomes", Detail::status(422));
    let (client, _stream) = reporting(&mut server, &world).await;
    for _ in 0..3 {
        client.bool("checkout", &Context::new("user-1"), true);
    }
    eventually("they are reported", || client.status().outcomes.dropped == 3).await;
}

#[tokio::test]
async fn nothing_is_sent_where_counting_is_off() {
    let (mut server, world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    client.bool("checkout", &Context::new("user-1"), true);
    client.close().await;
    assert_eq!(batches(&server), []);
}

#[tokio::test]
async fn latencies_and_numbers_arrive_by_variant() {
    let (mut server, world) = (Server::start().await, World::new());
    server.answer("/v1/outcomes", Detail::status(204));
    let (client, _stream) = reporting(&mut server, &world).await;
    let answer = client.bool_detail("checkout", &Context::new("user-1"), false);
    for number in 0..10_u32 {
        client.outcome(&answer, Outcome::Latency(Duration::from_millis(300)));
        client.outcome(&answer, Outcome::Number("basket", f64::from(number)));
    }
    client.close().await;
    let latencies = |count: &OutcomeCount| {
        count
            .latencies_us
            .iter()
            .filter(|(micros, _)| (290_000..=300_000).contains(micros))
            .map(|(_, times)| times)
            .sum()
    };
    assert_eq!(sum(&server, latencies), 10);
    let mut basket = NumberSums::default();
    for (name, sums) in batches(&server).iter().flat_map(|batch| &batch.counts).flat_map(|count| &count.numbers) {
        assert_eq!(name.as_str(), "basket");
        basket.add(*sums);
    }
    let expected = NumberSums {
        count: 10,
        sum: 45.0,
        squares: 285.0,
    };
    assert_eq!(basket, expected);
    assert_eq!(client.status().outcomes.dropped, 0);
}
