//! Simulated users of an application with the SDK, who report how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ripcord_sdk::{Context, Outcome};
use ripcord_tests::{Api, App};
use tokio::task::JoinHandle;

/// Users who come again and again, until this is dropped.
#[derive(Debug)]
pub struct Users {
    /// Whether the new variant is broken: every fifth of those who get it fails.
    pub broken: Arc<AtomicBool>,
    coming: JoinHandle<()>,
    app: App,
}

impl Users {
    /// Starts an application and lets its users come.
    pub async fn come(api: &Api, flag: &'static str) -> anyhow::Result<Self> {
        let app = App::counting(api, "shop")?;
        app.ready().await?;
        let broken = Arc::new(AtomicBool::new(false));
        let coming = tokio::spawn(keep_coming(app.clone(), Arc::clone(&broken), flag));
        Ok(Self { broken, coming, app })
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

async fn keep_coming(app: App, broken: Arc<AtomicBool>, flag: &str) {
    for round in 0_u64.. {
        for user in 0..1_000 {
            let name = format!("user-{user}");
            let answer = app.client().bool_detail(flag, &Context::new(&name), false);
            let fails = answer.value && broken.load(Ordering::Relaxed) && (user + round) % 5 == 0;
            // One in a hundred fails whatever it is served.
            let outcome = if fails || (user + 7 * round) % 100 == 0 {
                Outcome::Error
            } else {
                Outcome::Success
            };
            app.client().outcome(&answer, outcome);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
