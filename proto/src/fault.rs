//! What is wrong with an input: every problem at once, each with the path of its field.

use std::fmt;

/// One problem: where it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    /// The field, as a path from the root of the input: `rules[2].serve.split[1].variant`. Empty for the input as a whole.
    pub path: String,
    /// What is wrong and what would be right, in one sentence for a person.
    pub problem: String,
}

impl Fault {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.path, self.problem)
        }
    }
}

/// At least one [`Fault`]; displays one per line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A single problem.
    pub fn one(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self(vec![Fault::new(path, problem)])
    }

    /// `Ok(value)` where nothing was found, else all that was found.
    pub fn check<T>(found: Vec<Fault>, value: T) -> Result<T, Self> {
        if found.is_empty() { Ok(value) } else { Err(Self(found)) }
    }

    /// All problems, in the order in which they were found.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// The same problems with `prefix` before each path: `flags.checkout` + `rules[0]` → `flags.checkout.rules[0]`.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        let place = |fault: Fault| {
            let path = match (prefix.is_empty(), fault.path.is_empty()) {
                (true, _) => fault.path,
                (false, true) => prefix.to_owned(),
                (false, false) if fault.path.starts_with('[') => format!("{prefix}{}", fault.path),
                (false, false) => format!("{prefix}.{}", fault.path),
            };
            Fault { path, problem: fault.problem }
        };
        Self(self.0.into_iter().map(place).collect())
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Faults {
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

impl std::error::Error for Faults {}
