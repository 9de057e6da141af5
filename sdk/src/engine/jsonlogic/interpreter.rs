//! Compiles and runs JSONLogic, with flagd's operators of the environment's bucketing generation.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::bumpalo::collections::Vec as ArenaVec;
use datalogic_rs::{ArenaExt as _, DataValue, DivisionByZeroHandling, Engine, EvaluationConfig, Logic, NanHandling};
use ripcord_proto::flagd::unknown_operator;
use ripcord_proto::settings::Bucketing;
use serde_json::Value;

use super::cost::{Cost, Exceeded, TRIALS};
use super::operators;
use super::size::Size;
use crate::engine::budget::Budget;
use crate::engine::context::{Attribute, Context, TARGETING_KEY};
use crate::engine::decision::Truth;
use crate::engine::reason::ErrorCode;
use crate::engine::scalar_text::with_text;

/// A scratch arena that has grown beyond this is freed after the run.
const SCRATCH_BYTES: usize = 256 * 1024;

thread_local! {
    /// One arena per thread, empty between runs, so that a rule allocates nothing after its first run.
    static SCRATCH: RefCell<Bump> = RefCell::new(Bump::new());
}

/// Compiles the rules of one bucketing generation.
#[derive(Clone)]
pub(in crate::engine) struct Interpreter {
    engine: Arc<Engine>,
    bucketing: Bucketing,
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interpreter")
    }
}

/// A compiled rule.
pub(in crate::engine) struct Program {
    engine: Arc<Engine>,
    logic: Logic,
    cost: Cost,
    /// The steps that it takes for contexts of the sizes that are tried.
    tried: [Option<u64>; TRIALS.len()],
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

impl Interpreter {
    pub(in crate::engine) fn new(bucketing: Bucketing) -> Self {
        let mut config = EvaluationConfig::default();
        config.arithmetic_nan_handling = NanHandling::ReturnNull;
        config.division_by_zero = DivisionByZeroHandling::ReturnNull;
        config.loose_equality_errors = false;
        let engine = Engine::builder()
            .with_config(config)
            .add_operator("fractional", operators::Fractional(bucketing))
            .add_operator("sem_ver", operators::SemVer)
            .add_operator("starts_with", operators::Affix::Start)
            .add_operator("ends_with", operators::Affix::End)
            .build();
        Self {
            engine: Arc::new(engine),
            bucketing,
        }
    }

    /// The generation by which rules and splits bucket.
    pub(in crate::engine) const fn bucketing(&self) -> Bucketing {
        self.bucketing
    }

    /// Compiles a rule. The error says why it cannot be compiled, for example because of an unknown operator.
    pub(in crate::engine) fn compile(&self, rule: &Value) -> Result<Program, String> {
        if let Some(unknown) = unknown_operator(rule) {
            return Err(format!("the JSONLogic rule uses the unknown operator {unknown:?}"));
        }
        // Before the interpreter sees the rule: it computes what depends on no context while it compiles.
        let cost = Cost::of(rule)?;
        let tried = TRIALS.map(|trial| cost.steps(trial));
        if let ([None, ..], [smallest, ..]) = (tried, TRIALS) {
            return Err(Exceeded::message(smallest));
        }
        let logic = self
            .engine
            .compile(rule.to_string().as_str())
            .map_err(|error| format!("the JSONLogic rule cannot be compiled: {error}"))?;
        Ok(Program {
            engine: Arc::clone(&self.engine),
            logic,
            cost,
            tried,
        })
    }
}

impl Program {
    /// Why the rule does not run with this context, if it would go beyond its budget.
    pub(in crate::engine) fn excess(&self, context: &Context<'_>) -> Option<String> {
        let size = size_of(context);
        self.steps(size).is_none().then(|| Exceeded::message(size))
    }

    /// The steps that the rule can take with a context of this size.
    fn steps(&self, context: Size) -> Option<u64> {
        let tried = TRIALS.iter().zip(self.tried).find(|(trial, _)| context.is_within(**trial));
        tried.and_then(|(_, steps)| steps).or_else(|| self.cost.steps(context))
    }

    /// Whether the rule returns a truthy value.
    pub(in crate::engine) fn is_truthy(&self, context: &Context<'_>, flag_key: &str, budget: &Budget) -> Truth {
        self.run(context, flag_key, budget, |engine, value| Ok(engine.truthy(value)))
            .map_or(Truth::Failed, Truth::from)
    }

    /// Runs a rule that returns the name of a variant, or a boolean or number whose text is the name. `find` looks the name up.
    /// `None` if the rule returns null, which means the default variant.
    pub(in crate::engine) fn variant<T>(
        &self,
        context: &Context<'_>,
        flag_key: &str,
        budget: &Budget,
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ErrorCode> {
        self.run(context, flag_key, budget, |_, value| {
            let found = match value {
                DataValue::Null => return Ok(None),
                DataValue::String(name) => find(name),
                DataValue::Bool(boolean) => find(if *boolean { "true" } else { "false" }),
                DataValue::Number(_) => with_text(operators::attribute_of(value), find).flatten(),
                DataValue::Array(_) | DataValue::Object(_) => None,
            };
            found.map(Some).ok_or(ErrorCode::General)
        })
    }

    fn run<T>(
        &self,
        context: &Context<'_>,
        flag_key: &str,
        budget: &Budget,
        read: impl FnOnce(&Engine, &DataValue<'_>) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        if !self.steps(size_of(context)).is_some_and(|steps| budget.spend(steps)) {
            return Err(ErrorCode::General);
        }
        SCRATCH.with(|scratch| {
            let Ok(mut arena) = scratch.try_borrow_mut() else {
                return self.run_in(&Bump::new(), context, flag_key, read);
            };
            let result = self.run_in(&arena, context, flag_key, read);
            if arena.allocated_bytes() > SCRATCH_BYTES {
                *arena = Bump::new();
            } else {
                arena.reset();
            }
            result
        })
    }

    fn run_in<T>(
        &self,
        arena: &Bump,
        context: &Context<'_>,
        flag_key: &str,
        read: impl FnOnce(&Engine, &DataValue<'_>) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        let data = data_of(context, flag_key, arena);
        match self.engine.evaluate(&self.logic, data, arena) {
            Ok(value) => read(&self.engine, value),
            Err(_) => Err(ErrorCode::General),
        }
    }
}

/// How large the context is, as a rule sees it.
fn size_of(context: &Context<'_>) -> Size {
    // The targeting key and `$flagd` are members, too.
    let few = Size::of_text(context.targeting_key().unwrap_or_default()).holding(Size::list(5));
    let mut members = 2_u64;
    let mut size = context.attributes().fold(few, |sum, (name, value)| {
        members += 1;
        sum.holding(Size::of_text(name)).holding(match value {
            Attribute::Null | Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Number(_) => Size::of_text(""),
            Attribute::Text(text) => Size::of_text(text),
            Attribute::Texts(texts) => texts.iter().fold(Size::list(texts.len()), |list, text| list.holding(Size::of_text(text))),
            Attribute::Json(json) => Size::of(json),
        })
    });
    size.items = size.items.max(members);
    size
}

/// The context as a rule sees it: the attributes, `targetingKey`, and `$flagd`, which replaces an attribute of that name.
fn data_of<'a>(context: &Context<'a>, flag_key: &'a str, arena: &'a Bump) -> DataValue<'a> {
    let mut members = ArenaVec::new_in(arena);
    for (name, value) in context.unique_attributes().filter(|(name, _)| *name != "$flagd") {
        members.push((name, data_of_attribute(value, arena)));
    }
    members.push((TARGETING_KEY, data_of_attribute(context.targeting_attribute(), arena)));
    let mut flagd = ArenaVec::new_in(arena);
    flagd.push(("flagKey", DataValue::String(flag_key)));
    if let Some(seconds) = context.unix_seconds() {
        flagd.push(("timestamp", DataValue::from_i64(seconds)));
    }
    members.push(("$flagd", *arena.object(&flagd)));
    *arena.object(&members)
}

fn data_of_attribute<'a>(attribute: Attribute<'a>, arena: &'a Bump) -> DataValue<'a> {
    match attribute {
        Attribute::Null => DataValue::Null,
        Attribute::Boolean(boolean) => DataValue::Bool(boolean),
        Attribute::Integer(number) => DataValue::from_i64(number),
        Attribute::Number(number) => DataValue::from_f64(number),
        Attribute::Text(text) => DataValue::String(text),
        Attribute::Texts(texts) => {
            let items = ArenaVec::from_iter_in(texts.iter().map(|text| DataValue::String(text)), arena);
            *arena.array(&items)
        }
        Attribute::Json(value) => data_of_json(value, arena),
    }
}

fn data_of_json<'a>(value: &'a Value, arena: &'a Bump) -> DataValue<'a> {
    match value {
        Value::Array(items) => {
            let items = ArenaVec::from_iter_in(items.iter().map(|item| data_of_json(item, arena)), arena);
            *arena.array(&items)
        }
        Value::Object(members) => {
            let members = ArenaVec::from_iter_in(members.iter().map(|(name, member)| (name.as_str(), data_of_json(member, arena))), arena);
            *arena.object(&members)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => data_of_attribute(Attribute::from(value), arena),
    }
}
