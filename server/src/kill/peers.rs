//! The exchange with peers: at once when a kill is made or lifted or a key revoked, and every second, so that a peer that was
//! unreachable gets what it missed. The exchange is idempotent. What it changes is decided in [`super::exchange`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ripcord_proto::frame::KillEnd;
use ripcord_proto::{EnvironmentKey, Kill, KillId};
use tokio_util::sync::CancellationToken;

use super::exchange::{PeerNews, TakeCommitted};
use super::order::PeersTold;
use super::service::Kills;
use crate::peer::{PeerLog, PeerSync, StoreStanding};
use crate::store::LogName;
use crate::store::journal::{JournalRecord, PendingKill};

/// How often peers are called if nothing happens.
const EVERY: Duration = Duration::from_secs(1);

impl Kills {
    /// Exchanges messages with the peers, if there are any, for as long as the server runs.
    pub fn keep_peers_told(&self) {
        let tasks = self.inner.environments.tasks();
        if !self.inner.peers.is_empty() {
            tasks.long_lived("peer-exchange", self.clone().exchange_until(tasks.stop_token()));
        }
    }

    async fn exchange_until(self, stop: CancellationToken) {
        let mut system = self.inner.environments.watch_system();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inner.peers.notified() => {}
                changed = system.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(EVERY) => {}
            }
            self.ask_peers().await;
        }
    }

    /// Exchanges messages with every peer once, and takes in what they know. A start does this before it serves.
    pub async fn ask_peers(&self) -> PeersTold {
        let peers = &self.inner.peers;
        let answers = join_all(peers.urls().iter().map(|url| async {
            let own = self.message(peers.last(url).as_deref());
            let answer = peers.exchange(url, &own).await.map(Arc::new);
            (url.clone(), answer)
        }));
        let answers = answers.await;
        let mut told = PeersTold::default();
        for (url, answer) in &answers {
            if let Some(theirs) = answer {
                told.told.push(theirs.node.clone());
                self.take_in(theirs).await;
            } else {
                told.not_reached.push(url.clone());
            }
        }
        peers.answered(answers);
        told
    }

    /// Answers a peer's call: takes in what it knows, and returns what this node knows.
    pub async fn answer_peer(&self, theirs: &PeerSync) -> PeerSync {
        self.take_in(theirs).await;
        self.message(Some(theirs))
    }

    pub(super) fn message(&self, theirs: Option<&PeerSync>) -> PeerSync {
        let environments = &self.inner.environments;
        let (heads, store) = (environments.heads(), self.store_standing());
        self.inner.peers.judge(store, &heads);
        let logs = environments.board().environments().into_iter().filter_map(|key| {
            let running = environments.running(&key).ok()?;
            let last = theirs.and_then(|theirs| theirs.log(&key));
            Some(PeerLog::of(key, &running.committer.state(), &running.publisher.served().overlay, last))
        });
        // A node that does not say where its log ends would not know what to do with revocations.
        let theirs_ends = theirs.filter(|theirs| theirs.history == heads.history).and_then(|theirs| theirs.system);
        PeerSync {
            node: self.inner.node.clone(),
            history: heads.history,
            store_current: store == StoreStanding::Current,
            anchored: self.inner.peers.is_anchored(),
            system: Some(heads.head(&LogName::System)),
            revoked: theirs_ends.map(|end| environments.system().revoked_since(end)).unwrap_or_default(),
            environments: logs.collect(),
        }
    }

    fn store_standing(&self) -> StoreStanding {
        StoreStanding::of(&self.inner.environments.store().health().borrow())
    }

    pub(super) async fn take_in(&self, theirs: &PeerSync) {
        let own = self.inner.environments.heads();
        self.inner.peers.heard(theirs, &own);
        let store = self.store_standing();
        let is_cut_off = store == StoreStanding::Away || self.inner.peers.judge(store, &own).behind.is_some();
        for log in &theirs.environments {
            let end = own.head(&LogName::Environment(log.environment.clone()));
            let take = TakeCommitted::decide(theirs, log.head, own.history, end, is_cut_off);
            self.take_in_log(&theirs.node, log, take);
        }
        let end = own.head(&LogName::System);
        if TakeCommitted::decide(theirs, theirs.system, own.history, end, is_cut_off) == TakeCommitted::Yes {
            self.take_in_revocations(theirs).await;
        }
    }

    /// A key that was revoked elsewhere is refused at once, and journaled, so that it stays refused over a restart and the log says so
    /// even if the peer never comes back.
    async fn take_in_revocations(&self, theirs: &PeerSync) {
        let environments = &self.inner.environments;
        let keys = environments.system().unknown_revocations(&theirs.revoked);
        if keys.is_empty() {
            return;
        }
        tracing::warn!(
            keys = keys.len(),
            first = keys.first(),
            peer = theirs.node,
            "a peer knows that keys were revoked that this node held valid"
        );
        environments.refuse_keys(keys.clone()).await;
        let records = keys.into_iter().map(|key| JournalRecord::KeyRevoked { key }).collect();
        self.journal_later(records);
    }

    /// What has ended stays ended; what is new takes effect at once and is journaled, so that it is merged even if the peer never
    /// comes back.
    fn take_in_log(&self, peer: &str, theirs: &PeerLog, take: TakeCommitted) {
        let environment = &theirs.environment;
        let Ok(running) = self.inner.environments.running(environment) else { return };
        let mut news = PeerNews::default();
        running.publisher.overlay(|overlay| {
            news = PeerNews::of(theirs, &running.committer.state(), overlay, take);
            news.put.iter().for_each(|kill| self.inner.journal.hold(&held(environment, peer, kill)));
            news.apply(overlay);
        });
        if !news.is_pending() {
            return;
        }
        for kill in &news.put {
            tracing::warn!(env = %environment, kill = %kill.id, peer, "a peer knows a kill that this node did not know");
        }
        news.withdrawn.iter().for_each(|kill| self.inner.journal.hold(&held(environment, peer, kill)));
        self.journal_later(ends(environment, &news));
    }

    /// Journals what is only in memory, and these records. The disk may hang; what they tell of is in force already.
    fn journal_later(&self, records: Vec<JournalRecord>) {
        let (journal, pending) = (self.inner.journal.clone(), self.clone());
        self.inner.environments.tasks().short_lived(async move {
            let written = crate::tasks::blocking(move || {
                let written = journal.write_rest().and_then(|()| records.iter().try_for_each(|record| journal.append(record)));
                if let Err(error) = written {
                    tracing::error!(%error, "cannot write the journal of kills; it is written when the disk takes it");
                }
            });
            let _ = written.await;
            pending.inner.pending.notify_one();
        });
    }
}

/// A kill that a peer knows, for the journal.
fn held(environment: &EnvironmentKey, peer: &str, kill: &Kill) -> PendingKill {
    PendingKill {
        environment: environment.clone(),
        kill: kill.clone(),
        node: peer.to_owned(),
        withdrawn: false,
        answered: None,
    }
}

/// What the journal has to record of the ends that a peer knows.
fn ends(environment: &EnvironmentKey, news: &PeerNews) -> Vec<JournalRecord> {
    let ended = news.ended.iter().filter(|(_, how)| *how != KillEnd::Merged).map(|(id, _)| id);
    let ids = ended.chain(news.withdrawn.iter().map(|kill| &kill.id));
    let withdrawn = |id: &KillId| JournalRecord::Withdrawn {
        environment: environment.clone(),
        id: id.clone(),
    };
    ids.map(withdrawn).collect()
}
