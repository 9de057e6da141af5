//! Requests that compute for long: plans, differences, backups, large bodies. They run away from the threads that take requests, a few at
//! a time, so that a kill, a restore or a rollback never waits behind them (promise 4 of the design).

use std::future::Future;

use ripcord_proto::limits;
use ripcord_proto::problem::Code;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::ApiError;
use crate::tasks;
use crate::telemetry::names;

/// Runs `work` when it is its turn.
///
/// # Errors
/// Those of `work`; or too many wait already.
pub async fn heavy<T: Send + 'static>(work: impl Future<Output = Result<T, ApiError>> + Send + 'static) -> Result<T, ApiError> {
    static PLACES: Semaphore = Semaphore::const_new(limits::HEAVY_REQUESTS_WAITING);
    static TURNS: Semaphore = Semaphore::const_new(limits::HEAVY_REQUESTS);
    let Ok(_place) = PLACES.try_acquire() else {
        metrics::counter!(names::HEAVY_REFUSED).increment(1);
        let detail = "This node computes as many plans, differences and backups as it can. Try again in a moment.";
        return Err(ApiError::new(Code::NotReady, detail).retry_after(1));
    };
    let turn = TURNS.acquire().await.map_err(|error| uncomputed(&error))?;
    // The turn goes with the work: a caller that hangs up does not end it.
    away(async move {
        let _turn = turn;
        work.await
    })
    .await
}

/// Runs `work` in the same place at once: a rollback does not queue, and no kill waits behind it.
///
/// # Errors
/// Those of `work`.
pub async fn away<T: Send + 'static>(work: impl Future<Output = Result<T, ApiError>> + Send + 'static) -> Result<T, ApiError> {
    let (runtime, span) = (Handle::current(), tracing::Span::current());
    let done = tasks::blocking(move || runtime.block_on(work.instrument(span)));
    done.await.map_err(|error| uncomputed(&error))?
}

fn uncomputed(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(Code::Internal, format!("The request could not be computed: {error}."))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn only_a_few_compute_at_a_time_and_each_gets_its_turn() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = (0..limits::HEAVY_REQUESTS_WAITING / 2).map(|number| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            heavy(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(number)
            })
        });
        let done = futures_util::future::join_all(works).await;
        assert!(done.iter().all(Result::is_ok));
        assert!(most.load(Ordering::SeqCst) <= limits::HEAVY_REQUESTS);
    }
}
