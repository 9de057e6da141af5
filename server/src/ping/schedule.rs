//! Pings that an environment's policy schedules, sent by the leader of the environment.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::record::Records;

use super::{PingRequest, Pings, newest};
use crate::environment::EnvironmentTask;

/// How often a node that is not the leader, or cannot send, tries again.
const ASIDE: Duration = Duration::from_secs(5);

impl Pings {
    /// Sends the pings that policies schedule, until the server stops.
    pub fn start(&self) {
        let this = self.clone();
        self.environments.in_each("pings", move |place| this.clone().keep_sending(place));
    }

    async fn keep_sending(self, place: EnvironmentTask) {
        let EnvironmentTask { environment, mut states } = place;
        let clock = self.environments.clock();
        loop {
            let due = due(&states.borrow_and_update().records, clock.now());
            let wait = async {
                match due {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                changed = states.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
            let sent = match self.lease.hold(&environment).await {
                Some(token) => {
                    let order = PingRequest {
                        environment: environment.clone(),
                        author: self.lease.author(),
                        reason: Some("scheduled by the environment's policy".to_owned()),
                        call: None,
                        wait: super::PATIENCE,
                    };
                    self.send_with(order, vec![token.check()]).await.is_ok()
                }
                None => false,
            };
            if !sent {
                tokio::time::sleep(ASIDE).await;
            }
        }
    }
}

/// How long until the next ping; `None` if none is scheduled.
fn due(records: &Records, now: Timestamp) -> Option<Duration> {
    let every = Duration::from_secs(records.policy().ping_every_seconds?.max(1));
    let last = newest(records).map(|ping| ping.at);
    Some(last.map_or(Duration::ZERO, |last| {
        let since = Duration::try_from(now.duration_since(last)).unwrap_or_default();
        every.saturating_sub(since)
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ripcord_proto::Position;
    use ripcord_proto::policy::{Policy, SingletonKey};
    use ripcord_proto::table::Entry;

    use super::*;

    #[test]
    fn pings_are_due_as_the_policy_says_and_never_without_one() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let mut records = Records::default();
        assert_eq!(due(&records, now), None);
        let policy = Policy {
            ping_every_seconds: Some(60),
            ..Policy::default()
        };
        records.put(&Arc::new(Entry::new(SingletonKey, policy, Position::START).unwrap()).into());
        assert_eq!(due(&records, now), Some(Duration::ZERO), "none was ever sent");
    }
}
