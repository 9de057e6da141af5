//! What people ask of the nodes: kills, restores and edits, as the product takes them.

use std::collections::BTreeSet;

use ripcord_proto::frame::KillEnd;
use ripcord_proto::kill::AllFlags;
use ripcord_proto::{FlagKey, Kill, KillId, KillScope};

use super::node::{held, production, withdrawn};
use super::world::{AnsweredKill, FLAGS, Failure, SimulatedWorld};
use crate::commit::Operation;
use crate::kill::exchange::{WithdrawalDecision, has_ended};
use crate::kill::merge::merge_draft;
use crate::snapshot::fixture::flag;
use crate::snapshot::overlay;

impl SimulatedWorld {
    pub(super) fn kill(&mut self, node: usize) {
        let scope = match self.dice.below(FLAGS.len() + 1) {
            index if index < FLAGS.len() => KillScope::Flag(FlagKey::new(FLAGS[index]).unwrap()),
            _ => KillScope::All(AllFlags),
        };
        let this = &self.nodes[node];
        if this.overlay.kills.values().any(|kill| kill.scope == scope) {
            return;
        }
        self.made += 1;
        let kill = Kill {
            id: KillId::from_parts(self.made, 0),
            scope,
            reason: None,
            actor: this.author().actor,
            at: jiff::Timestamp::UNIX_EPOCH,
            flags: BTreeSet::new(),
        };
        let id = match self.commit(node, vec![Operation::Kill(Box::new(kill.clone()))]) {
            Ok(Some(id)) => id,
            // The scope was killed already, or there is no such flag yet.
            Ok(None) | Err(Failure::Refused) => return,
            Err(Failure::Away | Failure::Unknown) => {
                let this = &mut self.nodes[node];
                this.journal.hold(&held(&this.name, &kill));
                let _ = this.journal.write_rest();
                overlay::put(&mut this.overlay, kill.clone());
                kill.id
            }
        };
        self.say(format!("{} answers the kill {id} of {}", self.nodes[node].name, kill.scope));
        let answered = AnsweredKill {
            at: self.now,
            may_have_ended: false,
            is_restored: false,
            is_lost: false,
        };
        self.answered.entry(id).or_insert(answered);
        if self.dice.percent(80) {
            self.ask_peers(node);
        }
    }

    pub(super) fn restore(&mut self, node: usize) {
        let known: Vec<KillId> = self.answered.keys().filter(|id| self.nodes[node].has_in_force(id)).cloned().collect();
        let Some(id) = known.get(self.dice.below(known.len())).cloned() else { return };
        let is_provisional = self.nodes[node].overlay.kills.contains_key(&id);
        if is_provisional && !self.merge_one(node, &id) {
            return self.withdraw(node, &id);
        }
        let restored = self.commit(node, vec![Operation::Restore(id.clone())]);
        let is_restored = restored.is_ok();
        self.say(format!("{} restores {id}: {is_restored}", self.nodes[node].name));
        if let (Ok(_) | Err(Failure::Unknown), Some(answered)) = (restored, self.answered.get_mut(&id)) {
            answered.may_have_ended = true;
            answered.is_restored |= is_restored;
        }
    }

    fn merge_one(&mut self, node: usize, id: &KillId) -> bool {
        let pending = self.nodes[node].journal.pending();
        let pending = pending.into_iter().find(|pending| pending.kill.id == *id);
        pending.is_some_and(|pending| self.append(node, &merge_draft(&pending)).is_ok())
    }

    fn withdraw(&mut self, node: usize, id: &KillId) {
        self.ask_peers(node);
        let this = &self.nodes[node];
        let answers: Vec<_> = self.peers_of(node).iter().filter_map(|peer| this.standing.last(peer)).collect();
        let own = (this.name.as_str(), this.heads().history);
        let decision = WithdrawalDecision::decide(
            (&production(), id),
            own,
            this.journal.taker(id),
            &this.overlay,
            answers.iter().map(|answer| &**answer),
        );
        let is_ended = decision == WithdrawalDecision::Ended && has_ended(id, &this.state, &this.overlay).is_some();
        let this = &mut self.nodes[node];
        let is_withdrawn = decision == WithdrawalDecision::Withdraw && this.journal.append(&withdrawn(id)).is_ok();
        if is_withdrawn {
            overlay::end(&mut this.overlay, id, KillEnd::Withdrawn);
        }
        let name = this.name.clone();
        self.say(format!("{name} withdraws {id}: {is_withdrawn} ({decision:?})"));
        if let Some(answered) = self.answered.get_mut(id).filter(|_| is_withdrawn || is_ended) {
            answered.may_have_ended = true;
            answered.is_restored |= is_withdrawn;
        }
        self.ask_peers(node);
    }

    pub(super) fn edit(&mut self, node: usize) {
        let on = self.dice.percent(50);
        let put = Operation::PutFlag(FlagKey::new("edited").unwrap(), Box::new(flag(on)));
        let _ = self.commit(node, vec![put]);
    }
}
