//! Queries to the other nodes, for their confirmations and outcomes: over Redis while it is reachable, else over HTTP to the
//! configured peers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, FlagKey};
use serde_json::value::{RawValue, to_raw_value};

use super::config::ServeConfig;
use crate::fleet::{self, ConfirmationQuestion, ConfirmationReport, ConfirmationTarget, Fleet, PeerAnswer};
use crate::leader::LiveNodes;
use crate::outcome::reports::{LocalReports, NodeSums, Reports, SeriesQuery};
use crate::outcome::{ExposureQuery, FallingVariant, OutcomeTotal, Outcomes, PeerExposure, PeerOutcomes, TotalsQuery};
use crate::peer::Peers;
use crate::store::redis::{ClusterQuery, QueryHandler, RedisStore};
use crate::store::{Store as _, StoreState};

/// How much later than the caller's own deadline an answer may arrive.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// How long other nodes may take to send the outcomes that were reported to them.
const REPORTED_IN: Duration = Duration::from_millis(500);

/// The nodes beside this one.
#[derive(Debug)]
pub(super) struct OtherNodes {
    peers: Peers,
    redis: Option<Arc<RedisStore>>,
    /// Set as soon as this node can answer others.
    cluster_query: OnceLock<ClusterQuery>,
    /// What applications reported to this node.
    reports: OnceLock<LocalReports>,
}

impl OtherNodes {
    pub(super) fn new(peers: Peers, redis: Option<Arc<RedisStore>>) -> Self {
        let (cluster_query, reports) = (OnceLock::new(), OnceLock::new());
        Self {
            peers,
            redis,
            cluster_query,
            reports,
        }
    }

    /// Identifies this process among the others that share its logs.
    pub(super) fn own_id(&self) -> String {
        let alone = || format!("{:016x}", rand::random::<u64>());
        self.redis.as_ref().map_or_else(alone, |redis| redis.id().to_owned())
    }

    /// From now on answers other nodes from `fleet`, `outcomes` and `reports`, and queries them over the store.
    pub(super) fn answer_from(&self, fleet: Fleet, outcomes: Outcomes, reports: LocalReports) {
        let reports = self.reports.get_or_init(|| reports).clone();
        if let Some(redis) = &self.redis {
            let answers = NodeAnswers { fleet, outcomes, reports };
            self.cluster_query.get_or_init(|| redis.cluster_query(Arc::new(answers)));
        }
    }

    /// The way to the other nodes, while the store is reachable.
    fn cluster_query(&self) -> Option<&ClusterQuery> {
        let available = self.redis.as_ref()?.health().borrow().state == StoreState::Available;
        self.cluster_query.get().filter(|_| available)
    }

    async fn ask_cluster(&self, cluster_query: &ClusterQuery, question: &ConfirmationQuestion) -> Vec<PeerAnswer> {
        let Ok(text) = to_raw_value(question) else { return Vec::new() };
        let answers = cluster_query.ask(&text, Duration::from_millis(question.patience_ms) + ON_THE_WAY).await;
        let report = |answer: Box<RawValue>| serde_json::from_str(answer.get()).ok().map(PeerAnswer::Reported);
        let reported = answers.answered.into_values().flatten().filter_map(report);
        reported.chain(answers.missing.into_iter().map(PeerAnswer::NotReached)).collect()
    }

    async fn ask_one(&self, url: &str, question: &ConfirmationQuestion) -> PeerAnswer {
        let report = self.post(url, question).await;
        report.map_or_else(|| PeerAnswer::NotReached(url.to_owned()), |report| PeerAnswer::Reported(Box::new(report)))
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
                tracing::debug!(url, error = %error.without_url(), "cannot reach a peer for its confirmations");
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
            match self.cluster_query() {
                Some(cluster_query) => self.ask_cluster(cluster_query, &question).await,
                None => join_all(self.peers.urls().iter().map(|url| self.ask_one(url, &question))).await,
            }
        })
    }
}

impl LiveNodes for OtherNodes {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        Box::pin(async move {
            match (&self.redis, self.cluster_query()) {
                // Peers over HTTP have their own stores and logs, so they never share a leader.
                (None, _) => Some(BTreeSet::new()),
                (Some(_), Some(cluster_query)) => cluster_query.alive().await,
                (Some(_), None) => None,
            }
        })
    }
}

impl Reports for OtherNodes {
    fn sums<'a>(&'a self, environment: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>> {
        Box::pin(async move {
            let mut sums: Vec<NodeSums> = self.reports.get().map(|own| own.own(environment, series)).into_iter().collect();
            let Some(cluster_query) = self.cluster_query().filter(|cluster_query| !cluster_query.others().is_empty()) else {
                return sums;
            };
            let question = ReportQuestion {
                environment: environment.clone(),
                outcomes: series.to_vec(),
            };
            let Ok(text) = to_raw_value(&question) else { return sums };
            let answers = cluster_query.ask(&text, REPORTED_IN).await;
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
            let question = ServedQuery { served: question.clone() };
            let (Some(cluster_query), Ok(text)) = (self.cluster_query(), to_raw_value(&question)) else {
                return PeerExposure::default();
            };
            let answers = cluster_query.ask(&text, ON_THE_WAY).await;
            exposures(answers.answered, answers.missing)
        })
    }

    fn totals<'a>(&'a self, question: &'a TotalsQuery) -> BoxFuture<'a, Vec<OutcomeTotal>> {
        Box::pin(async move {
            let question = TotalsQuestion { totals: question.clone() };
            let (Some(cluster_query), Ok(text)) = (self.cluster_query(), to_raw_value(&question)) else {
                return Vec::new();
            };
            let answers = cluster_query.ask(&text, REPORTED_IN).await;
            let totals = answers.answered.into_values().flatten();
            totals
                .filter_map(|answer| serde_json::from_str::<Vec<OutcomeTotal>>(answer.get()).ok())
                .flatten()
                .collect()
        })
    }
}

/// What the other nodes answered. A node of an older version cannot answer: what it served is not counted, and it is named.
fn exposures(answered: BTreeMap<String, Option<Box<RawValue>>>, nodes_not_reached: Vec<String>) -> PeerExposure {
    let mut exposure = PeerExposure {
        counts: Vec::new(),
        nodes_not_reached,
    };
    for (node, answer) in answered {
        match answer.and_then(|answer| serde_json::from_str(answer.get()).ok()) {
            Some(counts) => exposure.counts.push(counts),
            None => exposure.nodes_not_reached.push(node),
        }
    }
    exposure
}

/// A query for totals. Its one member distinguishes it from the others.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct TotalsQuestion {
    totals: TotalsQuery,
}

/// A query for what was served. Its one member distinguishes it from a query for confirmations.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ServedQuery {
    served: ExposureQuery,
}

/// The same as nodes of the version before ask it: for all variants of some flags.
#[derive(Debug, serde::Deserialize)]
struct ServedFlagsQuery {
    served: FlagsExposureQuery,
}

#[derive(Debug, serde::Deserialize)]
struct FlagsExposureQuery {
    environment: EnvironmentKey,
    flags: BTreeSet<FlagKey>,
    from: Timestamp,
    to: Timestamp,
}

impl FlagsExposureQuery {
    fn answer(&self, outcomes: &Outcomes) -> Option<Box<RawValue>> {
        let reported = outcomes.totals(&self.environment).into_iter();
        let variants = reported.filter(|total| self.flags.contains(&total.flag)).map(|total| FallingVariant {
            flag: total.flag,
            variant: total.variant,
            remains: false,
        });
        to_raw_value(&outcomes.served_between(&self.environment, &variants.collect::<Vec<_>>(), self.from, self.to)).ok()
    }
}

/// A query for reported sums. Its second member distinguishes it from the others.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ReportQuestion {
    environment: EnvironmentKey,
    outcomes: Vec<SeriesQuery>,
}

/// Answers queries of other nodes.
struct NodeAnswers {
    fleet: Fleet,
    outcomes: Outcomes,
    reports: LocalReports,
}

impl QueryHandler for NodeAnswers {
    fn answer<'a>(&'a self, question: &'a RawValue) -> BoxFuture<'a, Option<Box<RawValue>>> {
        Box::pin(async move {
            if let Ok(ServedQuery { served }) = serde_json::from_str(question.get()) {
                let confirmed = self.fleet.confirmed_at(&served.environment, served.rollback);
                return to_raw_value(&self.outcomes.answer(&served, confirmed)).ok();
            }
            if let Ok(ServedFlagsQuery { served }) = serde_json::from_str(question.get()) {
                return served.answer(&self.outcomes);
            }
            if let Ok(TotalsQuestion { totals }) = serde_json::from_str(question.get()) {
                return to_raw_value(&self.outcomes.totals_between(&totals)).ok();
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

/// The HTTP client for peers; `None` if there are no peers, or if TLS cannot be set up.
pub(super) fn http_client(config: &ServeConfig) -> Option<reqwest::Client> {
    if config.peers.is_empty() {
        return None;
    }
    // Another part of this process (the demo's commands) may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Never through a proxy: it would see the peers' secret, and kills must not depend on it.
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_millis(500));
    builder
        .build()
        .inspect_err(|error| tracing::error!(%error, "cannot create the HTTP client for peers; peers are not reached"))
        .ok()
}

#[cfg(test)]
mod tests;
