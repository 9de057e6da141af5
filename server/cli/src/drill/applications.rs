//! The applications of a drill: real SDK clients in this process, and clients that never confirm.

mod straggler;

use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::scenario::{DrillFault, Scenario};
use ripcord_sdk::{Client, Reporting};
use serde_json::Value;

use self::straggler::Straggler;
use super::expected::{Expected, Side};
use super::harness::{Harness, Pace, Proxy};
use crate::exit::Failure;

/// How long an application may take to hear from its server.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often applications report their outcomes.
const OUTCOMES: Duration = Duration::from_millis(200);
/// Default number of applications.
const APPLICATIONS: u64 = 5;

#[derive(Debug)]
pub(super) struct Applications {
    clients: Vec<Client>,
    /// Proxies of single applications, which are slow or can be cut.
    own_proxys: Vec<Proxy>,
    losing: usize,
    stragglers: Vec<Straggler>,
}

/// The faults of applications.
#[derive(Debug, Clone, Copy, Default)]
struct Troubles {
    slow: usize,
    late: Duration,
    losing: usize,
    stragglers: usize,
}

impl Troubles {
    fn of(faults: &[DrillFault]) -> Self {
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let mut troubles = Self::default();
        for fault in faults {
            match fault {
                DrillFault::SlowReaders { count, delay_ms } => {
                    troubles.slow = number(*count);
                    troubles.late = Duration::from_millis(*delay_ms);
                }
                DrillFault::LostConnections { count, .. } => troubles.losing = number(*count),
                DrillFault::Straggler { count } => troubles.stragglers = number(*count),
                DrillFault::StoreAway { .. }
                | DrillFault::NodeKilled { .. }
                | DrillFault::FailingCheck { .. }
                | DrillFault::OneWayDoor { .. }
                | DrillFault::ConcurrentEdits { .. } => {}
            }
        }
        troubles
    }
}

impl Applications {
    /// The number of applications; the command line overrides the scenario.
    pub(super) fn number(scenario: &Scenario, told: Option<u64>) -> usize {
        let number = told.or(scenario.applications).unwrap_or(APPLICATIONS);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Connects them and waits until each has the flags.
    pub(super) async fn connect(harness: &Harness, key: &str, environment: &EnvironmentKey, number: usize, faults: &[DrillFault]) -> Result<Self, Failure> {
        let troubles = Troubles::of(faults);
        let mut applications = Self {
            clients: Vec::new(),
            own_proxys: Vec::new(),
            losing: troubles.losing.min(number),
            stragglers: Vec::new(),
        };
        harness.until_known(key, environment).await?;
        for index in 0..number {
            let address = applications.address(harness, index, troubles).await?;
            let client = Client::builder(&address, key)
                .environment(environment.as_str())
                .instance(&format!("drill-app-{}", index + 1))
                .reporting(Reporting::Every(OUTCOMES))
                .start();
            applications.clients.push(client.map_err(|error| unconnected(index, &error))?);
        }
        for (index, client) in applications.clients.iter().enumerate() {
            client.ready_within(PATIENCE).await.map_err(|error| unconnected(index, &error))?;
        }
        for index in 0..troubles.stragglers {
            if let Some(proxy) = harness.proxy_of(index) {
                let name = format!("drill-straggler-{}", index + 1);
                applications.stragglers.push(Straggler::connect(&proxy.url(), key, environment, name).await?);
            }
        }
        Ok(applications)
    }

    /// The first ones lose their connections and the next ones are slow; all others share their node's proxy.
    async fn address(&mut self, harness: &Harness, index: usize, troubles: Troubles) -> Result<String, Failure> {
        let nowhere = || Failure::Local("No node of the drill is running.".to_owned());
        let is_slow = (self.losing..self.losing + troubles.slow).contains(&index);
        let own = if index < self.losing {
            Some(Pace::Plain)
        } else {
            is_slow.then_some(Pace::Slow(troubles.late))
        };
        match own {
            None => Ok(harness.proxy_of(index).ok_or_else(nowhere)?.url()),
            Some(pace) => {
                let proxy = harness.own_proxy(index, pace).await?;
                let address = proxy.url();
                self.own_proxys.push(proxy);
                Ok(address)
            }
        }
    }

    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The number of applications, without clients that never confirm.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Names of the clients that never confirm.
    pub(super) fn stragglers(&self) -> impl Iterator<Item = &str> {
        self.stragglers.iter().map(Straggler::name)
    }

    /// Cuts the connections of the applications that should lose them. Returns their number.
    pub(super) fn lose_connections(&self) -> usize {
        let losing = self.own_proxys.iter().take(self.losing);
        losing.map(Proxy::cut).count()
    }

    /// Describes what is not known-good in the applications: every flag, every user, from one view each.
    pub(super) fn not_good(&self, expected: &Expected) -> Vec<String> {
        let mut wrong = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            let view = client.view();
            for (user, features) in expected.all() {
                let context = user.context();
                for (feature, pair) in features {
                    let served: Value = feature.ask(&view, &context).value();
                    if !matches!(pair.side(&served), Side::Good | Side::Either) {
                        wrong.push(format!("drill-app-{} serves {} = {served} instead of {}", index + 1, feature.key, pair.good()));
                    }
                }
            }
        }
        wrong
    }

    /// Closes all clients with a goodbye.
    pub(super) async fn close(&self) {
        let closing = self.clients.iter().map(Client::close);
        futures_util::future::join_all(closing).await;
    }
}

fn unconnected(index: usize, error: &dyn std::fmt::Display) -> Failure {
    Failure::Local(format!("Cannot connect application {} of the drill: {error}.", index + 1))
}
