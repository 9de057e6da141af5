//! Validation errors: all problems of an input at once, each with the path of its field.

use std::fmt;

/// A problem with an input: its field, and how to correct it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ValidationError {
    /// The field, as a path from the root of the input: `rules[2].serve.split[1].variant`. Empty for the input as a whole.
    pub path: String,
    /// What is wrong and how to correct it, in one sentence for a person.
    pub problem: String,
}

impl ValidationError {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl ValidationError {
    /// The same problem with `prefix` before its path: `flags.checkout` + `rules[0]` → `flags.checkout.rules[0]`.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        let path = match (prefix.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (false, true) => prefix.to_owned(),
            (false, false) if self.path.starts_with('[') => format!("{prefix}{}", self.path),
            (false, false) => format!("{prefix}.{}", self.path),
        };
        Self { path, problem: self.problem }
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.path, self.problem)
        }
    }
}

/// At least one [`ValidationError`]; displays one per line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ValidationErrors(Vec<ValidationError>);

impl ValidationErrors {
    /// A single problem.
    pub fn one(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self(vec![ValidationError::new(path, problem)])
    }

    /// `Ok(value)` if `found` is empty, else all problems in it.
    pub fn check<T>(found: Vec<ValidationError>, value: T) -> Result<T, Self> {
        if found.is_empty() { Ok(value) } else { Err(Self(found)) }
    }

    /// All problems, in the order in which they were found.
    pub fn all(&self) -> &[ValidationError] {
        &self.0
    }

    /// The same problems with `prefix` before each path: `flags.checkout` + `rules[0]` → `flags.checkout.rules[0]`.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        Self(self.0.into_iter().map(|fault| fault.under(prefix)).collect())
    }
}

impl IntoIterator for ValidationErrors {
    type Item = ValidationError;
    type IntoIter = std::vec::IntoIter<ValidationError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ValidationErrors {}
