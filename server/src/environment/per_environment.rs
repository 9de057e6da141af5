//! Background work of each environment, for as long as the environment exists.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ripcord_proto::EnvironmentKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Environments;
use crate::commit::state::EnvironmentState;

/// An environment, for its background work.
#[derive(Debug)]
pub struct EnvironmentTask {
    /// Which.
    pub environment: EnvironmentKey,
    /// Its state, now and from now on.
    pub states: watch::Receiver<Arc<EnvironmentState>>,
}

impl Environments {
    /// Runs `work` in every environment, from when it is loaded until it is deleted or the server stops; then `work` is dropped. All of
    /// them share one task, so that none may block.
    pub fn in_each<F: Future<Output = ()> + Send>(&self, name: &'static str, work: impl Fn(EnvironmentTask) -> F + Send + 'static) {
        let (tasks, this) = (self.tasks(), self.clone());
        let stop = tasks.stop_token();
        tasks.long_lived(name, async move {
            let mut changed = this.inner.changed.subscribe();
            let mut begun = BTreeMap::<EnvironmentKey, CancellationToken>::new();
            let mut works = FuturesUnordered::new();
            loop {
                changed.borrow_and_update();
                for (key, running) in this.inner.running.load().iter() {
                    if begun.contains_key(key) {
                        continue;
                    }
                    let (key, stop) = (key.clone(), running.stop.clone());
                    begun.insert(key.clone(), stop.clone());
                    let work = work(EnvironmentTask {
                        environment: key.clone(),
                        states: running.committer.watch(),
                    });
                    works.push(async move {
                        stop.run_until_cancelled(work).await;
                        key
                    });
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    known = changed.changed() => if known.is_err() { return },
                    Some(ended) = works.next(), if !works.is_empty() => drop(begun.remove(&ended)),
                }
            }
        });
    }
}
