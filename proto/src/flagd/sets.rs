//! Flag sets, by which flagd's clients select flags.

use serde_json::Value;

use crate::flag::Flag;
use crate::key::Tag;

/// The member of a flag's metadata that names its flag set.
pub const FLAG_SET: &str = "flagSetId";

/// Whether a flag belongs to the flag set: according to its metadata, or to its tags if the metadata names no set. The empty
/// name selects the flags that belong to no set.
pub fn belongs_to(flag: &Flag, set: &str) -> bool {
    is_among(set, of(flag))
}

/// The flag sets that a flag belongs to.
pub(super) fn of(flag: &Flag) -> impl Iterator<Item = &str> {
    let named = flag.metadata.get(FLAG_SET).and_then(Value::as_str);
    let tags = flag.tags.iter().map(Tag::as_str).filter(move |_| named.is_none());
    named.into_iter().chain(tags)
}

pub(super) fn is_among<'s>(set: &str, mut own: impl Iterator<Item = &'s str>) -> bool {
    if set.is_empty() { own.next().is_none() } else { own.any(|own| own == set) }
}
