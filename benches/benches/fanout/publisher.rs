//! The server: the real entry, streams and fleet, over a board on which kills are published by hand.

use std::io::BufRead;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;
use actix_web::{App, HttpResponse, web};
use anyhow::Result;
use bytes::Bytes;
use parking_lot::Mutex;
use ripcord_proto::actor::Actor;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::Overlay;
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::problem::Code;
use ripcord_proto::role::Role;
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, KillId, Position, Snapshot};
use ripcord_sdk::engine::Compiled;
use ripcord_server::bench::{
    ApiError, Authorise, Board, ConfirmationTarget, EnvironmentAccess, Fleet, FleetSettings, Frame, FrameSet, History, HistoryLimits, HttpServerSettings,
    NoPeers, Principal, Publication, PublishedChange, Served, StreamSettings, Streams, Worker, start_http,
};
use tokio::sync::watch;

use ripcord_benches::process::{KEY, listener, now};

/// An environment that is killed and restored in turn.
pub struct Stage {
    served: Arc<Served>,
    kill: KillId,
}

/// One of the environment's flags.
pub const FLAG: &str = r#"{"description": "One of many", "owner": "payments", "tags": ["checkout"], "enabled": true,
    "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
    "rules": [{"id": "gradual", "serve": {"split": [{"variant": "on", "weight": 25}, {"variant": "off", "weight": 75}]}}]}"#;

impl Stage {
    pub fn new(flags: usize) -> Self {
        let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").expect("a name"));
        snapshot.position = Position::new(1, 1);
        let flag = Flag::parse(FLAG).expect("a flag");
        for number in 0..flags {
            let key = FlagKey::new(&format!("checkout-{number}")).expect("a key");
            let entry = Entry::new(key, flag.clone(), snapshot.position).expect("it encodes");
            snapshot.flags.insert(Arc::new(entry));
        }
        Self {
            kill: KillId::from_parts(1, 1),
            served: serve(snapshot, Position::START),
        }
    }

    /// The next revision: the kill pulled, or lifted.
    fn step(&mut self) -> Arc<Delta> {
        let before = &self.served.snapshot;
        let mut next = before.clone();
        next.position.revision = next.position.revision.next();
        if next.kills.remove(self.kill.as_str()).is_none() {
            let flag = FlagKey::new("checkout-0").expect("a key");
            let kill = Kill {
                id: self.kill.clone(),
                scope: KillScope::Flag(flag.clone()),
                reason: Some("5xx spike".to_owned()),
                actor: Actor {
                    name: "on-call".to_owned(),
                    role: Role::Oncall,
                    key: None,
                },
                at: jiff::Timestamp::now(),
                flags: [flag].into(),
            };
            next.kills
                .insert(Arc::new(Entry::new(self.kill.clone(), kill, next.position).expect("it encodes")));
        }
        let delta = Arc::new(Delta::between(before, &next, next.content_hash(), Urgency::Urgent));
        let position = next.position;
        self.served = serve(next, position);
        delta
    }

    /// The frame of the next revision.
    pub fn next_frame(&mut self) -> Frame {
        let delta = self.step();
        let history = Arc::new(Mutex::new(History::new(HistoryLimits::default())));
        let from = delta.from;
        history.lock().push(delta);
        let head = FrameSet::new(Arc::clone(&self.served), Instant::now(), 0, history, Some(from));
        let from = Position {
            revision: from,
            ..head.position()
        };
        head.frame_from(Some(from)).expect("it encodes")
    }

    /// The whole of it as it is sent.
    pub fn snapshot_bytes(&self) -> Bytes {
        let history = Arc::default();
        let head = FrameSet::new(Arc::clone(&self.served), Instant::now(), 0, history, None);
        head.snapshot().expect("it encodes").json()
    }
}

fn serve(snapshot: Snapshot, urgent: Position) -> Arc<Served> {
    Arc::new(Served {
        hash: snapshot.content_hash(),
        compiled: Compiled::new(&snapshot),
        overlay: Arc::new(Overlay::default()),
        snapshot,
        urgent,
    })
}

struct Keys;

impl Authorise for Keys {
    fn authorise(&self, headers: &HeaderMap, _: Option<IpAddr>) -> Result<Principal, ApiError> {
        if headers.get("x-api-key").is_none_or(|key| key != KEY) {
            return Err(ApiError::new(Code::Unauthenticated, "A key is needed."));
        }
        Ok(Principal {
            id: "key_bench".into(),
            name: "bench".to_owned(),
            role: Role::Sdk,
            environments: EnvironmentAccess::Only([EnvironmentKey::new("production").expect("a name")].into()),
        })
    }
}

/// Serves; `kill` publishes and says when it began, `settle N` says how many have confirmed and in how many milliseconds.
pub fn run(flags: usize) -> Result<()> {
    actix_web::rt::System::new().block_on(async {
        let mut stage = Stage::new(flags);
        let board = Arc::new(Board::default());
        publish(&board, &stage, PublishedChange::Replaced);
        let (_fresh, freshness) = watch::channel(true);
        let fleet = Fleet::new(&board, FleetSettings::new("bench"), Arc::new(NoPeers));
        let settings = StreamSettings {
            workers: 2,
            ..StreamSettings::default()
        };
        let streams = Streams::new(&board, settings, fleet.clone(), Arc::new(Keys), freshness);
        let listener = listener()?;
        let address = listener.local_addr()?;
        let body = stage.snapshot_bytes();
        let app = move |worker: Worker| {
            let body = body.clone();
            let bare = web::get().to(move || std::future::ready(HttpResponse::Ok().content_type("application/json").body(body.clone())));
            let unchanged = web::get().to(|| std::future::ready(HttpResponse::NotModified().finish()));
            App::new()
                .configure(move |config| worker.routes(config))
                .route("/bare/200", bare)
                .route("/bare/304", unchanged)
        };
        let entry = HttpServerSettings {
            workers: 2,
            ..HttpServerSettings::default()
        };
        let server = start_http(vec![listener], &entry, &streams, app)?;
        actix_web::rt::spawn(server);
        println!("{address}");
        let (lines, mut said) = tokio::sync::mpsc::channel::<String>(16);
        std::thread::spawn(move || {
            std::io::stdin()
                .lock()
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| lines.blocking_send(line))
        });
        while let Some(line) = said.recv().await {
            match line.as_str() {
                "kill" => {
                    let delta = stage.step();
                    let began = now();
                    publish(&board, &stage, PublishedChange::Delta(delta));
                    println!("killed {began}");
                }
                "settle" => {
                    let position = stage.served.snapshot.position;
                    let environment = stage.served.snapshot.environment.clone();
                    let confirmation = fleet
                        .wait(&environment, &ConfirmationTarget::Revision(position), Duration::from_secs(10), None)
                        .await;
                    let applied = confirmation.unwrap_or_else(|| panic!("{position} is not known")).applied;
                    println!("confirmed {} {} {}", applied.confirmed, applied.connected, applied.max_ms.unwrap_or(0.0));
                }
                _ => break,
            }
        }
        Ok(())
    })
}

fn publish(board: &Board, stage: &Stage, change: PublishedChange) {
    board.publish(&Publication {
        served: Arc::clone(&stage.served),
        change,
        at: Instant::now(),
    });
}
