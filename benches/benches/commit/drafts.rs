//! Environments to commit to, and what is committed.

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, table::Member as _};
use ripcord_server::clock::SystemClock;
use ripcord_server::commit::{Answer, Answerer, Ask, Author, ChangesServed, Draft};
use ripcord_server::environment::{Environments, Orphans, Rooms};
use ripcord_server::store::Store;
use ripcord_server::system::{SystemAsk, SystemDraft};
use ripcord_server::tasks::TaskSet;

/// The environments that `store` holds.
pub async fn attach(store: Arc<dyn Store>) -> anyhow::Result<Environments> {
    let rooms = Rooms {
        store,
        board: Arc::default(),
        clock: Arc::new(SystemClock),
        tasks: TaskSet::default(),
        orphans: Orphans::default(),
    };
    Ok(Environments::start(rooms, Arc::new(|_| ripcord_proto::frame::Overlay::default())).await?)
}

/// Environments over `store`, with `flags` flags in `production`.
pub async fn start(store: Arc<dyn Store>, flags: usize) -> anyhow::Result<Environments> {
    let environments = attach(store).await?;
    let record = EnvironmentRecord {
        key: production()?,
        description: None,
        created: jiff::Timestamp::now(),
    };
    let draft = SystemDraft {
        author: author(),
        reason: None,
        asks: vec![SystemAsk::CreateEnvironment(record)],
        call: None,
        answer: no_answer(),
    };
    environments.submit_system(draft).await?;
    let asks = (0..flags).map(|number| put(number, 0)).collect::<anyhow::Result<Vec<_>>>()?;
    environments.submit(draft_of(asks)?).await?;
    Ok(environments)
}

/// The environment that is committed to.
pub fn production() -> anyhow::Result<EnvironmentKey> {
    Ok(EnvironmentKey::new("production")?)
}

fn author() -> Author {
    let actor = Actor {
        name: "bench".to_owned(),
        role: Role::Pipeline,
        key: None,
    };
    Author {
        actor,
        origin: Origin {
            node: "bench".to_owned(),
            address: None,
            request: None,
        },
    }
}

fn no_answer() -> Answerer {
    Answerer(Arc::new(|_| Answer {
        status: 200,
        body: Box::default(),
    }))
}

/// Asks for flag `number` as its definition number `version` has it.
pub fn put(number: usize, version: usize) -> anyhow::Result<Ask> {
    let json = format!(
        r#"{{"description": "version {version}", "enabled": true, "variants": {{"on": true, "off": false}}, "default": "off", "safe": "off",
        "rules": [{{"serve": {{"split": [{{"variant": "on", "weight": 25}}, {{"variant": "off", "weight": 75}}]}}}}]}}"#
    );
    Ok(Ask::PutFlag(FlagKey::new(&format!("flag-{number}"))?, Box::new(Flag::parse(&json)?)))
}

/// A draft of these asks.
pub fn draft_of(asks: Vec<Ask>) -> anyhow::Result<Draft> {
    Ok(Draft {
        environment: production()?,
        author: author(),
        reason: None,
        release: None,
        asks,
        precondition: None,
        plan: None,
        changes_served: ChangesServed::Refuse,
        call: None,
        answered: None,
        answer: no_answer(),
    })
}
