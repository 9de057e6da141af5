//! Batches: made periodically, sent, and sent again with the same number until the server has accepted them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount};
use tokio_util::sync::CancellationToken;

use super::reader::size as counted;
use super::registry::CounterRegistry;
use crate::client::backoff::Backoff;
use crate::client::protocol::StreamError;
use crate::client::status_channel::StatusChannel;
use crate::client::transport::http::Server;

/// About the largest size of a batch in bytes of JSON. Servers accept a megabyte.
const BATCH: usize = 512 * 1024;
/// Maximum number of batches kept while the server cannot be reached. Beyond them the oldest counts are dropped, and the status says so.
const WAITING: usize = 60;
/// How long the last batches may delay the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where batches are sent, and as which instance.
pub(crate) struct Destination {
    pub(crate) server: Server,
    pub(crate) instance_id: String,
}

/// Sends what was counted every `period` until `close`, then once more.
pub(crate) async fn run(counters: Arc<CounterRegistry>, status: Arc<StatusChannel>, destination: Destination, period: Duration, close: CancellationToken) {
    let Destination { server, instance_id } = destination;
    let mut outbox = Outbox {
        waiting: VecDeque::new(),
        next: 1,
        instance_id,
        refused: false,
    };
    let mut backoff = Backoff::new(rand::random());
    while !close.is_cancelled() {
        tokio::select! {
            () = close.cancelled() => {}
            () = tokio::time::sleep(backoff.around(period)) => {
                outbox.put(&counters.collect(), &status);
                outbox.send(&server, &status).await;
            }
        }
    }
    outbox.put(&counters.collect(), &status);
    let farewell = tokio::time::timeout(FAREWELL, outbox.send(&server, &status)).await;
    if farewell.is_err() || !outbox.waiting.is_empty() {
        status.counts_dropped(outbox.waiting.iter().map(size).sum());
    }
}

/// Batches that wait to be sent.
struct Outbox {
    waiting: VecDeque<OutcomeBatch>,
    next: u64,
    instance_id: String,
    /// Whether the server has refused a batch before.
    refused: bool,
}

impl Outbox {
    fn put(&mut self, counts: &[OutcomeCount], status: &StatusChannel) {
        let mut rest = counts;
        while !rest.is_empty() {
            let (batch, more) = rest.split_at(fitting(rest));
            self.waiting.push_back(OutcomeBatch {
                instance_id: self.instance_id.clone(),
                batch: self.next,
                counts: batch.to_vec(),
            });
            self.next += 1;
            rest = more;
        }
        while self.waiting.len() > WAITING {
            status.counts_dropped(self.waiting.pop_front().as_ref().map_or(0, size));
        }
    }

    async fn send(&mut self, server: &Server, status: &StatusChannel) {
        while let Some(batch) = self.waiting.front() {
            match server.outcomes(batch).await {
                Ok(()) => status.counts_sent(),
                Err(StreamError::Refused { status: code, detail }) => {
                    // It would be refused again. Logged once, not every few seconds.
                    if !std::mem::replace(&mut self.refused, true) {
                        tracing::warn!(status = code, detail, "the server refuses the outcomes of this client; they are dropped");
                    }
                    status.counts_dropped(size(batch));
                }
                Err(error) => {
                    tracing::debug!(?error, "outcomes wait for the server");
                    return;
                }
            }
            self.waiting.pop_front();
        }
    }
}

/// How many evaluations and outcomes a batch holds.
fn size(batch: &OutcomeBatch) -> u64 {
    batch.counts.iter().map(counted).sum()
}

/// How many of these fit into one batch; at least one.
fn fitting(counts: &[OutcomeCount]) -> usize {
    const COUNT: usize = 128;
    const PAIR: usize = 20;
    const NUMBER: usize = 128;
    let mut bytes = 0;
    let fit = counts.iter().take_while(|count| {
        let names = count.flag.as_str().len() + count.variant.as_ref().map_or(0, |variant| variant.as_str().len());
        let numbers: usize = count.numbers.keys().map(|name| name.as_str().len() + NUMBER).sum();
        bytes += COUNT + names + count.latencies_us.len() * PAIR + numbers;
        bytes <= BATCH
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests {
    use ripcord_proto::FlagKey;

    use super::*;

    #[test]
    fn a_batch_fits_what_servers_accept() {
        let count = OutcomeCount {
            flag: FlagKey::new("checkout").unwrap(),
            variant: None,
            traffic: ripcord_proto::outcome::Traffic::Real,
            evaluations: u64::MAX / 2,
            successes: 0,
            errors: 0,
            latencies_us: vec![(120_000_000, 1_000_000_000); 736],
            numbers: std::collections::BTreeMap::new(),
        };
        let counts = vec![count; 200];
        let fit = fitting(&counts);
        let bytes = serde_json::to_string(&counts[..fit]).unwrap().len();
        assert!((1..200).contains(&fit) && bytes < 1024 * 1024, "{fit} counts take {bytes} bytes");
    }
}
