//! Other nodes, asked for their confirmations: over the store's exchange while it is there, over HTTP from the configured peers
//! where it is not.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use ripcord_proto::EnvironmentKey;
use serde_json::value::{RawValue, to_raw_value};

use super::config::Config;
use crate::fleet::{self, ConfirmationQuestion, ConfirmationReport, ConfirmationTarget, Fleet, PeerAnswer};
use crate::leader::LiveNodes;
use crate::outcome::reports::{LocalReports, NodeSums, Reports, SeriesQuery};
use crate::outcome::{ExposureQuery, Outcomes, PeerExposure, PeerOutcomes};
use crate::peer::Peers;
use crate::store::redis::{Answerer, Exchange, RedisStore};
use crate::store::{Store as _, StoreState};

/// What an answer may take beyond the patience that was asked for.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// How long other nodes may take to say what was reported to them.
const REPORTED_IN: Duration = Duration::from_millis(500);

/// The nodes beside this one.
#[derive(Debug)]
pub(super) struct OtherNodes {
    peers: Peers,
    redis: Option<Arc<RedisStore>>,
    /// There as soon as this node can answer, too.
    exchange: OnceLock<Exchange>,
    /// What applications reported to this node.
    reports: OnceLock<LocalReports>,
}

impl OtherNodes {
    pub(super) fn new(peers: Peers, redis: Option<Arc<RedisStore>>) -> Self {
        let (exchange, reports) = (OnceLock::new(), OnceLock::new());
        Self {
            peers,
            redis,
            exchange,
            reports,
        }
    }

    /// What tells this process from the others that share its logs.
    pub(super) fn own_id(&self) -> String {
        let alone = || format!("{:016x}", rand::random::<u64>());
        self.redis.as_ref().map_or_else(alone, |redis| redis.id().to_owned())
    }

    /// Answers other nodes from `fleet`, `outcomes` and `reports`, and asks them over the store from now on.
    pub(super) fn answer_from(&self, fleet: Fleet, outcomes: Outcomes, reports: LocalReports) {
        let reports = self.reports.get_or_init(|| reports).clone();
        if let Some(redis) = &self.redis {
            let answers = Answers { fleet, outcomes, reports };
            self.exchange.get_or_init(|| redis.exchange(Arc::new(answers)));
        }
    }

    /// The exchange, while the store is there.
    fn exchange(&self) -> Option<&Exchange> {
        let available = self.redis.as_ref()?.health().borrow().state == StoreState::Available;
        self.exchange.get().filter(|_| available)
    }

    async fn ask_over(&self, exchange: &Exchange, question: &ConfirmationQuestion) -> Vec<PeerAnswer> {
        let Ok(text) = to_raw_value(question) else { return Vec::new() };
        let answers = exchange.ask(&text, Duration::from_millis(question.patience_ms) + ON_THE_WAY).await;
        let report = |answer: Box<RawValue>| serde_json::from_str(answer.get()).ok().map(PeerAnswer::Reported);
        let reported = answers.answered.into_values().flatten().filter_map(report);
        reported.chain(answers.missing.into_iter().map(PeerAnswer::NotReached)).collect()
    }

    async fn ask_one(&self, url: &str, question: &ConfirmationQuestion) -> PeerAnswer {
        let asked = self.post(url, question).await;
        asked.map_or_else(|| PeerAnswer::NotReached(url.to_owned()), |report| PeerAnswer::Reported(Box::new(report)))
    }

    async fn post(&self, url: &str, question: &ConfirmationQuestion) -> Option<ConfirmationReport> {
        let (http, secret) = self.peers.http()?;
        let patience = Duration::from_millis(question.patience_ms) + ON_THE_WAY;
        let call = http
            .post(format!("{url}/v1/peer/confirmations"))
            .bearer_auth(secret.expose())
            .json(question)
            .timeout(patience);
        let answer = call.send().await.and_then(reqwest::Response::error_for_status);
        match answer {
            Ok(answer) => answer.json().await.ok(),
            Err(error) => {
                tracing::debug!(url, error = %error.without_url(), "a peer was not reached for its confirmations");
                None
            }
        }
    }
}

impl fleet::PeerConfirmations for OtherNodes {
    fn ask<'a>(&'a self, environment: &'a EnvironmentKey, target: &'a ConfirmationTarget, patience: Duration) -> BoxFuture<'a, Vec<PeerAnswer>> {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let question = ConfirmationQuestion {
            environment: environment.clone(),
            target: target.clone(),
            patience_ms,
        };
        Box::pin(async move {
            match self.exchange() {
                Some(exchange) => self.ask_over(exchange, &question).await,
                None => join_all(self.peers.urls().iter().map(|url| self.ask_one(url, &question))).await,
            }
        })
    }
}

impl LiveNodes for OtherNodes {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        Box::pin(async move {
            match (&self.redis, self.exchange()) {
                // Peers over HTTP have stores, and so logs, of their own.
                (None, _) => Some(BTreeSet::new()),
                (Some(_), Some(exchange)) => exchange.alive().await,
                (Some(_), None) => None,
            }
        })
    }
}

impl Reports for OtherNodes {
    fn sums<'a>(&'a self, environment: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>> {
        Box::pin(async move {
            let mut sums: Vec<NodeSums> = self.reports.get().map(|own| own.own(environment, series)).into_iter().collect();
            let Some(exchange) = self.exchange().filter(|exchange| !exchange.others().is_empty()) else {
                return sums;
            };
            let question = ReportQuestion {
                environment: environment.clone(),
                outcomes: series.to_vec(),
            };
            let Ok(text) = to_raw_value(&question) else { return sums };
            let answers = exchange.ask(&text, REPORTED_IN).await;
            sums.extend(
                answers
                    .answered
                    .into_values()
                    .flatten()
                    .filter_map(|answer| serde_json::from_str(answer.get()).ok()),
            );
            sums
        })
    }
}

impl PeerOutcomes for OtherNodes {
    fn served<'a>(&'a self, question: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure> {
        Box::pin(async move {
            let question = Served { served: question.clone() };
            let (Some(exchange), Ok(text)) = (self.exchange(), to_raw_value(&question)) else {
                return PeerExposure::default();
            };
            let answers = exchange.ask(&text, ON_THE_WAY).await;
            let counts = answers.answered.into_values().flatten();
            PeerExposure {
                counts: counts.filter_map(|answer| serde_json::from_str(answer.get()).ok()).collect(),
                nodes_not_reached: answers.missing,
            }
        })
    }
}

/// The question for what was served, told from that for confirmations by its one member.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Served {
    served: ExposureQuery,
}

/// The question for the sums that were reported, told from the others by its second member.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ReportQuestion {
    environment: EnvironmentKey,
    outcomes: Vec<SeriesQuery>,
}

/// What other nodes are answered.
struct Answers {
    fleet: Fleet,
    outcomes: Outcomes,
    reports: LocalReports,
}

impl Answerer for Answers {
    fn answer<'a>(&'a self, question: &'a RawValue) -> BoxFuture<'a, Option<Box<RawValue>>> {
        Box::pin(async move {
            if let Ok(Served { served }) = serde_json::from_str(question.get()) {
                return to_raw_value(&self.outcomes.answer(&served)).ok();
            }
            if let Ok(question) = serde_json::from_str::<ReportQuestion>(question.get()) {
                return to_raw_value(&self.reports.own(&question.environment, &question.outcomes)).ok();
            }
            let question: ConfirmationQuestion = serde_json::from_str(question.get()).ok()?;
            let patience = Duration::from_millis(question.patience_ms);
            let report = self.fleet.settled(&question.environment, &question.target, patience).await?;
            to_raw_value(&report).ok()
        })
    }
}

/// The client that speaks to peers; `None` where there are none, or where TLS cannot be set up.
pub(super) fn http_client(config: &Config) -> Option<reqwest::Client> {
    if config.peers.is_empty() {
        return None;
    }
    // Somebody else in this process (the demo's commands) may have done it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().tcp_nodelay(true).connect_timeout(Duration::from_millis(500));
    builder.build().inspect_err(|error| tracing::error!(%error, "peers cannot be spoken to")).ok()
}
