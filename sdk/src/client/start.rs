//! Starting a client: settings in, a background thread out.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::alarms::Alarms;
use super::cache::Cache;
use super::client::Client;
use super::options::{ClientBuilder, Reporting};
use super::outcomes;
use super::protocol::{Config, Protocol};
use super::shared::{Recording, Shared};
use super::start_error::StartError;
use super::status::Status;
use super::time_point::TimePoint;
use super::transport::http::Server;
use super::worker::{self, Parts};

impl Client {
    /// Settings of a client for the server at `address` (for example `http://127.0.0.1:8016`), with an `rc_sdk_…` key. Call
    /// [`ClientBuilder::start`] to start it.
    pub fn builder(address: &str, key: &str) -> ClientBuilder {
        ClientBuilder::new(address, key)
    }

    /// Starts a client with the settings in the environment variables, see [`ClientBuilder::from_env`].
    ///
    /// # Errors
    ///
    /// [`StartError::MissingKey`] if `RIPCORD_KEY` is not set, and the errors of [`ClientBuilder::start`].
    pub fn from_env() -> Result<Self, StartError> {
        ClientBuilder::from_env()?.start()
    }
}

impl ClientBuilder {
    /// Starts the client and returns at once. It connects on a thread of its own, with its own runtime. Evaluations answer from the
    /// first moment, as the [`StartPolicy`](crate::StartPolicy) says. A server that cannot be reached is not an error: the client
    /// keeps trying.
    ///
    /// # Errors
    ///
    /// If the address, the key, the environment or a certificate is malformed, or TLS or the thread cannot be set up.
    pub fn start(self) -> Result<Client, StartError> {
        let environment = self.environment_key()?;
        let server = Server::new(&self.address, &self.key, environment.clone(), &self.root_certificates)?;
        let instance_id = format!("{:032x}", rand::random::<u128>());
        let owner = environment.as_ref().map_or_else(
            || format!("{} key {}", server.base(), self.key),
            |environment| format!("{} environment {environment}", server.base()),
        );
        let cache = self.cache_dir.as_ref().map(|directory| Cache::new(directory, &owner, &instance_id));
        let now = TimePoint::now();
        let config = Config::new(&self, environment, instance_id.clone());
        let shared = Arc::new(Shared::new(Status::at_start(now.wall), Recording::new(self.reporting, self.observer)));
        let close = CancellationToken::new();
        let (alarms, alarm_requests) = Alarms::new();
        let parts = Parts {
            protocol: Protocol::new(config, rand::random(), now),
            shared: Arc::clone(&shared),
            server: server.clone(),
            transport: self.transport,
            start_policy: self.start_policy,
            cache,
            close: close.clone(),
        };
        let reporting = match self.reporting {
            Reporting::Off => None,
            Reporting::Every(period) => {
                let destination = outcomes::Destination { server, instance_id };
                let (counters, status) = (Arc::clone(shared.counters()), Arc::clone(shared.status()));
                Some(outcomes::run(counters, status, destination, period, close.clone()))
            }
        };
        worker::spawn(parts, reporting, alarm_requests)?;
        Ok(Client::connected(shared, close, alarms))
    }
}
