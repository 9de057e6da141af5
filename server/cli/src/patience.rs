//! How long calls wait for an answer, and what is said meanwhile.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use super::output::note;

/// How long a read waits for its answer to begin; it is asked again once.
pub(crate) const READ: Duration = Duration::from_secs(5);
/// How long anything else waits for its answer, unless it sets another limit.
pub(crate) const LONG: Duration = Duration::from_secs(90);
/// How long an urgent answer may take beyond what the server was asked to wait.
pub(crate) const URGENT: Duration = Duration::from_secs(5);
/// How long one check of the doctor waits.
pub(crate) const CHECK: Duration = Duration::from_secs(3);
/// How long the rest of an answer that has begun may take.
pub(crate) const BODY: Duration = Duration::from_mins(1);
/// After how many seconds the command says that it is waiting.
const TOLD: [u64; 5] = [1, 3, 10, 30, 60];

/// How often a call without an answer is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    Once,
    /// A write, under the same `Idempotency-Key`.
    Twice,
}

impl Repeats {
    pub(crate) const fn count(self) -> u32 {
        match self {
            Self::Once => 1,
            Self::Twice => 2,
        }
    }
}

/// No answer came in time.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// Waits for `answer` of `server`, at most for `limit`. From one second beyond `expected` on, the standard error says so.
pub(crate) async fn wait<T>(server: &str, expected: Duration, limit: Duration, answer: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut answer = pin!(answer);
    let mut waited = Duration::ZERO;
    for seconds in TOLD {
        let until = (expected + Duration::from_secs(seconds)).min(limit);
        if let Ok(answered) = tokio::time::timeout(until.saturating_sub(waited), &mut answer).await {
            return Ok(answered);
        }
        waited = until;
        if waited >= limit {
            return Err(Elapsed);
        }
        note(&format!("waiting for {server} ({} s)", waited.as_secs()));
    }
    tokio::time::timeout(limit.saturating_sub(waited), answer).await.map_err(|_| Elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_given_up() {
        let never = std::future::pending::<()>();
        assert!(wait("http://127.0.0.1:1", Duration::ZERO, Duration::from_millis(20), never).await.is_err());
        let at_once = wait("http://127.0.0.1:1", Duration::ZERO, Duration::from_secs(5), async { 7 }).await;
        assert_eq!(at_once.ok(), Some(7));
    }
}
