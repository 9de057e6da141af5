//! Checked names. Values of these types are always well-formed: they can only be created by checking a text.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits;
use crate::revision::RevisionReference;
use crate::validation::ValidationErrors;
use crate::visible::is_hidden;

/// Letters and digits (Unicode) and `. _ - : /`, starting with a letter or digit; case is kept.
fn check_key(what: &str, text: &str) -> Result<(), ValidationErrors> {
    let length = text.chars().count();
    if length == 0 || length > limits::KEY_CHARACTERS {
        return Err(ValidationErrors::one(
            "",
            format!("{what} has {length} characters; it must have 1 to {}", limits::KEY_CHARACTERS),
        ));
    }
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/');
    if let Some(bad) = text.chars().find(|c| !inside(*c)) {
        return Err(ValidationErrors::one(
            "",
            format!("{what} {text:?} contains {bad:?}; letters, digits and . _ - : / are allowed"),
        ));
    }
    if !text.starts_with(char::is_alphanumeric) {
        return Err(ValidationErrors::one("", format!("{what} {text:?} must start with a letter or a digit")));
    }
    Ok(())
}

/// Anything that stands on one line and shows what it is: flagd's files name flags and variants `10%`, `new checkout` or `_beta`.
/// `.` and `..` mean something else in a URL.
fn check_free(what: &str, text: &str) -> Result<(), ValidationErrors> {
    let length = text.chars().count();
    if length == 0 || length > limits::KEY_CHARACTERS {
        return Err(ValidationErrors::one(
            "",
            format!("{what} has {length} characters; it must have 1 to {}", limits::KEY_CHARACTERS),
        ));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        return Err(ValidationErrors::one(
            "",
            format!("{what} {text:?} contains {hidden:?}, which cannot be seen; remove it"),
        ));
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(ValidationErrors::one("", format!("{what} {text:?} must neither start nor end with a space")));
    }
    if matches!(text, "." | "..") {
        return Err(ValidationErrors::one(
            "",
            format!("{what} cannot be {text:?}, which means something else in a URL"),
        ));
    }
    Ok(())
}

/// Lower-case letters, digits and `-`, starting with a letter or digit, at most 63: fit for a URL, a folder and a Redis hash tag.
fn check_environment(what: &str, text: &str) -> Result<(), ValidationErrors> {
    let fits = !text.is_empty()
        && text.len() <= limits::ENVIRONMENT_CHARACTERS
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if fits && text != "system" {
        return Ok(());
    }
    let problem = if text == "system" {
        "the name \"system\" is reserved for the log of keys and environments; choose another".to_owned()
    } else {
        format!(
            "{what} {text:?} must be 1 to {} lower-case letters, digits or -, not starting with -",
            limits::ENVIRONMENT_CHARACTERS
        )
    };
    Err(ValidationErrors::one("", problem))
}

/// Lower-case letters, digits and `-`, starting with a letter or digit, at most 63: it appears in a URL behind the environment's name and a dot.
fn check_trigger(what: &str, text: &str) -> Result<(), ValidationErrors> {
    let fits = !text.is_empty()
        && text.len() <= limits::ENVIRONMENT_CHARACTERS
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if fits {
        return Ok(());
    }
    let most = limits::ENVIRONMENT_CHARACTERS;
    let problem = format!("{what} {text:?} must be 1 to {most} lower-case letters, digits or -, not starting with -");
    Err(ValidationErrors::one("", problem))
}

/// A key that is neither `last-known-good` nor readable as a revision.
fn check_checkpoint(what: &str, text: &str) -> Result<(), ValidationErrors> {
    if text == LAST_KNOWN_GOOD {
        return Err(ValidationErrors::one(
            "",
            format!("the name {LAST_KNOWN_GOOD:?} is reserved for the newest known-good checkpoint; choose another"),
        ));
    }
    if RevisionReference::parse(text).is_some() {
        return Err(ValidationErrors::one(
            "",
            format!("{text:?} would be read as a revision; start the name of a checkpoint with a letter"),
        ));
    }
    check_key(what, text)
}

/// The name that refers to the newest known-good checkpoint.
pub const LAST_KNOWN_GOOD: &str = "last-known-good";

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text`.
            pub fn new(text: &str) -> Result<Self, ValidationErrors> {
                $check($what, text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = ValidationErrors;
            fn from_str(text: &str) -> Result<Self, ValidationErrors> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

checked_name!(
    /// The key of a flag: 1 to 255 characters, none of them a control character; neither `.` nor `..`, and no space at either end.
    FlagKey, "a flag key", check_free
);
checked_name!(
    /// The key of a segment: 1 to 255 letters, digits and `. _ - : /`, starting with a letter or digit.
    SegmentKey, "a segment key", check_key
);
checked_name!(
    /// The name of a variant; the same form as a [`FlagKey`].
    VariantName, "a variant name", check_free
);
checked_name!(
    /// The id of a rule, unique within its flag; the same form as a [`SegmentKey`].
    RuleId, "a rule id", check_key
);
checked_name!(
    /// A tag of a flag; the same form as a [`SegmentKey`].
    Tag, "a tag", check_key
);
checked_name!(
    /// The name of an environment: 1 to 63 lower-case letters, digits or `-`. `system` is reserved.
    EnvironmentKey, "an environment's name", check_environment
);
checked_name!(
    /// The name of a checkpoint; the same form as a [`SegmentKey`]. `last-known-good` is reserved.
    CheckpointName, "a checkpoint's name", check_checkpoint
);
checked_name!(
    /// The name of a release; the same form as a [`SegmentKey`].
    ReleaseName, "a release's name", check_key
);
checked_name!(
    /// The name of a trigger: 1 to 63 lower-case letters, digits or `-`.
    TriggerName, "a trigger's name", check_trigger
);
checked_name!(
    /// The name of a number that applications report; the same form as a [`SegmentKey`].
    NumberName, "a number's name", check_key
);
checked_name!(
    /// The name of a file set; the same form as a [`SegmentKey`].
    SetName, "a set's name", check_key
);

impl Default for SetName {
    /// The set of files that name none. It owns everything that no other set owns.
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}
