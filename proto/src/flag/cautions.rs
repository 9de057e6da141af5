//! What is valid and still cannot do what it was written for.

use super::Flag;
use crate::condition::WantedTypes;
use crate::flagd;
use crate::validation::ValidationError;

impl Flag {
    /// Rules that can never work, and tests that mix types, each with its path. The answers to writes and plans name them, and so does
    /// `ripcord lint`.
    pub fn cautions(&self) -> Vec<ValidationError> {
        let mut found = flagd::cautions_of(self);
        let mut types = WantedTypes::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(when) = &rule.when {
                types.visit(when, &format!("rules[{index}].when"), &mut found);
            }
        }
        found
    }
}
