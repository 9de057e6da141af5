//! Other nodes, asked for their confirmations: over the store's exchange while it is there, over HTTP from the configured peers
//! where it is not.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use ripcord_proto::EnvironmentKey;

use super::config::Config;
use crate::fleet::{self, Answer, Question, Report, Target};
use crate::peer::Peers;

/// What an answer may take beyond the patience that was asked for.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// The nodes beside this one.
#[derive(Debug)]
pub(super) struct OtherNodes {
    peers: Peers,
}

impl OtherNodes {
    pub(super) fn new(peers: Peers) -> Self {
        Self { peers }
    }

    async fn ask_one(&self, url: &str, question: &Question) -> Answer {
        let asked = self.post(url, question).await;
        asked.map_or_else(|| Answer::NotReached(url.to_owned()), |report| Answer::Reported(Box::new(report)))
    }

    async fn post(&self, url: &str, question: &Question) -> Option<Report> {
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

impl fleet::Peers for OtherNodes {
    fn ask<'a>(&'a self, environment: &'a EnvironmentKey, target: &'a Target, patience: Duration) -> BoxFuture<'a, Vec<Answer>> {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let question = Question {
            environment: environment.clone(),
            target: target.clone(),
            patience_ms,
        };
        Box::pin(async move { join_all(self.peers.urls().iter().map(|url| self.ask_one(url, &question))).await })
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
