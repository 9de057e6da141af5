//! Keys as text: `rc_<role>_<random>`. Shown once, when they are made; kept as SHA-256.

use actix_web::http::header::{self, HeaderMap};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use ripcord_proto::ValidationErrors;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Role;

use crate::secret::Secret;

/// Random letters and digits of a key: 190 bits.
const RANDOM: usize = 32;
/// Letters and digits of a key's id.
const ID: usize = 12;
/// Characters after `rc_admin_`, at least.
const ADMIN_CHARACTERS: usize = 32;
/// No key is longer; more is not looked at.
const LONGEST: usize = 256;

/// SHA-256 of a key, by which it is kept and found.
pub fn hash(key: &str) -> Digest {
    Digest::of([key.as_bytes()])
}

/// A new key of this role.
pub fn mint(role: Role) -> Secret {
    Secret::new(format!("rc_{role}_{}", random(RANDOM)))
}

/// A new key's id, which is no secret.
pub fn mint_id() -> String {
    format!("key_{}", random(ID))
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// The admin key that the environment variable `RIPCORD_ADMIN_KEY` gives.
pub fn admin(text: &str) -> Result<Secret, ValidationErrors> {
    let random = text.strip_prefix("rc_admin_").unwrap_or_default();
    let fits = random.len() >= ADMIN_CHARACTERS && text.len() <= LONGEST && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if fits {
        return Ok(Secret::new(text));
    }
    Err(ValidationErrors::one(
        "RIPCORD_ADMIN_KEY",
        format!("must be rc_admin_ and {ADMIN_CHARACTERS} or more letters, digits, _ or -; `openssl rand -hex 32` makes such"),
    ))
}

/// The key that a request carries: `Authorization: Bearer rc_…`, or `X-API-Key: rc_…`.
pub fn presented(headers: &HeaderMap) -> Result<&str, Box<Problem>> {
    let refuse = |detail: &str| Box::new(Problem::new(Code::Unauthenticated, detail));
    let bearer = headers.get(header::AUTHORIZATION);
    let text = match (bearer, headers.get("x-api-key")) {
        (Some(value), _) => value.to_str().ok().and_then(strip_bearer),
        (None, Some(value)) => value.to_str().ok(),
        (None, None) => {
            return Err(refuse(
                "Send a key as Authorization: Bearer rc_… or as X-API-Key; `ripcord keys create` makes one.",
            ));
        }
    };
    fit(text.unwrap_or_default())
}

/// What looks like a key.
pub fn fit(text: &str) -> Result<&str, Box<Problem>> {
    let text = text.trim();
    if text.starts_with("rc_") && text.len() <= LONGEST {
        return Ok(text);
    }
    let detail = "What was sent is no key: one looks like rc_sdk_ and 32 letters and digits, sent as Authorization: Bearer rc_… or as X-API-Key.";
    Err(Box::new(Problem::new(Code::Unauthenticated, detail)))
}

/// The key in the value of an `Authorization` header.
pub fn strip_bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest)
}
