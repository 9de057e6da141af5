//! Batches: made now and then, sent, and sent again with the same number until the server has taken them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount};
use tokio_util::sync::CancellationToken;

use super::{Account, Ledger, size as counted};
use crate::client::changes::Step;
use crate::client::protocol::Lost;
use crate::client::shared::Shared;
use crate::client::transport::backoff::Backoff;
use crate::client::transport::http::Server;
use crate::engine::Compiled;

/// Bytes of JSON in one batch, about, at most: servers take a megabyte.
const BATCH: usize = 512 * 1024;
/// Batches that wait for a server that is away; beyond them the oldest counts are dropped, and said to be.
const WAITING: usize = 60;
/// How long the last batches may hold up the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// All ledgers that may still be counted in.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Vec<Account>>);

impl Book {
    /// The ledger for `compiled`, to which `step` led: the one in use where its numbers go on and it has room, else a new one.
    pub(crate) fn ledger(&self, compiled: &Compiled, step: &Step, in_use: Option<&Arc<Ledger>>) -> Arc<Ledger> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = in_use.filter(|ledger| matches!(step, Step::From(_)) && ledger.has_room_for(compiled));
        let account = goes_on.and_then(|ledger| accounts.iter_mut().find(|account| Arc::ptr_eq(&account.ledger, ledger)));
        if let Some(account) = account {
            account.learn(compiled, step);
            return Arc::clone(&account.ledger);
        }
        let ledger = Arc::new(Ledger::new(compiled));
        let mut account = Account::new(Arc::clone(&ledger));
        account.learn(compiled, &Step::Anew);
        accounts.push(account);
        ledger
    }

    /// What was counted since the last time. Ledgers that nobody can count in any more are let go.
    pub(crate) fn collect(&self) -> Vec<OutcomeCount> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = Vec::new();
        accounts.retain_mut(|account| {
            // Looked at first: who has let go of it can count nothing after this collection.
            let in_use = Arc::strong_count(&account.ledger) > 1;
            counts.extend(account.collect());
            in_use
        });
        counts
    }
}

/// Sends what is counted in `shared`'s book every `period` until `close`, then once more.
pub(crate) async fn run(shared: Arc<Shared>, server: Server, instance_id: String, period: Duration, close: CancellationToken) {
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
                outbox.put(&shared.book().collect(), &shared);
                outbox.send(&server, &shared).await;
            }
        }
    }
    outbox.put(&shared.book().collect(), &shared);
    let farewell = tokio::time::timeout(FAREWELL, outbox.send(&server, &shared)).await;
    if farewell.is_err() || !outbox.waiting.is_empty() {
        shared.outcomes_dropped(outbox.waiting.iter().map(size).sum());
    }
}

/// What waits to be sent.
struct Outbox {
    waiting: VecDeque<OutcomeBatch>,
    next: u64,
    instance_id: String,
    /// Whether the server has refused a batch before.
    refused: bool,
}

impl Outbox {
    fn put(&mut self, counts: &[OutcomeCount], shared: &Shared) {
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
            shared.outcomes_dropped(self.waiting.pop_front().as_ref().map_or(0, size));
        }
    }

    async fn send(&mut self, server: &Server, shared: &Shared) {
        while let Some(batch) = self.waiting.front() {
            match server.outcomes(batch).await {
                Ok(()) => shared.outcomes_sent(),
                Err(Lost::Refused { status, detail }) => {
                    // It would be refused again. Said once, not every few seconds.
                    if !std::mem::replace(&mut self.refused, true) {
                        tracing::warn!(status, detail, "the server does not take this client's outcomes; they are dropped");
                    }
                    shared.outcomes_dropped(size(batch));
                }
                Err(lost) => {
                    tracing::debug!(?lost, "outcomes wait for the server");
                    return;
                }
            }
            self.waiting.pop_front();
        }
    }
}

/// How much was counted in a batch.
fn size(batch: &OutcomeBatch) -> u64 {
    batch.counts.iter().map(counted).sum()
}

/// How many of these go into one batch; at least one.
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
    fn a_batch_holds_what_servers_take() {
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
