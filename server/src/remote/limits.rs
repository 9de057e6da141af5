//! What a caller may send for an evaluation, and where evaluations that take long run.

use std::time::{Duration, Instant};

use ripcord_proto::limits;
use ripcord_proto::role::Role;
use tokio::sync::Semaphore;

use crate::tasks;
use crate::telemetry::names;

/// How large a context may be. One from a public key may be smaller: anyone can send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextLimits {
    /// Bytes of the body.
    pub bytes: usize,
    /// Attributes of the context.
    pub attributes: usize,
}

impl ContextLimits {
    /// The limits of a role's keys.
    pub const fn of(role: Role) -> Self {
        if matches!(role, Role::Client) {
            return Self {
                bytes: limits::CLIENT_CONTEXT_BODY_BYTES,
                attributes: limits::CLIENT_CONTEXT_ATTRIBUTES,
            };
        }
        Self {
            bytes: limits::CONTEXT_BODY_BYTES,
            attributes: limits::CONTEXT_ATTRIBUTES,
        }
    }
}

/// How long an evaluation of all flags may hold the thread that it came in on. What takes longer moves away, so that no kill waits behind it.
const ON_WORKER: Duration = Duration::from_millis(5);
/// How long it may take in all.
const IN_ALL: Duration = Duration::from_secs(limits::EVALUATION_SECONDS);

/// The time that an evaluation of all flags has left.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("evaluating all flags takes too long; ask for single flags, send fewer attributes, or simplify the rules")]
pub struct TooLong;

impl Deadline {
    /// On the thread of the request.
    pub fn on_worker() -> Self {
        Self(Instant::now() + ON_WORKER)
    }

    fn in_all() -> Self {
        Self(Instant::now() + IN_ALL)
    }

    /// # Errors
    /// The time is over.
    pub fn check(self) -> Result<(), TooLong> {
        if Instant::now() < self.0 { Ok(()) } else { Err(TooLong) }
    }
}

/// Runs an evaluation that takes long, away from the threads that take requests. They take turns, so that they never take all processors for
/// long. `None` if too many wait already.
pub async fn in_turn<T: Send + 'static>(evaluate: impl FnOnce(Deadline) -> T + Send + 'static) -> Option<T> {
    static PLACES: Semaphore = Semaphore::const_new(limits::LONG_EVALUATIONS_WAITING);
    static TURNS: Semaphore = Semaphore::const_new(limits::LONG_EVALUATIONS);
    let Ok(_place) = PLACES.try_acquire() else {
        metrics::counter!(names::EVALUATIONS_REFUSED).increment(1);
        return None;
    };
    let turn = TURNS.acquire().await.ok()?;
    metrics::counter!(names::EVALUATIONS_MOVED).increment(1);
    // The turn goes with the work: a caller that hangs up does not end it.
    tasks::blocking(move || {
        let _turn = turn;
        evaluate(Deadline::in_all())
    })
    .await
    .ok()
}
