//! Waiting with a deadline: the only place of the tests that sleeps.

use std::future::Future;
use std::time::{Duration, Instant};

/// Long enough for whatever takes milliseconds, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(15);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it succeeds; after `within` the last error is told, with what was waited for.
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
            return Err(error.context(format!("waited {within:?} in vain: {what}")));
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

/// Until a node on Redis has what it knows on its own disk as well. The mirror is written behind the answers, at least every half
/// second: what Redis has and a node killed before that did not write, it has from Redis again.
pub async fn mirrored() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}
