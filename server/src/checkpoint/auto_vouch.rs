//! Vouches automatically for the state of environments whose policy says so, on the leader of each.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::checkpoint::{CheckpointVerdict, Judgement};
use ripcord_proto::{CheckpointName, EnvironmentKey, Position};

use super::evidence::{EvidenceSources, Lacking, VouchEvidence};
use super::soak::{ContentAge, NotDue, Soak, content, due};
use super::{NewCheckpoint, take};
use crate::commit::state::EnvironmentState;
use crate::commit::{Draft, Precondition};
use crate::environment::{EnvironmentTask, Environments};
use crate::leader::{LeaderLease, LeaderToken};

/// How soon a node that is not the leader, or whose attempt failed, tries again.
const ASIDE: Duration = Duration::from_secs(5);
/// How soon evidence is gathered again.
const RETRY: Duration = Duration::from_mins(1);

/// What vouching needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AutoVouch {
    /// The environments with their states.
    pub environments: Environments,
    /// Where the evidence is from.
    pub sources: EvidenceSources,
    /// Says whether this node is the leader.
    pub lease: LeaderLease,
}

/// When to look again.
enum SoakCheck {
    /// When the log moves.
    Settled,
    /// After this, or when the log moves.
    Again(Duration),
}

impl AutoVouch {
    /// Vouches for every environment whose policy says so, until the server stops.
    pub fn start(self) {
        let environments = self.environments.clone();
        environments.in_each("vouching", move |place| self.clone().keep(place));
    }

    async fn keep(self, place: EnvironmentTask) {
        let EnvironmentTask { environment, mut states } = place;
        loop {
            let state = Arc::clone(&states.borrow_and_update());
            let wait = match self.look(&environment, &state).await {
                SoakCheck::Settled => None,
                SoakCheck::Again(after) => Some(after),
            };
            let sleep = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                changed = states.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn look(&self, environment: &EnvironmentKey, state: &EnvironmentState) -> SoakCheck {
        let now = self.environments.clock().now();
        // Most environments have no such policy: they cost one look for each commit, and nothing else.
        let Some(soak) = state.records.policy().vouch_after_seconds else {
            return SoakCheck::Settled;
        };
        let soak = SignedDuration::from_secs(i64::try_from(soak).unwrap_or(i64::MAX));
        let horizon = now.saturating_sub(soak).unwrap_or(Timestamp::MIN);
        let found = match content(&**self.environments.store(), state, horizon).await {
            Ok(Some(found)) => found,
            Ok(None) => return SoakCheck::Settled,
            Err(error) => {
                tracing::debug!(env = %environment, %error, "cannot find out how long the state has soaked");
                return SoakCheck::Again(ASIDE);
            }
        };
        match due(state, found, self.provisional(environment), now) {
            // A provisional kill may be withdrawn without a trace in the log.
            Soak::Not(NotDue::Killed) => SoakCheck::Again(RETRY),
            Soak::Not(_) => SoakCheck::Settled,
            Soak::NotBefore(at) => SoakCheck::Again(Duration::try_from(at.duration_since(now)).unwrap_or_default()),
            Soak::Due { seconds } => match self.lease.hold(environment).await {
                Some(token) => self.vouch(environment, state, found, (seconds, token)).await,
                None => SoakCheck::Again(ASIDE),
            },
        }
    }

    fn provisional(&self, environment: &EnvironmentKey) -> usize {
        let served = self.environments.board().served(environment.as_str());
        served.map_or(0, |served| served.overlay.kills.len())
    }

    async fn vouch(&self, environment: &EnvironmentKey, state: &EnvironmentState, found: ContentAge, (seconds, token): (u64, LeaderToken)) -> SoakCheck {
        let clock = self.environments.clock().now();
        let evidence = match self.sources.gather(state, found, (seconds, clock)).await {
            Ok(evidence) => evidence,
            Err(lacking) => {
                tracing::info!(env = %environment, %lacking, "not marking the state known-good");
                return SoakCheck::Again(if lacking == Lacking::Applications { ASIDE } else { RETRY });
            }
        };
        let position = state.head.position();
        let Some(draft) = self.draft(environment, position, evidence, token) else {
            return SoakCheck::Settled;
        };
        match self.environments.commit(draft).await {
            Ok(_) => {
                tracing::info!(env = %environment, revision = position.revision.0, "marked the state known-good");
                SoakCheck::Settled
            }
            Err(error) => {
                tracing::debug!(env = %environment, %error, "could not mark the state known-good");
                SoakCheck::Again(RETRY)
            }
        }
    }

    /// The checkpoint of the state at `position`, vouched for by this node; refused if anything has changed since.
    fn draft(&self, environment: &EnvironmentKey, position: Position, VouchEvidence { text, figures }: VouchEvidence, token: LeaderToken) -> Option<Draft> {
        let (author, at) = (self.lease.author(), self.environments.clock().now());
        let name = CheckpointName::new(&format!("auto-{}", position.revision)).ok()?;
        let reason = format!("marked checkpoint {name} known-good automatically: {text}");
        let judgement = Judgement {
            verdict: CheckpointVerdict::Vouched,
            by: author.actor.clone(),
            at,
            evidence: Some(text),
            figures,
        };
        let taking = NewCheckpoint {
            name,
            note: Some("created automatically by the environment's policy".to_owned()),
            by: author.actor.clone(),
            at,
            judgement: Some(judgement),
        };
        Some(Draft {
            reason: Some(reason),
            precondition: Some(Precondition::Environment(position)),
            ..Draft::new(environment.clone(), author, vec![token.check(), take(taking)])
        })
    }
}
