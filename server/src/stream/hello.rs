//! The hello of a client: in the query and headers of its request, or in its first frame.

use actix_web::http::header::{HeaderMap, USER_AGENT};
use percent_encoding::percent_decode_str;
use rand::RngExt as _;
use ripcord_proto::frame::Hello;
use ripcord_proto::problem::Code;
use ripcord_proto::visible::check_name;
use ripcord_proto::{Position, ValidationErrors, limits};

use crate::http::ApiError;

/// The query parameters of a stream.
#[derive(Debug, Default)]
pub(super) struct StreamQuery {
    /// The requested environment.
    pub(super) environment: Option<String>,
    members: Vec<(String, String)>,
}

/// The hello in the query of an event stream; `None` if it is refused.
pub fn hello_of_query(query: &str) -> Option<Hello> {
    StreamQuery::parse(query).hello(&HeaderMap::new()).ok()
}

impl StreamQuery {
    pub(super) fn parse(query: &str) -> Self {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut members: Vec<_> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let environment = members.iter().position(|(name, _)| name == "environment").map(|at| members.swap_remove(at).1);
        Self { environment, members }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The hello of an event stream reader, with defaults filled in. A reader without an instance id gets a random one; it does not know
    /// that id, so it counts as not acknowledging.
    pub(super) fn hello(&self, headers: &HeaderMap) -> Result<Hello, ApiError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let own_id = self.get("instance_id");
        let instance_id = own_id.map_or_else(|| format!("{:032x}", rand::rng().random::<u128>()), str::to_owned);
        let position = match header("last-event-id").filter(|id| !id.is_empty()) {
            Some(id) => Some(parsed("Last-Event-ID", id)?),
            None => self.position()?,
        };
        let hello = Hello {
            sdk: self.get("sdk").or_else(|| header(USER_AGENT.as_str())).unwrap_or("unknown").to_owned(),
            instance: self.get("instance").unwrap_or("unnamed").to_owned(),
            instance_id,
            epoch: position.map(|position: Position| position.epoch),
            revision: position.map(|position| position.revision),
            hash: self.get("hash").map(|hash| parsed("hash", hash)).transpose()?,
            acknowledges: own_id.is_some() && self.get("acknowledges").map_or(Ok(true), |flag| parsed("acknowledges", flag))?,
        };
        check(&hello).map_err(|why| ApiError::new(Code::BadRequest, why))?;
        Ok(hello)
    }

    fn position(&self) -> Result<Option<Position>, ApiError> {
        match (self.get("epoch"), self.get("revision")) {
            (Some(epoch), Some(revision)) => Ok(Some(Position::new(parsed("epoch", epoch)?, parsed("revision", revision)?))),
            _ => Ok(None),
        }
    }
}

fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    let faults = |error: T::Err| ValidationErrors::one("", format!("{text:?}: {error}"));
    text.parse().map_err(|error| ApiError::bad_parameter(name, faults(error)))
}

/// Checks the names: people see them beside a kill, so nothing in them may be hidden.
pub(super) fn check(hello: &Hello) -> Result<(), String> {
    for (name, text) in [("sdk", &hello.sdk), ("instance", &hello.instance), ("instance_id", &hello.instance_id)] {
        if !text.is_empty() {
            check_name(text, limits::INSTANCE_CHARACTERS).map_err(|problem| format!("{name} {problem}"))?;
        }
    }
    if hello.instance_id.is_empty() {
        return Err("instance_id must be random and not empty".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
