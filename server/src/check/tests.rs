use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::check::{Check, CheckOutcome, CheckPhase, ScopedCheck};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Checks;
use crate::clock::SystemClock;

/// Answers every connection with these bytes; with none it reads and says nothing.
async fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    crate::tasks::TaskSet::default().short_lived(async move {
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).await;
            if answer.is_empty() {
                silent.push(socket);
            } else {
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        }
    });
    format!("http://{address}/health")
}

fn probe(name: &str, mut members: serde_json::Value, url: &str) -> ScopedCheck {
    members["name"] = json!(name);
    members["url"] = json!(url);
    ScopedCheck {
        of: "environment".to_owned(),
        check: Check::from_value(&members).unwrap(),
    }
}

async fn run(probes: &[ScopedCheck]) -> Vec<CheckOutcome> {
    Checks::new(Arc::new(SystemClock)).run(probes, CheckPhase::After).await
}

async fn one(members: serde_json::Value, answer: &'static str) -> CheckOutcome {
    let url = serve(answer).await;
    run(&[probe("health", members, &url)]).await.remove(0)
}

const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 31\r\nconnection: close\r\n\r\n{\"status\":\"ok\",\"queue\":{\"d\":7}}";

#[tokio::test]
async fn a_check_passes_where_status_and_value_are_as_stated() {
    let outcome = one(json!({"pointer": "/status", "equals": "ok"}), WELL).await;
    assert!(outcome.passed, "{outcome:?}");
    assert!(outcome.detail.starts_with("200, /status is \"ok\" in "), "{}", outcome.detail);
    assert!(one(json!({"pointer": "/queue/d", "below": 8}), WELL).await.passed);
    assert!(one(json!({"pointer": "/queue/d", "above": 6.5}), WELL).await.passed);
    assert!(one(json!({"pointer": "/queue/d", "equals": 7.0}), WELL).await.passed);
    assert!(one(json!({}), WELL).await.passed);
}

#[tokio::test]
async fn a_check_that_fails_says_what_came_and_what_was_expected() {
    let says = |outcome: CheckOutcome| {
        assert!(!outcome.passed);
        outcome.detail
    };
    let value = one(json!({"pointer": "/status", "equals": "green"}), WELL).await;
    assert_eq!(says(value), "/status is a text of 2 characters, expected \"green\"");
    let number = one(json!({"pointer": "/queue/d", "below": 7}), WELL).await;
    assert_eq!(says(number), "/queue/d is 7, expected below 7");
    let text = one(json!({"pointer": "/status", "below": 7}), WELL).await;
    assert_eq!(says(text), "/status is a text of 2 characters, which is not a number");
    let nothing = one(json!({"pointer": "/gone", "equals": 1}), WELL).await;
    assert_eq!(says(nothing), "the body has nothing at /gone");
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
    assert_eq!(says(one(json!({"pointer": "/a", "equals": 1}), page).await), "the body is not JSON");
    let down = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(says(one(json!({}), down).await), "503, expected 200");
}

/// The author of a check decides what it reads, and many people see its result: they must not read other services through it.
#[tokio::test]
async fn no_text_of_another_service_is_repeated() {
    let secret = "HTTP/1.1 200 OK\r\ncontent-length: 57\r\nconnection: close\r\n\r\n{\"AccessKeyId\":\"hunter2\",\"list\":[\"hunter2\"],\"o\":{\"p\":1}}";
    for members in [
        json!({"pointer": "/AccessKeyId", "equals": "x"}),
        json!({"pointer": "/AccessKeyId", "below": 1}),
        json!({"pointer": "/list", "equals": 1}),
        json!({"pointer": "/list", "above": 1}),
        json!({"pointer": "", "equals": 1}),
    ] {
        let outcome = one(members.clone(), secret).await;
        assert!(!outcome.passed && !outcome.detail.contains("hunter2"), "{members}: {}", outcome.detail);
    }
    let line = "HTTP/1.1 200 hunter2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert!(!one(json!({"expect": 201}), line).await.detail.contains("hunter2"));
}

#[tokio::test]
async fn a_redirect_is_what_came_and_is_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(one(json!({}), moved).await.detail, "302, expected 200");
    assert!(one(json!({"expect": 302}), moved).await.passed);
}

#[tokio::test]
async fn probes_that_hang_end_at_their_timeouts_and_side_by_side() {
    let url = serve("").await;
    let probes: Vec<ScopedCheck> = (0..10).map(|n| probe(&format!("p{n}"), json!({"timeout_ms": 200}), &url)).collect();
    let began = Instant::now();
    let outcomes = run(&probes).await;
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(outcomes.len(), 10);
    assert!(outcomes.iter().all(|outcome| outcome.detail == "no answer within 200 ms"), "{outcomes:?}");
}

#[tokio::test]
async fn nobody_listening_is_a_failure_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let outcome = run(&[probe("health", json!({}), &url)]).await.remove(0);
    assert!(!outcome.passed);
    assert!(outcome.detail.starts_with("no answer: "), "{}", outcome.detail);
}

#[tokio::test]
async fn only_those_meant_for_the_occasion_are_asked() {
    let url = serve(WELL).await;
    let probes = [
        probe("before", json!({"when": "before"}), &url),
        probe("after", json!({}), &url),
        probe("both", json!({"when": ["before", "after"]}), &url),
    ];
    let names: Vec<String> = run(&probes).await.into_iter().map(|outcome| outcome.name).collect();
    assert_eq!(names, ["after", "both"]);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    crate::tasks::TaskSet::default().short_lived(async move {
        let Ok((mut socket, _)) = listener.accept().await else { return };
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n[").await;
        while socket.write_all(&[b' '; 4096]).await.is_ok() {}
    });
    let outcome = run(&[probe("endless", json!({"pointer": "", "equals": 1}), &url)]).await.remove(0);
    assert_eq!(outcome.detail, "the body is longer than 64 KiB, the most that is read");
}
