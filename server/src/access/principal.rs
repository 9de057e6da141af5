//! A principal: the identity behind a key, its role and its environments.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::Actor;
use ripcord_proto::change::KeyRecord;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::{Action, Role};

/// The id of the key of `RIPCORD_ADMIN_KEY`.
pub const ADMIN: &str = "admin";

/// The identity behind a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's id, or `ADMIN`. No secret.
    pub id: Arc<str>,
    /// The key's name.
    pub name: String,
    pub role: Role,
    pub environments: EnvironmentAccess,
}

/// The environments in which a key is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentAccess {
    /// All, including those created later: an admin's.
    All,
    /// In these environments.
    Only(Arc<[EnvironmentKey]>),
}

impl EnvironmentAccess {
    /// Whether it covers `environment`.
    pub fn covers(&self, environment: &EnvironmentKey) -> bool {
        match self {
            Self::All => true,
            Self::Only(own) => own.contains(environment),
        }
    }
}

impl Principal {
    /// The principal of the key of `RIPCORD_ADMIN_KEY`.
    pub(super) fn admin() -> Self {
        Self {
            id: ADMIN.into(),
            name: ADMIN.to_owned(),
            role: Role::Admin,
            environments: EnvironmentAccess::All,
        }
    }

    /// The principal of a key in the system log.
    pub(super) fn of(record: &KeyRecord) -> Self {
        let environments = match record.role {
            Role::Admin => EnvironmentAccess::All,
            Role::Sdk | Role::Client | Role::Viewer | Role::Pipeline | Role::Oncall | Role::Editor => {
                EnvironmentAccess::Only(record.environments.as_slice().into())
            }
        };
        Self {
            id: record.id.as_str().into(),
            name: record.name.clone(),
            role: record.role,
            environments,
        }
    }

    /// As the log names the caller; `said` is the name that the caller gave.
    pub fn actor(&self, said: Option<&str>) -> Actor {
        let name = match said {
            Some(said) => format!("{said} (via {})", self.name),
            None => self.name.clone(),
        };
        let key = (&*self.id != ADMIN).then(|| self.id.to_string());
        Actor { name, role: self.role, key }
    }

    /// The environment of a key that is valid in exactly one.
    ///
    /// # Errors
    /// The key is valid in several, so that the caller must name one.
    pub fn only_environment(&self) -> Result<&EnvironmentKey, Box<Problem>> {
        let detail = "This key is valid in several environments. Name one with ?environment=production (flagd clients: selector source=production).";
        let problem = Problem::new(Code::BadRequest, detail);
        match &self.environments {
            EnvironmentAccess::Only(own) => match &**own {
                [only] => Ok(only),
                several => {
                    let names: Vec<&str> = several.iter().map(EnvironmentKey::as_str).collect();
                    Err(Box::new(problem.with("environments", names)))
                }
            },
            EnvironmentAccess::All => Err(Box::new(problem)),
        }
    }

    /// Checks that the role may do at least one of `actions`.
    pub fn check_any(&self, actions: &[Action]) -> Result<(), Box<Problem>> {
        if actions.iter().any(|action| self.role.may(*action)) {
            return Ok(());
        }
        let may: Vec<Role> = Role::ALL.into_iter().filter(|role| actions.iter().any(|action| role.may(*action))).collect();
        Err(self.forbidden(&may))
    }

    /// Checks that the role may do all of `actions`.
    pub fn check_all(&self, actions: &[Action]) -> Result<(), Box<Problem>> {
        if actions.iter().all(|action| self.role.may(*action)) {
            return Ok(());
        }
        let may: Vec<Role> = Role::ALL.into_iter().filter(|role| actions.iter().all(|action| role.may(*action))).collect();
        Err(self.forbidden(&may))
    }

    /// Checks that the key is valid in `environment`.
    pub fn check_environment(&self, environment: &EnvironmentKey) -> Result<(), Box<Problem>> {
        match &self.environments {
            EnvironmentAccess::All => Ok(()),
            EnvironmentAccess::Only(own) if own.contains(environment) => Ok(()),
            EnvironmentAccess::Only(own) => {
                let names: Vec<&str> = own.iter().map(EnvironmentKey::as_str).collect();
                let detail = format!("This key is not valid in environment {environment}, only in {}.", names.join(", "));
                Err(Box::new(Problem::new(Code::Forbidden, detail).with("environments", names)))
            }
        }
    }

    /// The refusal names the key and its role, and the roles that may.
    fn forbidden(&self, may: &[Role]) -> Box<Problem> {
        let names: Vec<&str> = may.iter().map(|role| role.as_str()).collect();
        let detail = format!("The role {} is not allowed to do this. Allowed roles: {}.", self.role, names.join(", "));
        let problem = Problem::new(Code::Forbidden, detail).with("roles", names);
        Box::new(problem.with("role", self.role.as_str()).with("key_name", self.name.as_str()))
    }
}
