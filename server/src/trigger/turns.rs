//! Whose turn it is: of all deliveries of one incident that come to this node at once, one is taken further and the others are repeats.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::trigger::HookName;

/// Incidents that are being dealt with, at most.
const MOST: usize = 10_000;

type Incidents = Arc<Mutex<BTreeSet<(HookName, String)>>>;

/// The incidents that are being dealt with here.
#[derive(Debug, Default)]
pub(super) struct Turns {
    incidents: Incidents,
}

/// The right to deal with an incident; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    incidents: Incidents,
    incident: (HookName, String),
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// It is being dealt with.
    UnderWay,
    /// Too many others are.
    Full,
}

impl Turns {
    /// The turn to deal with the incident of a group.
    pub(super) fn take(&self, hook: HookName, group: &str) -> Result<Turn, NoTurn> {
        let mut incidents = self.incidents.lock();
        let incident = (hook, group.to_owned());
        if incidents.contains(&incident) {
            return Err(NoTurn::UnderWay);
        }
        if incidents.len() >= MOST {
            return Err(NoTurn::Full);
        }
        incidents.insert(incident.clone());
        Ok(Turn {
            incidents: Arc::clone(&self.incidents),
            incident,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.incidents.lock().remove(&self.incident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_dealt_with_once_at_a_time() {
        let turns = Turns::default();
        let hook = || "production.error-rate".parse::<HookName>().unwrap();
        let turn = turns.take(hook(), "g").unwrap();
        assert_eq!(turns.take(hook(), "g").unwrap_err(), NoTurn::UnderWay);
        let other = turns.take(hook(), "h").unwrap();
        drop(turn);
        drop(turns.take(hook(), "g").unwrap());
        drop(other);
    }
}
