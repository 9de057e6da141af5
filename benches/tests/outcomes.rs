//! Reporting an outcome allocates nothing.

use std::time::Duration;

use ripcord_benches::allocations::{Counting as Allocator, count};
use ripcord_benches::socket_client::SocketClient;
use ripcord_benches::workload;
use ripcord_sdk::{Context, Outcome, Reporting};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[test]
fn reporting_an_outcome_allocates_nothing_after_a_threads_first() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = SocketClient::start(&runtime, workload::snapshot(10).unwrap(), Reporting::Every(Duration::from_mins(10))).unwrap();
    let answer = served.client.bool_detail(workload::PLAIN, &Context::new("user-1"), false);
    for outcome in [
        Outcome::Success,
        Outcome::Error,
        Outcome::Latency(Duration::from_millis(300)),
        Outcome::Number("basket", 31.5),
    ] {
        served.client.outcome(&answer, outcome);
        let made = count(|| (0..1_000).for_each(|_| served.client.outcome(&answer, outcome)));
        assert_eq!(made, 0, "{outcome:?}");
    }
}
