//! Paths into a context, parsed once.

use ripcord_proto::condition::AttributePath;
use serde_json::Value;

use super::context::{Attribute, Context, TARGETING_KEY};
use super::word::Word;

/// A path, ready to be looked up.
#[derive(Debug)]
pub(super) enum Path {
    /// The targeting key.
    TargetingKey,
    /// A name without dots.
    Plain(Word),
    /// A name with dots: a way into a nested attribute, or the name of a flat one.
    Dotted { whole: Word, steps: Box<[Word]> },
}

impl Path {
    pub(super) fn new(path: &AttributePath) -> Self {
        let text = path.as_str();
        if text == TARGETING_KEY {
            return Self::TargetingKey;
        }
        if !text.contains('.') {
            return Self::Plain(Word::new(text));
        }
        Self::Dotted {
            whole: Word::new(text),
            steps: text.split('.').map(Word::new).collect(),
        }
    }

    /// What it leads to; `Null` where that is nothing. Nested comes before flat, as JSONLogic's `var` sees it.
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

fn descend<'a>(context: &Context<'a>, steps: &[Word]) -> Attribute<'a> {
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
