//! The safe variant of an imported flag, which flagd does not have.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::flag::Flag;
use crate::key::{FlagKey, VariantName};
use crate::validation::ValidationErrors;

/// One choice: `off` for every flag that has a variant `off`, `checkout=off` for one flag, `checkout=` for the
/// caller's own default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeChoice {
    flag: Option<FlagKey>,
    variant: Option<VariantName>,
}

impl FromStr for SafeChoice {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let (flag, variant) = text.split_once('=').map_or((None, text), |(flag, variant)| (Some(flag), variant));
        let own_default = flag.is_some() && variant.is_empty();
        Ok(Self {
            flag: flag.map(str::parse).transpose()?,
            variant: if own_default { None } else { Some(variant.parse()?) },
        })
    }
}

/// The choices of safe variants for imported flags. Without a choice, the default variant is the safe one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SafeVariants {
    everywhere: Vec<VariantName>,
    of: BTreeMap<FlagKey, Option<VariantName>>,
}

impl FromIterator<SafeChoice> for SafeVariants {
    /// If there are several choices for one flag, the last one counts; of the choices for all flags, the first one that the flag has.
    fn from_iter<I: IntoIterator<Item = SafeChoice>>(choices: I) -> Self {
        let mut safe = Self::default();
        for choice in choices {
            match (choice.flag, choice.variant) {
                (Some(flag), variant) => {
                    safe.of.insert(flag, variant);
                }
                (None, Some(variant)) => safe.everywhere.push(variant),
                (None, None) => {}
            }
        }
        safe
    }
}

impl SafeVariants {
    /// Sets the safe variant of a flag.
    pub(super) fn choose(&self, key: &FlagKey, flag: &mut Flag) -> Result<(), ValidationErrors> {
        match self.of.get(key) {
            Some(Some(variant)) if flag.variants.get(variant.as_str()).is_none() => {
                let known: Vec<&str> = flag.variants.names().map(VariantName::as_str).collect();
                return Err(ValidationErrors::one(
                    "",
                    format!("has no variant \"{variant}\" to use as the safe one; it has {}", known.join(", ")),
                ));
            }
            Some(chosen) => flag.safe.clone_from(chosen),
            None => {
                if let Some(variant) = self.everywhere.iter().find(|variant| flag.variants.get(variant.as_str()).is_some()) {
                    flag.safe = Some(variant.clone());
                }
            }
        }
        Ok(())
    }

    /// The named flags that are not among `present`, probably mistyped.
    pub(super) fn strangers<'s>(&'s self, mut present: impl FnMut(&FlagKey) -> bool + 's) -> impl Iterator<Item = &'s FlagKey> {
        self.of.keys().filter(move |key| !present(key))
    }
}
