//! An evaluation, step by step, with what each condition saw. It decides by the same code as the evaluation itself: each condition is
//! compiled and evaluated on its own.

use ripcord_proto::condition as source;
use ripcord_proto::flag::Flag;
use ripcord_proto::key::{FlagKey, RuleId, VariantName};
use ripcord_proto::kill::KillId;
use ripcord_proto::revision::Revision;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::value::Value;

use super::budget::Budget;
use super::compile::Compiled;
use super::condition::Condition;
use super::context::{Attribute, Context};
use super::different_types::DifferentTypes;
use super::flag::{CompiledFlag, CompiledServe};
use super::flag_table::Slot;
use super::path::Path;
use super::reason::{ErrorCode, Reason};
use super::scalar_text::with_text;
use super::scope::Scope;
use super::since_contact::SinceContact;
use super::split::CompiledSplit;

/// What a flag serves, and how that was decided.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The value; null means the caller's default.
    pub value: Option<Value>,
    /// The variant; null means the caller's default.
    pub variant: Option<VariantName>,
    /// Why it is served.
    pub reason: Reason,
    /// The error, if the flag could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// The rule that served: its id, or `rules[n]` if it has none.
    pub rule: Option<String>,
    /// The revision that was evaluated.
    pub revision: Revision,
    /// What was checked, in order, up to what decided.
    pub steps: Vec<ExplanationStep>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExplanationStep {
    /// Whether a kill covers the flag.
    Kill {
        /// The kill, if there is one.
        kill: Option<KillId>,
    },
    /// Whether the lease has expired.
    Lease {
        /// The length of the lease.
        seconds: u32,
        /// Whether it has expired.
        expired: bool,
    },
    /// Whether the flag is enabled.
    Enabled {
        /// Whether it is.
        enabled: bool,
    },
    /// The flag or one of its segments cannot be read or compiled.
    Unreadable {
        /// What is wrong.
        problem: String,
    },
    /// A prerequisite.
    Requirement {
        /// The required flag.
        flag: FlagKey,
        /// The variant that it must serve.
        variant: VariantName,
        /// The variant that it serves; null if there is no such flag, or it leaves the value to the caller's default.
        serves: Option<VariantName>,
        /// Whether the two are the same.
        met: bool,
    },
    /// A rule.
    Rule {
        /// Its position among the flag's rules, from 0.
        index: usize,
        /// Its id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RuleId>,
        /// What its condition saw; null if it has no condition.
        when: Option<Box<ConditionTrace>>,
        /// Whether it serves; null if its condition could not be evaluated.
        matches: Option<bool>,
        /// How its split chose, if the rule matches and has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        bucket: Option<SplitTrace>,
    },
    /// No rule matched: the default variant.
    Default,
}

/// How a split chose.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct SplitTrace {
    /// The bucketing attribute.
    pub by: String,
    /// Its value; null if it is missing, which serves the default variant.
    pub saw: serde_json::Value,
    /// The text that is hashed before the value.
    pub salt: String,
    /// The position of the value, from 0; null if it could not be bucketed.
    pub place: Option<u32>,
    /// The sum of all weights.
    pub of: u32,
}

/// What a condition saw.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ConditionTrace {
    /// The condition; for one that contains others, only its kind.
    pub condition: serde_json::Value,
    /// Whether it holds; null if it could not be evaluated.
    pub holds: Option<bool>,
    /// The attribute's value, null if it is missing. Left out if the condition tests no attribute.
    #[serde(rename = "saw", skip_serializing_if = "Option::is_none")]
    pub attribute: Option<serde_json::Value>,
    /// The types, if the test is false because the attribute is of another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types_differ: Option<DifferentTypes>,
    /// Why it could not be evaluated, if a JSONLogic rule would go beyond its budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the conditions inside it saw.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<ConditionTrace>,
}

impl Compiled {
    /// Evaluates a flag and explains the result.
    pub fn explain(&self, key: &str, context: &Context<'_>, since_contact: SinceContact) -> Explanation {
        let evaluation = self.evaluate(key, context, since_contact);
        let context = &self.in_context(context);
        let budget = Budget::full();
        let steps = self.slot(key).map(|slot| self.steps(slot, context, since_contact, &budget)).unwrap_or_default();
        Explanation {
            value: evaluation.value().cloned(),
            variant: evaluation.variant().cloned(),
            reason: evaluation.reason(),
            error: evaluation.reason().error_code(),
            rule: evaluation.rule().map(|rule| rule.to_string()),
            revision: self.position().revision,
            steps,
        }
    }

    fn steps(&self, slot: &Slot, context: &Context<'_>, since_contact: SinceContact, budget: &Budget) -> Vec<ExplanationStep> {
        let compiled = &*slot.flag;
        let mut steps = vec![ExplanationStep::Kill {
            kill: slot.kill.as_ref().map(|kill| kill.key().clone()),
        }];
        if slot.kill.is_some() {
            return steps;
        }
        let Ok(flag) = compiled.entry().value() else {
            steps.push(ExplanationStep::Unreadable {
                problem: compiled.issue().unwrap_or_default().to_owned(),
            });
            return steps;
        };
        if let Some(lease) = flag.lease {
            let expired = since_contact.reaches(lease.seconds);
            steps.push(ExplanationStep::Lease {
                seconds: lease.seconds,
                expired,
            });
            if expired {
                return steps;
            }
        }
        steps.push(ExplanationStep::Enabled { enabled: flag.enabled });
        if !flag.enabled {
            return steps;
        }
        if let Some(issue) = compiled.issue() {
            steps.push(ExplanationStep::Unreadable { problem: issue.to_owned() });
            return steps;
        }
        let scope = Scope {
            compiled: self,
            context,
            flag: compiled,
            since_contact,
            budget,
        };
        if requirements(flag, &scope, &mut steps) && rules(flag, compiled, &scope, &mut steps) {
            steps.push(ExplanationStep::Default);
        }
        steps
    }
}

/// Whether all prerequisites are met.
fn requirements(flag: &Flag, scope: &Scope<'_>, steps: &mut Vec<ExplanationStep>) -> bool {
    for requirement in &flag.requires {
        let serves = scope
            .compiled
            .evaluate(requirement.flag.as_str(), scope.context, scope.since_contact)
            .variant()
            .cloned();
        let met = serves.as_ref() == Some(&requirement.variant);
        steps.push(ExplanationStep::Requirement {
            flag: requirement.flag.clone(),
            variant: requirement.variant.clone(),
            serves,
            met,
        });
        if !met {
            return false;
        }
    }
    true
}

/// Whether no rule decided.
fn rules(flag: &Flag, compiled: &CompiledFlag, scope: &Scope<'_>, steps: &mut Vec<ExplanationStep>) -> bool {
    for (index, rule) in flag.rules.iter().enumerate() {
        let when = rule.when.as_ref().map(|when| Box::new(trace(when, scope)));
        let matches = when.as_ref().map_or(Some(true), |trace| trace.holds);
        let bucket = if matches == Some(true) {
            bucket_of(rule, index, compiled, scope.context)
        } else {
            None
        };
        steps.push(ExplanationStep::Rule {
            index,
            id: rule.id.clone(),
            when,
            matches,
            bucket,
        });
        if let (Some(true), Some(CompiledServe::JsonLogic(program))) = (matches, compiled.rules.get(index).map(|rule| &rule.serve))
            && let Some(problem) = program.excess(scope.context)
        {
            steps.push(ExplanationStep::Unreadable { problem });
        }
        if matches != Some(false) {
            return false;
        }
    }
    true
}

fn bucket_of(rule: &Rule, index: usize, compiled: &CompiledFlag, context: &Context<'_>) -> Option<SplitTrace> {
    match (&rule.serve, &compiled.rules.get(index)?.serve) {
        (Serve::Split(_), CompiledServe::Split(split)) => Some(explain_split(split, context)),
        (Serve::Variant(_) | Serve::Split(_) | Serve::JsonLogic(_), _) => None,
    }
}

fn explain_split(split: &CompiledSplit, context: &Context<'_>) -> SplitTrace {
    let saw = split.by.find(context);
    SplitTrace {
        by: split.by_name().to_owned(),
        saw: json_of(saw),
        salt: split.salt().to_owned(),
        place: with_text(saw, |value| split.position(value)).flatten(),
        of: split.total(),
    }
}

fn trace(condition: &source::Condition, scope: &Scope<'_>) -> ConditionTrace {
    let compiled = Condition::new(condition, scope.compiled.interpreter()).ok();
    let holds = compiled.as_ref().and_then(|compiled| compiled.holds(scope).known());
    let problem = if let Some(Condition::JsonLogic(program)) = &compiled {
        program.excess(scope.context)
    } else {
        None
    };
    let kind = |name: &str| serde_json::Value::from(name);
    let whole = || serde_json::to_value(condition).unwrap_or_default();
    let traced = |condition, within| ConditionTrace {
        condition,
        holds,
        attribute: None,
        types_differ: None,
        problem: None,
        within,
    };
    match condition {
        source::Condition::All(items) => traced(kind("all"), items.iter().map(|item| trace(item, scope)).collect()),
        source::Condition::Any(items) => traced(kind("any"), items.iter().map(|item| trace(item, scope)).collect()),
        source::Condition::Not(inner) => traced(kind("not"), vec![trace(inner, scope)]),
        source::Condition::Segment(key) => traced(whole(), scope.visit_segment(key, trace).into_iter().collect()),
        source::Condition::JsonLogic(_) => ConditionTrace {
            problem,
            ..traced(whole(), Vec::new())
        },
        source::Condition::Attribute { attribute: path, test } => {
            let attribute = Path::new(path).find(scope.context);
            ConditionTrace {
                attribute: Some(json_of(attribute)),
                types_differ: DifferentTypes::of(test, attribute).filter(|_| holds == Some(false)),
                ..traced(whole(), Vec::new())
            }
        }
    }
}

fn json_of(attribute: Attribute<'_>) -> serde_json::Value {
    serde_json::to_value(attribute).unwrap_or_default()
}
