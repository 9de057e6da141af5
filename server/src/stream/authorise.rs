//! Who may stream: asked once for each connection or request, answered elsewhere.

use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::{Action, Role};
use ripcord_proto::{EnvironmentKey, Faults};

/// Tells whose key a request carries.
pub trait Authorise: Send + Sync + 'static {
    /// What the key in these headers grants. A key that is revoked later is passed to [`Streams::revoke`], **after** this
    /// method no longer accepts it.
    ///
    /// [`Streams::revoke`]: super::Streams::revoke
    fn authorise(&self, headers: &HeaderMap) -> Result<Grant, Box<Problem>>;
}

/// What a key grants.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The key's id, which is no secret.
    pub key_id: Arc<str>,
    /// Where it is valid.
    pub environments: Environments,
    /// What it may do there.
    pub role: Role,
}

/// The environments of a key.
#[derive(Debug, Clone)]
pub enum Environments {
    /// All, also those made later: an admin's.
    All,
    /// These.
    Only(Arc<[EnvironmentKey]>),
}

impl Grant {
    /// The environment to stream: the one that was asked for where the key covers it, else the key's only one.
    ///
    /// # Errors
    /// The role may not stream, the environment is not the key's, or it was not named where that is needed.
    pub(super) fn environment(&self, asked: Option<&str>) -> Result<EnvironmentKey, Box<Problem>> {
        if !self.role.may(Action::Stream) {
            return Err(Box::new(self.role_refused()));
        }
        let asked = asked.map(EnvironmentKey::new).transpose().map_err(|faults| bad_environment(&faults))?;
        match (&self.environments, asked) {
            (Environments::All, Some(asked)) => Ok(asked),
            (Environments::Only(own), Some(asked)) if own.contains(&asked) => Ok(asked),
            (Environments::Only(_), Some(asked)) => Err(Box::new(Problem::new(
                Code::Forbidden,
                format!("the key is not valid in environment {asked}; use a key of that environment"),
            ))),
            (Environments::Only(own), None) if own.len() == 1 => own.first().cloned().ok_or_else(|| Box::new(unnamed())),
            (Environments::All | Environments::Only(_), None) => Err(Box::new(unnamed())),
        }
    }

    fn role_refused(&self) -> Problem {
        let roles: Vec<_> = Action::Stream.roles().map(Role::as_str).collect();
        let detail = format!("a {} key may not stream; the roles that may are {}", self.role, roles.join(", "));
        Problem::new(Code::Forbidden, detail).with("roles", roles)
    }
}

fn unnamed() -> Problem {
    Problem::new(
        Code::BadRequest,
        "the key is valid in more than one environment; name one, for example ?environment=production",
    )
}

fn bad_environment(faults: &Faults) -> Box<Problem> {
    Box::new(Problem::new(Code::BadRequest, format!("environment: {faults}")))
}
