use std::sync::Mutex;

use ripcord_proto::change::EnvironmentRecord;

use super::*;
use crate::clock::SystemClock;
use crate::environment::{Orphans, Rooms};
use crate::store::memory::MemoryStore;
use crate::system::{SystemAsk, SystemDraft};
use crate::tasks::TaskSet;

/// The nodes that are said to be alive.
#[derive(Debug, Default)]
struct Said(Mutex<Option<BTreeSet<String>>>);

impl Said {
    fn alive(&self, ids: &[&str]) {
        *self.0.lock().unwrap() = Some(ids.iter().map(ToString::to_string).collect());
    }
}

impl Presence for Said {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        let said = self.0.lock().unwrap().clone();
        Box::pin(std::future::ready(said))
    }
}

fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

async fn environments() -> Environments {
    let rooms = Rooms {
        store: Arc::new(MemoryStore::new()),
        board: Arc::default(),
        clock: Arc::new(SystemClock),
        tasks: TaskSet::default(),
        orphans: Orphans::default(),
    };
    let environments = Environments::start(rooms, Arc::new(|_| ripcord_proto::frame::Overlay::default()))
        .await
        .unwrap();
    let record = EnvironmentRecord {
        key: production(),
        description: None,
        created: jiff::Timestamp::UNIX_EPOCH,
    };
    let draft = SystemDraft {
        author: Author {
            actor: Actor::server("a"),
            origin: Origin {
                node: "a".to_owned(),
                address: None,
                request: None,
            },
        },
        reason: None,
        asks: vec![SystemAsk::CreateEnvironment(record)],
        call: None,
        answer: Answerer::nothing(),
    };
    environments.submit_system(draft).await.unwrap();
    environments
}

/// Submits nothing but the question whether `token` still drives.
async fn still_drives(drivers: &Drivers, token: Token) -> bool {
    let draft = Draft {
        environment: production(),
        author: drivers.author(),
        reason: None,
        release: None,
        asks: vec![token.ask()],
        precondition: None,
        plan: None,
        changes_served: crate::commit::ChangesServed::Refuse,
        call: None,
        answered: None,
        answer: Answerer::nothing(),
    };
    match drivers.environments.submit(draft).await {
        Ok(_) => true,
        Err(CommitError::NotDriving) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn one_node_drives_and_another_takes_over_only_when_it_is_gone() {
    let environments = environments().await;
    let (of_a, of_b) = (Arc::new(Said::default()), Arc::new(Said::default()));
    let a = Drivers::new(environments.clone(), of_a.clone(), "a", "id-a");
    let b = Drivers::new(environments.clone(), of_b.clone(), "b", "id-b");

    let first = a.hold(&production()).await.unwrap();
    assert_eq!(a.hold(&production()).await, Some(first), "who drives goes on with the same token");
    assert_eq!(b.hold(&production()).await, None, "whether a is alive is not known");
    of_b.alive(&["id-a"]);
    assert_eq!(b.hold(&production()).await, None, "a is alive");
    assert!(still_drives(&a, first).await);

    of_b.alive(&[]);
    let second = b.hold(&production()).await.unwrap();
    assert_ne!(first, second);
    assert!(!still_drives(&a, first).await, "a was paused and comes back: its token is an old one");
    assert!(still_drives(&b, second).await);
    of_a.alive(&["id-b"]);
    assert_eq!(a.hold(&production()).await, None);
}

#[tokio::test]
async fn of_two_nodes_that_reach_for_it_at_once_one_drives() {
    let environments = environments().await;
    let nodes: Vec<_> = (0..8)
        .map(|number| {
            let said = Arc::new(Said::default());
            said.alive(&["id-0", "id-1", "id-2", "id-3", "id-4", "id-5", "id-6", "id-7"]);
            Drivers::new(environments.clone(), said, "n", &format!("id-{number}"))
        })
        .collect();
    let held = futures_util::future::join_all(nodes.iter().map(|node| async { node.hold(&production()).await })).await;
    assert_eq!(held.iter().flatten().count(), 1);
}
