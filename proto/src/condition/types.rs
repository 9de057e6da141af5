//! The types that tests ask for. A test of another type than the attribute's is false, silently, and within `not` it is true: so a
//! condition that mixes types is worth a warning.

use std::collections::BTreeMap;

use super::{AttributePath, Condition, Test};
use crate::validation::ValidationError;
use crate::value::Scalar;

/// The type that a test wants its attribute to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Text,
    Number,
    Boolean,
}

impl Wanted {
    const fn of(scalar: &Scalar) -> Self {
        match scalar {
            Scalar::String(_) => Self::Text,
            Scalar::Number(_) => Self::Number,
            Scalar::Boolean(_) => Self::Boolean,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
        }
    }
}

/// What the conditions of one flag or segment ask of each attribute, and where it was asked first.
#[derive(Debug, Default)]
pub(crate) struct WantedTypes(BTreeMap<String, (Wanted, String)>);

impl WantedTypes {
    /// Looks at a further condition, which stands at `path`; what is doubtful in it is added to `found`.
    pub(crate) fn visit(&mut self, condition: &Condition, path: &str, found: &mut Vec<ValidationError>) {
        match condition {
            Condition::All(items) | Condition::Any(items) => {
                let name = if matches!(condition, Condition::All(_)) { "all" } else { "any" };
                for (index, item) in items.iter().enumerate() {
                    self.visit(item, &format!("{path}.{name}[{index}]"), found);
                }
            }
            Condition::Not(inner) => self.visit(inner, &format!("{path}.not"), found),
            Condition::Segment(_) | Condition::JsonLogic(_) => {}
            Condition::Attribute { attribute, test } => self.test(attribute, test, path, found),
        }
    }

    fn test(&mut self, attribute: &AttributePath, test: &Test, path: &str, found: &mut Vec<ValidationError>) {
        let wanted = match test {
            Test::OneOf(values) => {
                if let Some(problem) = mixed(values) {
                    found.push(ValidationError::new(format!("{path}.one_of"), problem));
                    return;
                }
                values.first().map(Wanted::of)
            }
            Test::Equals(scalar) => Some(Wanted::of(scalar)),
            Test::Lt(_) | Test::Lte(_) | Test::Gt(_) | Test::Gte(_) => Some(Wanted::Number),
            Test::StartsWith(_)
            | Test::EndsWith(_)
            | Test::Matches(_)
            | Test::SemverEq(_)
            | Test::SemverLt(_)
            | Test::SemverLte(_)
            | Test::SemverGt(_)
            | Test::SemverGte(_)
            | Test::SemverIn(_)
            | Test::Before(_)
            | Test::After(_)
            | Test::InCidr(_) => Some(Wanted::Text),
            Test::Contains(_) | Test::Exists(_) => None,
        };
        let Some(wanted) = wanted else { return };
        let (first, place) = self.0.entry(attribute.to_string()).or_insert_with(|| (wanted, path.to_owned()));
        if *first != wanted {
            found.push(ValidationError::new(
                path,
                format!(
                    "wants {attribute:?} to be {}, and {place} wants it to be {}: an attribute of one type is never of the other",
                    wanted.name(),
                    first.name()
                ),
            ));
        }
    }
}

/// Texts and numbers in one list: in YAML most likely a text that lacks its quotes.
fn mixed(values: &[Scalar]) -> Option<String> {
    let number = values.iter().find(|value| matches!(value, Scalar::Number(_)))?;
    let text = values.iter().find(|value| matches!(value, Scalar::String(_)))?;
    let (Scalar::Number(number), Scalar::String(text)) = (number, text) else {
        return None;
    };
    Some(format!(
        "mixes the text {text:?} with the number {number}: a number never equals a text; put quotes around all of them, or around none"
    ))
}
