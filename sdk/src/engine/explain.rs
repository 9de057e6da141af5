//! An evaluation told step by step, with what each condition saw. It decides by the same code as the evaluation proper: each
//! condition is compiled and asked for itself.

use ripcord_proto::condition as source;
use ripcord_proto::flag::Flag;
use ripcord_proto::key::{FlagKey, RuleId, VariantName};
use ripcord_proto::kill::KillId;
use ripcord_proto::revision::Revision;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::value::Value;

use super::compile::{Compiled, Slot};
use super::condition::Condition;
use super::context::{Attribute, Context};
use super::detail::{ErrorCode, Reason, Unheard};
use super::evaluate::{Limits, Scope};
use super::flag::{CompiledFlag, CompiledServe};
use super::path::Path;
use super::split::CompiledSplit;
use super::text::with_text;

/// An answer and the way to it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// The value; null = the caller's own default.
    pub value: Option<Value>,
    /// The variant; null = the caller's own default.
    pub variant: Option<VariantName>,
    /// Why.
    pub reason: Reason,
    /// What went wrong, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// The rule that served: its id, or `rules[n]` where it has none.
    pub rule: Option<String>,
    /// The revision that answered.
    pub revision: Revision,
    /// What was looked at, in order, up to what decided.
    pub steps: Vec<Step>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Whether a kill covers the flag.
    Kill {
        /// The kill that does.
        kill: Option<KillId>,
    },
    /// Whether the lease has run out.
    Lease {
        /// How long it is.
        seconds: u32,
        /// Whether it has.
        expired: bool,
    },
    /// Whether the flag is switched on.
    Enabled {
        /// Whether it is.
        enabled: bool,
    },
    /// The flag, or a segment that it is made of, cannot be read.
    Unreadable {
        /// Why.
        problem: String,
    },
    /// A required flag.
    Requirement {
        /// Which.
        flag: FlagKey,
        /// What it must serve.
        variant: VariantName,
        /// What it serves; null = nothing, or the caller's own default.
        serves: Option<VariantName>,
        /// Whether that is what is required.
        met: bool,
    },
    /// A rule.
    Rule {
        /// Its place, from 0.
        index: usize,
        /// Its id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RuleId>,
        /// What its condition saw; null = it always holds.
        when: Option<Box<Saw>>,
        /// Whether it serves; null where its condition cannot be told.
        matches: Option<bool>,
        /// How its split chose, where it has one and matches.
        #[serde(skip_serializing_if = "Option::is_none")]
        bucket: Option<Bucket>,
    },
    /// No rule served: the default variant.
    Default,
}

/// How a split chose.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Bucket {
    /// The bucketing attribute.
    pub by: String,
    /// Its value; null = missing, which serves the default variant.
    pub saw: serde_json::Value,
    /// What was hashed before it.
    pub salt: String,
    /// Where the value fell, from 0; null where it could not be bucketed.
    pub place: Option<u32>,
    /// The sum of all weights.
    pub of: u32,
}

/// What a condition saw.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Saw {
    /// The condition; of one that holds others, its kind alone.
    pub condition: serde_json::Value,
    /// Whether it holds; null where it cannot be told.
    pub holds: Option<bool>,
    /// The attribute's value; left out where the condition looks at none, null where it is missing.
    #[serde(rename = "saw", skip_serializing_if = "Option::is_none")]
    pub attribute: Option<serde_json::Value>,
    /// What the conditions within it saw.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Saw>,
}

impl Compiled {
    /// Evaluates a flag and tells how.
    pub fn explain(&self, key: &str, context: &Context<'_>, unheard: Unheard) -> Explanation {
        let evaluation = self.evaluate(key, context, unheard);
        let detail = evaluation.detail();
        let limits = Limits::full();
        let steps = self.slot(key).map(|slot| self.steps(slot, context, unheard, &limits)).unwrap_or_default();
        Explanation {
            value: detail.value.cloned(),
            variant: detail.variant.cloned(),
            reason: detail.reason,
            error: detail.reason.error_code(),
            rule: detail.rule.map(|rule| rule.to_string()),
            revision: self.position().revision,
            steps,
        }
    }

    fn steps(&self, slot: &Slot, context: &Context<'_>, unheard: Unheard, limits: &Limits) -> Vec<Step> {
        let compiled = &*slot.flag;
        let mut steps = vec![Step::Kill {
            kill: slot.kill.as_ref().map(|kill| kill.key().clone()),
        }];
        if slot.kill.is_some() {
            return steps;
        }
        let Ok(flag) = compiled.entry().value() else {
            steps.push(Step::Unreadable {
                problem: compiled.problem().unwrap_or_default().to_owned(),
            });
            return steps;
        };
        if let Some(lease) = flag.lease {
            let expired = unheard.reaches(lease.seconds);
            steps.push(Step::Lease {
                seconds: lease.seconds,
                expired,
            });
            if expired {
                return steps;
            }
        }
        steps.push(Step::Enabled { enabled: flag.enabled });
        if !flag.enabled {
            return steps;
        }
        if let Some(problem) = compiled.problem() {
            steps.push(Step::Unreadable { problem: problem.to_owned() });
            return steps;
        }
        let scope = Scope {
            compiled: self,
            context,
            flag: compiled,
            unheard,
            limits,
        };
        if requirements(flag, &scope, &mut steps) && rules(flag, compiled, &scope, &mut steps) {
            steps.push(Step::Default);
        }
        steps
    }
}

/// Whether all are met.
fn requirements(flag: &Flag, scope: &Scope<'_>, steps: &mut Vec<Step>) -> bool {
    for requirement in &flag.requires {
        let serves = scope.compiled.resolve(requirement.flag.as_str(), scope.context, scope.unheard).variant.cloned();
        let met = serves.as_ref() == Some(&requirement.variant);
        steps.push(Step::Requirement {
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

/// Whether none of them decided.
fn rules(flag: &Flag, compiled: &CompiledFlag, scope: &Scope<'_>, steps: &mut Vec<Step>) -> bool {
    for (index, rule) in flag.rules.iter().enumerate() {
        let when = rule.when.as_ref().map(|when| Box::new(see(when, scope)));
        let matches = when.as_ref().map_or(Some(true), |saw| saw.holds);
        let bucket = if matches == Some(true) {
            bucket_of(rule, index, compiled, scope.context)
        } else {
            None
        };
        steps.push(Step::Rule {
            index,
            id: rule.id.clone(),
            when,
            matches,
            bucket,
        });
        if matches != Some(false) {
            return false;
        }
    }
    true
}

fn bucket_of(rule: &Rule, index: usize, compiled: &CompiledFlag, context: &Context<'_>) -> Option<Bucket> {
    match (&rule.serve, &compiled.rules.get(index)?.serve) {
        (Serve::Split(_), CompiledServe::Split(split)) => Some(explain_split(split, context)),
        (Serve::Variant(_) | Serve::Split(_) | Serve::JsonLogic(_), _) => None,
    }
}

fn explain_split(split: &CompiledSplit, context: &Context<'_>) -> Bucket {
    let saw = split.by.find(context);
    Bucket {
        by: split.by_name().to_owned(),
        saw: json_of(saw),
        salt: split.salt().to_owned(),
        place: with_text(saw, |value| split.place(value)).flatten(),
        of: split.total(),
    }
}

fn see(condition: &source::Condition, scope: &Scope<'_>) -> Saw {
    let holds = Condition::new(condition, scope.compiled.interpreter())
        .ok()
        .and_then(|compiled| compiled.holds(scope).known());
    let kind = |name: &str| serde_json::Value::from(name);
    let whole = || serde_json::to_value(condition).unwrap_or_default();
    match condition {
        source::Condition::All(items) => Saw {
            condition: kind("all"),
            holds,
            attribute: None,
            within: items.iter().map(|item| see(item, scope)).collect(),
        },
        source::Condition::Any(items) => Saw {
            condition: kind("any"),
            holds,
            attribute: None,
            within: items.iter().map(|item| see(item, scope)).collect(),
        },
        source::Condition::Not(inner) => Saw {
            condition: kind("not"),
            holds,
            attribute: None,
            within: vec![see(inner, scope)],
        },
        source::Condition::Segment(key) => Saw {
            condition: whole(),
            holds,
            attribute: None,
            within: scope.inside_segment(key, see).into_iter().collect(),
        },
        source::Condition::JsonLogic(_) => Saw {
            condition: whole(),
            holds,
            attribute: None,
            within: Vec::new(),
        },
        source::Condition::Attribute { attribute: path, .. } => Saw {
            condition: whole(),
            holds,
            attribute: Some(json_of(Path::new(path).find(scope.context))),
            within: Vec::new(),
        },
    }
}

fn json_of(attribute: Attribute<'_>) -> serde_json::Value {
    serde_json::to_value(attribute).unwrap_or_default()
}
