//! A proposal as the second person sees it: with the share of users that it affects.

use ripcord_proto::EnvironmentKey;
use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_sdk::engine::Compiled;

use super::{Proposals, replay};
use crate::commit::plan::PlannedCommit;
use crate::commit::{Author, CommitError, Draft};
use crate::impact::{self, ImpactComparison, SampleUsers};

impl Proposals {
    /// The proposal with the share of users that it affects, as long as it waits and can be applied; for `reader`.
    ///
    /// # Errors
    /// The share cannot be computed.
    pub async fn with_shares(&self, environment: &EnvironmentKey, mut proposal: Proposal, reader: Author) -> Result<Proposal, CommitError> {
        if proposal.state != ProposalState::Proposed {
            return Ok(proposal);
        }
        let Some(comparison) = self.comparison(environment, &proposal, reader).await else {
            return Ok(proposal);
        };
        let shares = impact::shares(comparison, SampleUsers::default()).await?;
        proposal.diff.users = Some(shares.users);
        proposal.diff.shares = shares.flags.into_iter().filter(|(_, share)| share.changed > 0).collect();
        Ok(proposal)
    }

    /// What is compared to tell whom it affects; `None` if it would change no answer, or cannot be done now.
    async fn comparison(&self, environment: &EnvironmentKey, proposal: &Proposal, reader: Author) -> Option<ImpactComparison> {
        let author = Author {
            actor: proposal.by.clone(),
            ..reader
        };
        let operations = replay::operations(&self.environments, None, &author, proposal).await.ok()?;
        let draft = Draft {
            killed_edit: super::allow_killed_edit(proposal),
            ..Draft::new(environment.clone(), author, operations)
        };
        let PlannedCommit {
            before, after, mut touched, ..
        } = self.environments.plan(&draft).ok()?;
        // A new flag does not change what anyone is served.
        touched.flags.retain(|key| before.snapshot.flags.get(key.as_str()).is_some());
        if touched.flags.is_empty() && touched.segments.is_empty() {
            return None;
        }
        Some(ImpactComparison {
            now: Compiled::new(&before.snapshot),
            before: before.snapshot.clone(),
            after,
            touched,
        })
    }
}
