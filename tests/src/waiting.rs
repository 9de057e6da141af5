//! Waiting with a deadline. This is the only file of the tests that sleeps; what has a condition waits for it.

use std::future::Future;
use std::time::{Duration, Instant};

/// Long enough for whatever takes milliseconds, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(45);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it succeeds. After `within` it fails with the last error and with what was waited for.
pub async fn eventually<T, F, Fut>(within: Duration, what: &str, mut attempt: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        let error = match tokio::time::timeout(within, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("one attempt took longer than {within:?}"),
        };
        if Instant::now() >= deadline {
            return Err(error.context(format!("waited {within:?} for: {what}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether something stays so: looks again and again for `long`, and fails at the first look that fails.
pub async fn throughout<F, Fut>(long: Duration, what: &str, mut look: F) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let end = Instant::now() + long;
    while Instant::now() < end {
        look().await.map_err(|error| error.context(format!("did not stay so for {long:?}: {what}")))?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Until a moment that the server has named: a step that is due, a window that closes. At once if it is over.
pub async fn until(moment: jiff::Timestamp) {
    let left = moment.duration_since(jiff::Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}

/// Between two requests of a caller that sends them again and again: a user, a reader that polls.
pub async fn breathe() {
    tokio::time::sleep(PAUSE).await;
}

/// Between two rounds of a load that a test makes: nothing is waited for, the machine gets some air.
pub async fn pace(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The same as [`breathe`] for a thread.
pub fn breathe_blocking() {
    std::thread::sleep(PAUSE);
}
