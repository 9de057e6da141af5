//! Queries from one node to all others, over publish and subscribe: which applications have confirmed a revision, on every node.
//!
//! Nodes announce every second that they are alive. A query goes to all of them at once; answers are gathered until every live
//! node has answered, or until the caller's deadline. Nodes that did not answer are named. A node without a connection misses what
//! is published, so a query is sent again every second while a live node has not answered; a node that is already working on it
//! ignores the repeat.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::RngExt as _;
use redis::aio::PubSub;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::connection::CallError;
use super::keys;
use super::node::RedisNode;
use crate::tasks::TaskSet;

/// How often a node announces that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// How long an announcement counts.
const COUNTS: Duration = Duration::from_millis(3500);
/// Pause before a lost subscription is opened again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);
/// Answers to one query that may wait to be gathered.
const ANSWERS: usize = 256;

/// Answers the queries of other nodes.
pub trait QueryHandler: Send + Sync + 'static {
    /// The answer to `question`; `None` if this node has nothing to report, which counts as an answer.
    fn answer<'a>(&'a self, question: &'a RawValue) -> BoxFuture<'a, Option<Box<RawValue>>>;
}

/// The answers of all nodes.
#[derive(Debug, Clone, Default)]
pub struct QueryAnswers {
    /// By node name; `None` for a node that had nothing to report.
    pub answered: BTreeMap<String, Option<Box<RawValue>>>,
    /// The names of live nodes that did not answer in time.
    pub missing: Vec<String>,
}

/// Sends queries to the other nodes. Cheap to clone.
#[derive(Clone)]
pub struct ClusterQuery {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for ClusterQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterQuery").field("node", &self.inner.node.name).finish_non_exhaustive()
    }
}

struct Inner {
    node: Arc<RedisNode>,
    handler: Arc<dyn QueryHandler>,
    tasks: TaskSet,
    /// The other live nodes, as of the last announcement: name by id.
    others: Mutex<BTreeMap<String, String>>,
    /// Ids of the queries that this node is answering.
    answering: Mutex<HashSet<String>>,
    /// This node's queries under way, by id.
    asking: Mutex<HashMap<String, mpsc::Sender<ReplyMessage>>>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct QueryMessage {
    id: String,
    from: String,
    text: Box<RawValue>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ReplyMessage {
    id: String,
    from: String,
    name: String,
    answer: Option<Box<RawValue>>,
}

impl ClusterQuery {
    pub(super) fn start(node: Arc<RedisNode>, handler: Arc<dyn QueryHandler>, tasks: &TaskSet) -> Self {
        let query = Self {
            inner: Arc::new(Inner {
                node,
                handler,
                tasks: tasks.clone(),
                others: Mutex::default(),
                answering: Mutex::default(),
                asking: Mutex::default(),
            }),
        };
        tasks.long_lived("redis-alive", query.clone().keep_announcing());
        tasks.long_lived("redis-queries", query.clone().keep_listening());
        query
    }

    /// The names of the other live nodes, as of the last announcement.
    pub fn others(&self) -> Vec<String> {
        self.inner.others.lock().values().cloned().collect()
    }

    /// The ids of the other live nodes; `None` if Redis cannot be reached.
    pub async fn alive(&self) -> Option<BTreeSet<String>> {
        self.announce().await.ok().map(|others| others.into_keys().collect())
    }

    /// Queries all other nodes, and waits until every live node has answered, or for `patience`. Without Redis, all nodes that were
    /// last known to be alive are missing.
    pub async fn ask(&self, question: &RawValue, patience: Duration) -> QueryAnswers {
        let id = format!("{:016x}", rand::rng().random::<u64>());
        let (sender, replies) = mpsc::channel(ANSWERS);
        self.inner.asking.lock().insert(id.clone(), sender);
        let answers = self.gather(&id, question, replies, patience).await;
        self.inner.asking.lock().remove(&id);
        answers
    }

    async fn gather(&self, id: &str, question: &RawValue, mut replies: mpsc::Receiver<ReplyMessage>, patience: Duration) -> QueryAnswers {
        let mut answers = QueryAnswers::default();
        let mut missing = self.inner.others.lock().clone();
        let question = self.question(id, question);
        let publish = async {
            // Nodes that started or stopped within the last second count correctly.
            missing = self.announce().await?;
            self.publish(&keys::questions(), &question).await
        };
        let deadline = tokio::time::Instant::now() + patience;
        match tokio::time::timeout_at(deadline, publish).await {
            Ok(Ok(())) => {
                let gathered = async {
                    while !missing.is_empty() {
                        match tokio::time::timeout(BEAT, replies.recv()).await {
                            Ok(Some(reply)) => {
                                missing.remove(&reply.from);
                                answers.answered.insert(reply.name, reply.answer);
                            }
                            Ok(None) => return,
                            Err(_) => self.ask_again(&question, &mut missing).await,
                        }
                    }
                };
                _ = tokio::time::timeout_at(deadline, gathered).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "cannot query the other nodes"),
            Err(_) => tracing::debug!("cannot query the other nodes in time"),
        }
        answers.missing = missing.into_values().collect();
        answers
    }

    /// Sends a query again to live nodes that have not answered. A node that has died has no clients, so it is not missing.
    async fn ask_again(&self, question: &QueryMessage, missing: &mut BTreeMap<String, String>) {
        let Ok(alive) = self.announce().await else { return };
        missing.retain(|id, _| alive.contains_key(id));
        if !missing.is_empty()
            && let Err(error) = self.publish(&keys::questions(), question).await
        {
            tracing::debug!(%error, "cannot repeat a query");
        }
    }

    fn question(&self, id: &str, question: &RawValue) -> QueryMessage {
        QueryMessage {
            id: id.to_owned(),
            from: self.inner.node.id.clone(),
            text: question.to_owned(),
        }
    }

    async fn publish(&self, channel: &str, message: &impl serde::Serialize) -> Result<(), CallError> {
        let json = serde_json::to_string(message).unwrap_or_default();
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(json);
        self.inner.node.connector.connection()?.call::<()>(&command).await
    }

    /// Announces that this node is alive; returns and remembers the other live nodes.
    async fn announce(&self) -> Result<BTreeMap<String, String>, CallError> {
        let node = &self.inner.node;
        let mut command = node.scripts.beat.over(&[&keys::nodes()]);
        command.arg(member(node)).arg(millis(COUNTS));
        let members: Vec<String> = node.connector.connection()?.run(&node.scripts.beat, &command).await?;
        let member = |member: String| member.split_once(' ').map(|(id, name)| (id.to_owned(), name.to_owned()));
        let others: BTreeMap<_, _> = members.into_iter().filter_map(member).filter(|(id, _)| *id != node.id).collect();
        self.inner.others.lock().clone_from(&others);
        Ok(others)
    }

    async fn keep_announcing(self) {
        let node = &self.inner.node;
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = node.closing.cancelled() => return,
            }
            if let Err(error) = self.announce().await {
                tracing::debug!(%error, "cannot announce that this node is alive");
            }
        }
    }

    async fn keep_listening(self) {
        let node = &self.inner.node;
        while !node.closing.is_cancelled() {
            if let Ok(listening) = node.connector.connect_listening().await {
                tokio::select! {
                    heard = self.listen(listening) => {
                        if let Err(error) = heard {
                            tracing::debug!(%error, "lost the subscription for queries");
                        }
                    }
                    () = node.closing.cancelled() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = node.closing.cancelled() => {}
            }
        }
    }

    async fn listen(&self, mut listening: PubSub) -> Result<(), redis::RedisError> {
        let (questions, replies) = (keys::questions(), keys::replies(&self.inner.node.id));
        listening.subscribe(&questions).await?;
        listening.subscribe(&replies).await?;
        let mut messages = listening.on_message();
        while let Some(message) = messages.next().await {
            let payload: String = message.get_payload()?;
            if message.get_channel_name() == questions {
                self.hear_question(&payload);
            } else {
                self.hear_reply(&payload);
            }
        }
        Ok(())
    }

    fn hear_question(&self, payload: &str) {
        let Ok(question) = serde_json::from_str::<QueryMessage>(payload) else {
            tracing::warn!("cannot read a query of another node; do all nodes run the same version?");
            return;
        };
        if question.from == self.inner.node.id || !self.inner.answering.lock().insert(question.id.clone()) {
            return;
        }
        let query = self.clone();
        self.inner.tasks.short_lived(async move {
            let id = question.id.clone();
            tokio::select! {
                () = query.reply(question) => {}
                () = query.inner.node.closing.cancelled() => {}
            }
            query.inner.answering.lock().remove(&id);
        });
    }

    async fn reply(&self, question: QueryMessage) {
        let node = &self.inner.node;
        let reply = ReplyMessage {
            answer: self.inner.handler.answer(&question.text).await,
            id: question.id,
            from: node.id.clone(),
            name: node.name.clone(),
        };
        if let Err(error) = self.publish(&keys::replies(&question.from), &reply).await {
            tracing::debug!(%error, "cannot answer a query");
        }
    }

    fn hear_reply(&self, payload: &str) {
        let Ok(reply) = serde_json::from_str::<ReplyMessage>(payload) else {
            tracing::warn!("cannot read an answer of another node; do all nodes run the same version?");
            return;
        };
        // Late answers are dropped, and so are more than can be gathered.
        if let Some(asking) = self.inner.asking.lock().get(&reply.id) {
            _ = asking.try_send(reply);
        }
    }
}

/// Announces that `node` is stopping, so that other nodes do not wait for its answers. If that fails, they wait until its last
/// announcement expires.
pub(super) async fn say_goodbye(node: &RedisNode) {
    let mut command = redis::cmd("ZREM");
    command.arg(keys::nodes()).arg(member(node));
    if let Ok(live) = node.connector.connection() {
        _ = tokio::time::timeout(GOODBYE, live.call::<()>(&command)).await;
    }
}

fn member(node: &RedisNode) -> String {
    format!("{} {}", node.id, node.name)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
