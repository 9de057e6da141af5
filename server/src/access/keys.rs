//! Keys as text: `rc_<role>_<random>`. Shown once, when they are made; kept as SHA-256.

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use ripcord_proto::ValidationErrors;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Role;

pub use crate::http::credentials::strip_bearer;
use crate::secret::Secret;

/// Random letters and digits of a key: 190 bits.
const RANDOM: usize = 32;
/// Letters and digits of a key's id.
const ID: usize = 12;
/// Characters after `rc_admin_`, at least.
const ADMIN_CHARACTERS: usize = 32;
/// The longest possible key; anything longer is rejected.
const LONGEST: usize = 256;

/// The SHA-256 of a key, under which it is stored and looked up.
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
        format!("must be rc_admin_ and {ADMIN_CHARACTERS} or more letters, digits, _ or -; generate them with `openssl rand -hex 32`"),
    ))
}

/// The key of a caller, checked for its form; `None` if the caller sent none.
pub fn presented(text: Option<&str>) -> Result<&str, Box<Problem>> {
    let missing = || {
        let detail = "No key was sent. Send one as Authorization: Bearer rc_… or X-API-Key; an admin creates it with `ripcord keys create`.";
        Box::new(Problem::new(Code::Unauthenticated, detail).with("key", "missing"))
    };
    fit(text.ok_or_else(missing)?)
}

/// Text in the form of a key.
pub fn fit(text: &str) -> Result<&str, Box<Problem>> {
    let text = text.trim();
    if text.starts_with("rc_") && text.len() <= LONGEST {
        return Ok(text);
    }
    let detail = "Malformed key; expected rc_<role>_ and 32 letters and digits, sent as Authorization: Bearer rc_… or X-API-Key.";
    Err(Box::new(Problem::new(Code::Unauthenticated, detail).with("key", "malformed")))
}
