//! The safe variants of imported flags. flagd has no such concept.

use std::str::FromStr;

use crate::flag::Flag;
use crate::key::{FlagKey, VariantName};
use crate::validation::ValidationErrors;

/// A choice of safe variants: `off` for every flag that has a variant `off`, `checkout=off` for one flag, `checkout=` for the
/// caller's own default.
///
/// Keys and variants of flagd may contain `=`. Which one is meant is decided by the flags that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeChoice(String);

impl SafeChoice {
    /// The variant that it names for this flag, if it is about this flag; the empty text is the caller's own default.
    fn of(&self, key: &FlagKey) -> Option<&str> {
        self.0.strip_prefix(key.as_str())?.strip_prefix('=')
    }
}

impl FromStr for SafeChoice {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        match text.split_once('=') {
            Some((flag, _)) => drop(flag.parse::<FlagKey>()?),
            None => drop(text.parse::<VariantName>()?),
        }
        Ok(Self(text.to_owned()))
    }
}

/// The safe variants of imported flags. The default is the flag's default variant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SafeVariants(Vec<SafeChoice>);

impl FromIterator<SafeChoice> for SafeVariants {
    /// Of two choices for one flag the later one wins. Of several choices for all flags, the first one that a flag has is used.
    fn from_iter<I: IntoIterator<Item = SafeChoice>>(choices: I) -> Self {
        Self(choices.into_iter().collect())
    }
}

impl SafeVariants {
    /// Sets the safe variant of a flag whose safe variant is its default variant.
    pub(super) fn choose(&self, key: &FlagKey, flag: &mut Flag) -> Result<(), ValidationErrors> {
        let named = |name: &str| flag.variants.names().find(|known| known.as_str() == name).cloned();
        match self.0.iter().rev().find_map(|choice| choice.of(key)) {
            Some("") => flag.safe = None,
            Some(variant) => {
                let Some(chosen) = named(variant) else {
                    let known: Vec<&str> = flag.variants.names().map(VariantName::as_str).collect();
                    return Err(ValidationErrors::one(
                        "",
                        format!("has no variant {variant:?} to use as the safe one; it has {}", known.join(", ")),
                    ));
                };
                flag.safe = Some(chosen);
            }
            None => {
                if let Some(chosen) = self.0.iter().find_map(|choice| named(&choice.0)) {
                    flag.safe = Some(chosen);
                }
            }
        }
        Ok(())
    }

    /// The flags that are named but not present, probably misspelled. `has_flag` tells of a key, `has_variant` of the name of a variant.
    pub(super) fn strangers(&self, has_flag: impl Fn(&str) -> bool, has_variant: impl Fn(&str) -> bool) -> Vec<&str> {
        let is_known = |text: &str| has_variant(text) || text.match_indices('=').any(|(at, _)| text.get(..at).is_some_and(&has_flag));
        let unknown = self
            .0
            .iter()
            .map(|choice| choice.0.as_str())
            .filter(|text| text.contains('=') && !is_known(text));
        unknown.filter_map(|text| text.split('=').next()).collect()
    }
}
