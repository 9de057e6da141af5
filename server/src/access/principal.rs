//! A principal: the identity behind a key, its role and its environments.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::Actor;
use ripcord_proto::change::KeyRecord;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::{Action, Role};

/// The id by which the key of `RIPCORD_ADMIN_KEY` goes.
pub const ADMIN: &str = "admin";

/// Who holds a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's id, or [`ADMIN`]. No secret.
    pub id: Arc<str>,
    /// The key's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where it may do it.
    pub environments: EnvironmentAccess,
}

/// Where a key is valid.
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

    /// As the log names him; `said` is the name that he gave for himself.
    pub fn actor(&self, said: Option<&str>) -> Actor {
        let name = match said {
            Some(said) => format!("{said} (via {})", self.name),
            None => self.name.clone(),
        };
        let key = (&*self.id != ADMIN).then(|| self.id.to_string());
        Actor { name, role: self.role, key }
    }

    /// Whether the role may do one of `actions`.
    pub fn check_any(&self, actions: &[Action]) -> Result<(), Box<Problem>> {
        if actions.iter().any(|action| self.role.may(*action)) {
            return Ok(());
        }
        let may: Vec<Role> = Role::ALL.into_iter().filter(|role| actions.iter().any(|action| role.may(*action))).collect();
        Err(forbidden(self.role, &may))
    }

    /// Whether the role may do all of `actions`.
    pub fn check_all(&self, actions: &[Action]) -> Result<(), Box<Problem>> {
        if actions.iter().all(|action| self.role.may(*action)) {
            return Ok(());
        }
        let may: Vec<Role> = Role::ALL.into_iter().filter(|role| actions.iter().all(|action| role.may(*action))).collect();
        Err(forbidden(self.role, &may))
    }

    /// Whether the key is valid in `environment`.
    pub fn check_environment(&self, environment: &EnvironmentKey) -> Result<(), Box<Problem>> {
        match &self.environments {
            EnvironmentAccess::All => Ok(()),
            EnvironmentAccess::Only(own) if own.contains(environment) => Ok(()),
            EnvironmentAccess::Only(own) => {
                let names: Vec<&str> = own.iter().map(EnvironmentKey::as_str).collect();
                let detail = format!("This key is not valid in environment {environment}; it is valid in {}.", names.join(", "));
                Err(Box::new(Problem::new(Code::Forbidden, detail).with("environments", names)))
            }
        }
    }
}

fn forbidden(role: Role, may: &[Role]) -> Box<Problem> {
    let names: Vec<&str> = may.iter().map(|role| role.as_str()).collect();
    let detail = format!("A key of role {role} may not do this; keys of these roles may: {}.", names.join(", "));
    Box::new(Problem::new(Code::Forbidden, detail).with("roles", names))
}
