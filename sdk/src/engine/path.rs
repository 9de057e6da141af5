//! Paths into a context, parsed once.

use ripcord_proto::condition::AttributePath;
use serde_json::Value;

use super::context::{Attribute, Context, TARGETING_KEY};
use super::short_str::ShortStr;

/// A path, ready to be looked up.
#[derive(Debug)]
pub(super) enum Path {
    /// The targeting key.
    TargetingKey,
    /// A name without dots.
    Plain(ShortStr),
    /// A name with dots: a path into a nested attribute, or the name of a flat one.
    Dotted { whole: ShortStr, steps: Box<[ShortStr]> },
}

impl Path {
    pub(super) fn new(path: &AttributePath) -> Self {
        let text = path.as_str();
        if text == TARGETING_KEY {
            return Self::TargetingKey;
        }
        if !text.contains('.') {
            return Self::Plain(ShortStr::new(text));
        }
        Self::Dotted {
            whole: ShortStr::new(text),
            steps: text.split('.').map(ShortStr::new).collect(),
        }
    }

    /// The attribute at this path; `Null` if there is none. A nested attribute comes before a flat one, as for JSONLogic's `var`.
    #[inline]
    pub(super) fn find<'a>(&self, context: &Context<'a>) -> Attribute<'a> {
        match self {
            Self::TargetingKey => context.targeting_attribute(),
            Self::Plain(name) => context.get(name),
            Self::Dotted { whole, steps } => {
                if context.is_nested() {
                    let nested = descend(context, steps);
                    if nested != Attribute::Null {
                        return nested;
                    }
                }
                context.get(whole)
            }
        }
    }
}

fn descend<'a>(context: &Context<'a>, steps: &[ShortStr]) -> Attribute<'a> {
    let Some((first, rest)) = steps.split_first() else {
        return Attribute::Null;
    };
    match (context.get(first), rest) {
        (Attribute::Json(json), _) => rest
            .iter()
            .try_fold(json, |value, step| step_into(value, step.text()))
            .map_or(Attribute::Null, Attribute::from),
        (Attribute::Texts(texts), [index]) => index
            .text()
            .parse()
            .ok()
            .and_then(|index: usize| texts.get(index))
            .map_or(Attribute::Null, |text| Attribute::Text(text)),
        (Attribute::Null | Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Number(_) | Attribute::Text(_) | Attribute::Texts(_), _) => {
            Attribute::Null
        }
    }
}

fn step_into<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
