//! Who may have flags evaluated: asked with what a request carries, whatever protocol it came by.

use ripcord_proto::actor::Origin;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::{EnvironmentKey, Faults};
use subtle::ConstantTimeEq as _;

use super::permit::Evaluate;
use super::{Access, Holder, Permit, Reach, keys};
use crate::commit::Author;
use crate::http::Refusal;

/// What separates the digests of tokens from those of anything else.
const EVENTS: &[u8] = b"ripcord ofrep events";

impl Access {
    /// Permits evaluation to the holder of the key `presented`: at the environment that was asked for, else at the key's only one.
    pub fn evaluator(&self, presented: &str, asked: Option<&str>) -> Result<Permit<Evaluate>, Refusal> {
        let holder = Self::told(keys::fit(presented).and_then(|key| self.holder_of(key)))?;
        let environment = environment_of(&holder, asked)?;
        let author = Author {
            actor: holder.actor(None),
            origin: Origin {
                node: self.node().to_owned(),
                address: None,
                request: None,
            },
        };
        self.permit(&holder, author, &environment)
    }

    /// What lets a browser listen to changes of the permitted environment, and nothing else: it goes where no header can be sent.
    pub fn events_token(&self, permit: &Permit<Evaluate>) -> Option<Digest> {
        self.token(&permit.holder().id, permit.environment().as_str())
    }

    /// Whether `token` was made by [`Self::events_token`] for the key of this id, and the key is still valid.
    pub fn knows_events_token(&self, key: &str, environment: &str, token: &Digest) -> bool {
        self.token(key, environment).is_some_and(|own| bool::from(own.bytes().ct_eq(token.bytes())))
    }

    fn token(&self, key: &str, environment: &str) -> Option<Digest> {
        let secret = if key == super::holder::ADMIN {
            self.inner.admin?
        } else {
            self.environments().system().keys.get(key)?.hash
        };
        Some(Digest::of([EVENTS, secret.bytes().as_slice(), environment.as_bytes()]))
    }
}

fn environment_of(holder: &Holder, asked: Option<&str>) -> Result<EnvironmentKey, Refusal> {
    if let Some(asked) = asked {
        let missing = |faults: Faults| Refusal::new(Code::EnvironmentNotFound, format!("There is no such environment: {faults}."));
        return EnvironmentKey::new(asked).map_err(missing);
    }
    match &holder.reach {
        Reach::Only(own) if own.len() == 1 => own.first().cloned().ok_or_else(unnamed),
        Reach::Only(_) | Reach::Everywhere => Err(unnamed()),
    }
}

fn unnamed() -> Refusal {
    Refusal::new(
        Code::BadRequest,
        "This key is valid in more than one environment; name one as ?environment=production, or by the selector source=production.",
    )
}
