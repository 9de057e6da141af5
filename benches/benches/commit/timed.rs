//! Commits timed one by one, in blocks.

use std::time::Instant;

use ripcord_server::bench::Environments;

use crate::drafts::{draft_of, put};

/// Blocks of what is compared.
pub const BLOCKS: usize = 20;
/// Calls in each.
pub const BLOCK: usize = 100;

/// Commits of one flag each, numbered from `first` on.
pub async fn timed(environments: &Environments, first: usize, commits: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(commits);
    for number in first..first + commits {
        let draft = draft_of(vec![put(number % 100, number + 1)?])?;
        let start = Instant::now();
        environments.submit(draft).await?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}
