//! A shop as its users meet it: applications that evaluate a flag and say how it went, and a health endpoint that is as well as
//! they are. It measures by itself what a rollback reports.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ripcord_sdk::{Context, Outcome, Subscription};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::app::App;
use crate::waiting::pace;

/// Pause between two rounds of users.
const ROUND: Duration = Duration::from_millis(5);
/// Every how many users one is a probe.
const PROBES: u64 = 10;

/// What the shop has counted itself.
#[derive(Debug, Default)]
struct Counted {
    real: AtomicU64,
    synthetic: AtomicU64,
}

/// Applications, their users, and a health endpoint.
#[derive(Debug)]
pub struct Shop {
    apps: Vec<App>,
    counted: Arc<Counted>,
    turned_off: Arc<Mutex<Vec<Timestamp>>>,
    _listeners: Vec<Subscription>,
    tasks: Vec<JoinHandle<()>>,
    port: u16,
}

impl Shop {
    /// Opens a shop of `applications` processes' worth of clients that serve `flag`. Where the flag is on, every user meets an
    /// error.
    pub async fn open(api: &Api, flag: &'static str, applications: usize) -> anyhow::Result<Self> {
        let (counted, turned_off) = (Arc::<Counted>::default(), Arc::<Mutex<Vec<Timestamp>>>::default());
        let (mut apps, mut listeners) = (Vec::new(), Vec::new());
        for number in 0..applications {
            let app = App::counting(api, &format!("shop-{number}"))?;
            app.ready().await?;
            let (seen, noted) = (app.clone(), Arc::clone(&turned_off));
            listeners.push(app.client().on_change(move |changes| {
                if changes.affect(flag) && !seen.on(flag) {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(Timestamp::now());
                }
            }));
            apps.push(app);
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let tasks = vec![
            tokio::spawn(users(apps.clone(), flag, Arc::clone(&counted))),
            tokio::spawn(health(listener, apps.clone(), flag)),
        ];
        Ok(Self {
            apps,
            counted,
            turned_off,
            _listeners: listeners,
            tasks,
            port,
        })
    }

    /// The address of its health endpoint: `{"error_rate": …}`, 0 while the flag is off everywhere.
    pub fn health(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }

    /// In how many applications the flag is on.
    pub fn on(&self, flag: &str) -> usize {
        self.apps.iter().filter(|app| app.on(flag)).count()
    }

    /// How often the flag was on for users and for probes.
    pub fn served(&self) -> (u64, u64) {
        (self.counted.real.load(Ordering::Relaxed), self.counted.synthetic.load(Ordering::Relaxed))
    }

    /// When applications turned the flag off, in order.
    pub fn turned_off(&self) -> Vec<Timestamp> {
        let mut times = self.turned_off.lock().unwrap_or_else(PoisonError::into_inner).clone();
        times.sort();
        times
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn users(apps: Vec<App>, flag: &'static str, counted: Arc<Counted>) {
    for number in 0_u64.. {
        let user = format!("user-{}", number % 1000);
        let is_probe = number % PROBES == 0;
        for app in &apps {
            let mut context = Context::new(&user);
            if is_probe {
                context.set("traffic", "synthetic");
            }
            let answer = app.client().bool_detail(flag, &context, false);
            if answer.value {
                app.client().outcome(&answer, Outcome::Error);
                let whom = if is_probe { &counted.synthetic } else { &counted.real };
                whom.fetch_add(1, Ordering::Relaxed);
            } else {
                app.client().outcome(&answer, Outcome::Success);
            }
        }
        pace(ROUND).await;
    }
}

async fn health(listener: TcpListener, apps: Vec<App>, flag: &'static str) {
    while let Ok((caller, _)) = listener.accept().await {
        let on = apps.iter().filter(|app| app.on(flag)).count();
        let _ = tell(caller, on, apps.len()).await;
    }
}

#[allow(clippy::cast_precision_loss, reason = "a handful of applications")]
async fn tell(mut caller: TcpStream, on: usize, of: usize) -> std::io::Result<()> {
    let mut request = [0; 1024];
    let _ = caller.read(&mut request).await?;
    let body = serde_json::json!({"error_rate": on as f64 / of as f64}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(answer.as_bytes()).await?;
    caller.shutdown().await
}
