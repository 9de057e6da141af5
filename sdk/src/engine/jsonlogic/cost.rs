//! How much one evaluation of a rule can cost at most. The interpreter itself knows no limits, and a rule of a hundred bytes can ask for
//! gigabytes; so a rule is measured before it runs, and one that could go beyond its budget does not run at all.
//!
//! The measure depends only on the rule and on the size of the context, so a rule is refused in the same way by every engine. It is an upper
//! bound: the size of each result is computed from the sizes of its parts.

use ripcord_proto::limits;
use serde_json::{Map, Value};

use super::size::{ITEM, SCALAR, Size};

/// Bytes that count as one step when they are read.
const BYTES_A_STEP: u64 = 64;

/// The sizes of contexts that are tried when a rule is compiled, smallest first: a context within one of them is not measured again. A rule
/// that does not even fit the first one is refused.
pub(super) const TRIALS: [Size; 3] = [
    Size { bytes: 2 * 1024, items: 24 },
    Size { bytes: 8 * 1024, items: 100 },
    Size {
        bytes: 32 * 1024,
        items: 1_000,
    },
];

/// The rule needs more than its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exceeded;

impl Exceeded {
    /// For people.
    pub(super) fn message(context: Size) -> String {
        format!(
            "the JSONLogic rule can take more than {} steps or make more than {} bytes for a context of {} bytes and lists of {} items; use fewer loops inside loops, \
             and do not build texts or lists in `reduce`",
            limits::JSONLOGIC_STEPS,
            limits::JSONLOGIC_BYTES,
            context.bytes,
            context.items
        )
    }
}

/// Why a rule would go beyond its budget even with a small context; `None` if it does not.
pub(super) fn over_budget(rule: &Value) -> Option<String> {
    let [smallest, ..] = TRIALS;
    match Cost::of(rule) {
        Ok(cost) => cost.steps(smallest).is_none().then(|| Exceeded::message(smallest)),
        Err(problem) => Some(problem),
    }
}

/// What an operation can cost, part by part.
#[derive(Debug)]
pub(super) enum Cost {
    /// What is written in the rule.
    Literal(Size),
    /// What is read from the context, or from what a loop is at.
    Read(Place),
    /// An operator over its arguments.
    Operator { arguments: Vec<Cost>, makes: Makes },
    /// A loop, and how its result follows from that of its body.
    Loop { over: Box<Cost>, body: Box<Cost>, makes: LoopMakes },
    /// A loop that carries a value from one item to the next.
    Reduce { over: Box<Cost>, body: Box<Cost>, start: Box<Cost> },
}

/// What a name inside a loop stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Item,
    Accumulator,
    Anything,
}

/// How large a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    Scalar,
    /// One of the arguments.
    OneOf,
    /// A text of all arguments.
    Text,
    /// A list of all arguments.
    List,
    /// A list of the items of all arguments.
    Joined,
}

/// How large the result of a loop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopMakes {
    Scalar,
    /// Some of the items.
    Items,
    /// As many results as there are items.
    Results,
}

/// What names stand for.
#[derive(Debug, Clone, Copy)]
struct Names {
    item: Size,
    accumulator: Size,
    anything: Size,
}

/// What is left of the budget.
#[derive(Debug, Clone, Copy)]
struct Meter {
    steps: u64,
    bytes: u64,
}

impl Meter {
    const FULL: Self = Self {
        steps: limits::JSONLOGIC_STEPS,
        bytes: limits::JSONLOGIC_BYTES,
    };

    fn spend(&mut self, steps: u64, bytes: u64) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exceeded)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Exceeded)?;
        Ok(())
    }

    /// What was spent since `before`, this many times more.
    fn repeat(&mut self, before: Self, times: u64) -> Result<(), Exceeded> {
        let spent = |before: u64, now: u64| before.saturating_sub(now).saturating_mul(times);
        self.spend(spent(before.steps, self.steps), spent(before.bytes, self.bytes))
    }
}

impl Cost {
    /// Reads a rule.
    ///
    /// # Errors
    /// It has more loops inside loops than any rule may have.
    pub(super) fn of(rule: &Value) -> Result<Self, String> {
        Self::within(rule, 0)
    }

    fn within(rule: &Value, loops: usize) -> Result<Self, String> {
        match rule {
            Value::Object(members) => match single(members) {
                Some((name, arguments)) => Self::operation(name, arguments, loops),
                None => Ok(Self::Literal(Size::of(rule))),
            },
            Value::Array(items) if items.iter().any(computes) => Ok(Self::Operator {
                arguments: items.iter().map(|item| Self::within(item, loops)).collect::<Result<_, _>>()?,
                makes: Makes::List,
            }),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Self::Literal(Size::of(rule))),
        }
    }

    fn operation(name: &str, arguments: &Value, loops: usize) -> Result<Self, String> {
        let list = match arguments {
            Value::Array(items) => items.as_slice(),
            one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => std::slice::from_ref(one),
        };
        let loop_makes = match name {
            "map" => Some(LoopMakes::Results),
            "filter" => Some(LoopMakes::Items),
            "all" | "some" | "none" => Some(LoopMakes::Scalar),
            _ => None,
        };
        if loop_makes.is_some() || name == "reduce" {
            return Self::looping(list, loop_makes, loops);
        }
        let mut arguments = list.iter().map(|argument| Self::within(argument, loops)).collect::<Result<Vec<_>, _>>()?;
        let makes = match name {
            "var" => {
                let place = match list.first() {
                    Some(Value::String(path)) if is_in(path, "current") => Place::Item,
                    Some(Value::String(path)) if is_in(path, "accumulator") => Place::Accumulator,
                    _ => Place::Anything,
                };
                arguments.push(Self::Read(place));
                Makes::OneOf
            }
            "if" | "?:" | "and" | "or" | "max" | "min" | "substr" => Makes::OneOf,
            "cat" => Makes::Text,
            "merge" | "missing" | "missing_some" | "fractional" => Makes::Joined,
            _ => Makes::Scalar,
        };
        Ok(Self::Operator { arguments, makes })
    }

    fn looping(arguments: &[Value], makes: Option<LoopMakes>, loops: usize) -> Result<Self, String> {
        if loops >= limits::JSONLOGIC_LOOPS {
            return Err(format!("the JSONLogic rule has more than {} loops inside each other", limits::JSONLOGIC_LOOPS));
        }
        let argument = |place: usize, loops: usize| match arguments.get(place) {
            Some(argument) => Self::within(argument, loops).map(Box::new),
            None => Ok(Box::new(Self::Literal(Size::SCALAR))),
        };
        let (over, body) = (argument(0, loops)?, argument(1, loops + 1)?);
        Ok(match makes {
            Some(makes) => Self::Loop { over, body, makes },
            None => Self::Reduce {
                over,
                body,
                start: argument(2, loops)?,
            },
        })
    }

    /// The steps that an evaluation with a context of this size can take; `None` if that is beyond the budget.
    pub(super) fn steps(&self, context: Size) -> Option<u64> {
        let names = Names {
            item: context,
            accumulator: context,
            anything: context,
        };
        let mut meter = Meter::FULL;
        self.measure(names, &mut meter).ok()?;
        Some(Meter::FULL.steps - meter.steps)
    }

    fn measure(&self, names: Names, meter: &mut Meter) -> Result<Size, Exceeded> {
        match self {
            Self::Literal(size) => Ok(*size),
            Self::Read(place) => Ok(match place {
                Place::Item => names.item,
                Place::Accumulator => names.accumulator,
                Place::Anything => names.anything,
            }),
            Self::Operator { arguments, makes } => {
                let mut sum = match makes {
                    Makes::List => Size::list(arguments.len()),
                    Makes::Scalar | Makes::OneOf | Makes::Text | Makes::Joined => Size::NOTHING,
                };
                let mut read = 0_u64;
                for argument in arguments {
                    let size = argument.measure(names, meter)?;
                    read = read.saturating_add(size.bytes);
                    sum = match makes {
                        Makes::Scalar | Makes::List => sum.holding(size),
                        Makes::Text => sum.holding(written(size)),
                        Makes::OneOf => sum.or(size),
                        Makes::Joined => sum.and(size),
                    };
                }
                let (size, made) = match makes {
                    Makes::Scalar => (Size::SCALAR, 0),
                    Makes::OneOf => (sum, 0),
                    Makes::Text => (sum, sum.bytes),
                    Makes::List | Makes::Joined => (sum, sum.items.saturating_mul(ITEM)),
                };
                meter.spend(1 + read / BYTES_A_STEP, made)?;
                Ok(size)
            }
            Self::Loop { over, body, makes } => {
                let over = over.measure(names, meter)?;
                let result = each(over, meter, |item, meter| {
                    let inside = Names {
                        item,
                        accumulator: item,
                        anything: item,
                    };
                    body.measure(inside, meter)
                })?;
                Ok(match makes {
                    LoopMakes::Scalar => Size::SCALAR,
                    LoopMakes::Items => over,
                    LoopMakes::Results => Size {
                        bytes: result.bytes,
                        items: result.items.max(over.items),
                    },
                })
            }
            Self::Reduce { over, body, start } => {
                let over = over.measure(names, meter)?;
                let start = start.measure(names, meter)?;
                reduce(over, start, meter, |inside, meter| body.measure(inside, meter))
            }
        }
    }
}

/// A value as a text: a list is written as JSON, which can take six bytes for one.
const fn written(size: Size) -> Size {
    let bytes = if size.items == 0 { size.bytes } else { size.bytes.saturating_mul(6) };
    Size { bytes, items: 0 }
}

/// The cost of a body for every item, and the size of all its results. What a body costs grows at least as fast as its item, so that one item
/// that has everything, and others that have nothing, cost as much as any.
fn each(over: Size, meter: &mut Meter, mut body: impl FnMut(Size, &mut Meter) -> Result<Size, Exceeded>) -> Result<Size, Exceeded> {
    meter.spend(1, 0)?;
    if over.items == 0 {
        return Ok(Size::NOTHING);
    }
    let largest = body(over, meter)?;
    let others = over.items - 1;
    if others == 0 {
        return Ok(largest);
    }
    let before = *meter;
    let smallest = body(Size { bytes: SCALAR, ..over }, meter)?;
    meter.repeat(before, others - 1)?;
    meter.spend(others, over.items.saturating_mul(ITEM))?;
    Ok(Size {
        bytes: smallest.bytes.saturating_add(ITEM).saturating_mul(others).saturating_add(largest.bytes),
        items: largest.items,
    })
}

/// The cost of folding a list: the accumulator is measured from one item to the next, until it grows no more.
fn reduce(over: Size, start: Size, meter: &mut Meter, body: impl Fn(Names, &mut Meter) -> Result<Size, Exceeded>) -> Result<Size, Exceeded> {
    meter.spend(1, 0)?;
    let mut accumulator = start;
    let mut item = over;
    for place in 0..over.items {
        let before = *meter;
        meter.spend(1, 0)?;
        let inside = Names {
            item,
            accumulator,
            anything: item.holding(accumulator),
        };
        let next = body(inside, meter)?;
        let grows = !next.is_within(accumulator);
        accumulator = accumulator.or(next);
        if !grows && place > 0 {
            meter.repeat(before, over.items - place - 1)?;
            break;
        }
        item = Size { bytes: SCALAR, ..over };
    }
    Ok(accumulator)
}

/// The one member of an object that is an operation.
fn single(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (Some((name, arguments)), None) => Some((name, arguments)),
        _ => None,
    }
}

/// Whether a value contains an operation.
fn computes(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.len() == 1 || members.values().any(computes),
        Value::Array(items) => items.iter().any(computes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_in(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
