//! Simulated users of an application with the SDK, who report how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ripcord_sdk::{Context, Outcome};
use ripcord_tests::waiting::pace;
use ripcord_tests::{Api, App};
use tokio::task::JoinHandle;

/// What may be wrong with the new variant.
#[derive(Debug, Default)]
pub struct Faults {
    /// Every fifth of those who get it fails.
    pub broken: AtomicBool,
    /// Every fifth of those who get it waits for almost a second.
    pub slow: AtomicBool,
    /// Who gets it buys a little less.
    pub dear: AtomicBool,
}

/// Users who come again and again, until this is dropped.
#[derive(Debug)]
pub struct Users {
    /// What is wrong with the new variant.
    pub faults: Arc<Faults>,
    coming: JoinHandle<()>,
    app: App,
}

impl Users {
    /// Starts an application and lets its users come.
    pub async fn come(api: &Api, flag: &'static str) -> anyhow::Result<Self> {
        let app = App::counting(api, "shop")?;
        app.ready().await?;
        let faults = Arc::<Faults>::default();
        let coming = tokio::spawn(keep_coming(app.clone(), Arc::clone(&faults), flag));
        Ok(Self { faults, coming, app })
    }

    /// How many of a thousand users get the variant.
    pub fn exposed(&self, flag: &str) -> usize {
        (0..1_000).filter(|user| self.app.on_for(flag, &format!("user-{user}"))).count()
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.coming.abort();
    }
}

async fn keep_coming(app: App, faults: Arc<Faults>, flag: &str) {
    for round in 0_u64.. {
        for user in 0..1_000 {
            let name = format!("user-{user}");
            let answer = app.client().bool_detail(flag, &Context::new(&name), false);
            let fifth = (user + round) % 5 == 0;
            let has = |fault: &AtomicBool| answer.value && fault.load(Ordering::Relaxed);
            // One in a hundred fails, and one in fifty waits, whatever it is served.
            let outcome = if (has(&faults.broken) && fifth) || (user + 7 * round) % 100 == 0 {
                Outcome::Error
            } else {
                Outcome::Success
            };
            let waits = (has(&faults.slow) && fifth) || (user + 11 * round) % 50 == 0;
            let buys = [9.0, 10.0, 11.0]
                .get(usize::try_from((user + round) % 3).unwrap_or_default())
                .copied()
                .unwrap_or_default();
            let buys = if has(&faults.dear) { buys - 1.0 } else { buys };
            let client = app.client();
            client.outcome(&answer, outcome);
            client.outcome(&answer, Outcome::Latency(Duration::from_millis(if waits { 900 } else { 40 })));
            client.outcome(&answer, Outcome::Number("basket", buys));
        }
        pace(Duration::from_millis(20)).await;
    }
}
