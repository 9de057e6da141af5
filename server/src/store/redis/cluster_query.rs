//! Questions from one node to all others, over publish and subscribe: who has confirmed what, on every node.
//!
//! Nodes say every second that they are alive. A question goes to all of them at once; answers are gathered until every live
//! node has answered, or for as long as the asker will wait. Those that did not answer are named. What is published while a node
//! has no connection is lost on it, so a question is put again every second while somebody lives who has not answered; a node
//! that is at it already does not begin anew.

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

/// How often a node says that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// How long its word counts.
const COUNTS: Duration = Duration::from_millis(3500);
/// How long to wait before listening is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);
/// Answers to one question that may wait to be gathered.
const ANSWERS: usize = 256;

/// Answers the questions of other nodes.
pub trait QueryHandler: Send + Sync + 'static {
    /// The answer to `question`; `None` where this node has nothing to say, which counts as an answer.
    fn answer<'a>(&'a self, question: &'a RawValue) -> BoxFuture<'a, Option<Box<RawValue>>>;
}

/// What the nodes answered.
#[derive(Debug, Clone, Default)]
pub struct QueryAnswers {
    /// By the names of the nodes; those that had nothing to say are here without an answer.
    pub answered: BTreeMap<String, Option<Box<RawValue>>>,
    /// The names of live nodes that did not answer in time.
    pub missing: Vec<String>,
}

/// The way to the other nodes. Cheap to clone.
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
    /// The other nodes, as last heard: name by id.
    others: Mutex<BTreeMap<String, String>>,
    /// Questions of others that this node is answering, by id.
    answering: Mutex<HashSet<String>>,
    /// Questions that are being asked.
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
        tasks.long_lived("redis beat", query.clone().beat_on());
        tasks.long_lived("redis questions", query.clone().listen_on());
        query
    }

    /// The names of the other nodes that are alive, as last heard.
    pub fn others(&self) -> Vec<String> {
        self.inner.others.lock().values().cloned().collect()
    }

    /// The ids of the other nodes that are alive now; `None` where Redis cannot be asked.
    pub async fn alive(&self) -> Option<BTreeSet<String>> {
        self.beat().await.ok().map(|others| others.into_keys().collect())
    }

    /// Asks all other nodes, and waits until all that live have answered, or for `patience`. Without Redis nobody is reached, and all that
    /// were alive are missing.
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
        let asked = async {
            // Whoever came or went in the last second counts as it is now.
            missing = self.beat().await?;
            self.publish(&keys::questions(), &question).await
        };
        let deadline = tokio::time::Instant::now() + patience;
        match tokio::time::timeout_at(deadline, asked).await {
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
            Ok(Err(error)) => tracing::debug!(%error, "other nodes could not be asked"),
            Err(_) => tracing::debug!("other nodes could not be asked in time"),
        }
        answers.missing = missing.into_values().collect();
        answers
    }

    /// Puts a question once more to those that have not answered and still live. One that has died meanwhile will not answer, and
    /// has no client any more.
    async fn ask_again(&self, question: &QueryMessage, missing: &mut BTreeMap<String, String>) {
        let Ok(alive) = self.beat().await else { return };
        missing.retain(|id, _| alive.contains_key(id));
        if !missing.is_empty()
            && let Err(error) = self.publish(&keys::questions(), question).await
        {
            tracing::debug!(%error, "a question could not be put again");
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

    /// Says that this node is alive; answers and remembers the others that are.
    async fn beat(&self) -> Result<BTreeMap<String, String>, CallError> {
        let node = &self.inner.node;
        let mut command = node.scripts.beat.over(&[&keys::nodes()]);
        command.arg(member(node)).arg(millis(COUNTS));
        let members: Vec<String> = node.connector.connection()?.run(&node.scripts.beat, &command).await?;
        let member = |member: String| member.split_once(' ').map(|(id, name)| (id.to_owned(), name.to_owned()));
        let others: BTreeMap<_, _> = members.into_iter().filter_map(member).filter(|(id, _)| *id != node.id).collect();
        self.inner.others.lock().clone_from(&others);
        Ok(others)
    }

    async fn beat_on(self) {
        let node = &self.inner.node;
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = node.closing.cancelled() => return,
            }
            if let Err(error) = self.beat().await {
                tracing::debug!(%error, "this node could not say that it is alive");
            }
        }
    }

    async fn listen_on(self) {
        let node = &self.inner.node;
        while !node.closing.is_cancelled() {
            if let Ok(listening) = node.connector.connect_listening().await {
                tokio::select! {
                    heard = self.listen(listening) => {
                        if let Err(error) = heard {
                            tracing::debug!(%error, "the connection for questions was lost");
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
            tracing::warn!("a question of another node cannot be read; do all nodes run the same version?");
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
            tracing::debug!(%error, "a question could not be answered");
        }
    }

    fn hear_reply(&self, payload: &str) {
        let Ok(reply) = serde_json::from_str::<ReplyMessage>(payload) else {
            tracing::warn!("an answer of another node cannot be read; do all nodes run the same version?");
            return;
        };
        // A late answer to a question that nobody asks any more is dropped, and so is one more than can be gathered.
        if let Some(asking) = self.inner.asking.lock().get(&reply.id) {
            _ = asking.try_send(reply);
        }
    }
}

/// Says that `node` is going, so that nobody waits for its answers. One that cannot say it is waited for until its last word no
/// longer counts.
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
