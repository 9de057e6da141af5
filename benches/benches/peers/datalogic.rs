//! datalogic-rs: one compiled rule a flag, held in hand rather than looked up, over contexts that were parsed beforehand. Its arena
//! is reset after each rule.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::anyhow;
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt as _, CustomOperator, DataValue, Engine as Interpreter, Logic, Result};
use ripcord_benches::rounds::batch;
use ripcord_benches::workload::{ATTRIBUTES, DOMAIN, FIVE_RULES, ROLLOUT, USERS, countries};
use serde_json::{Value, json};

use crate::Engine;

/// Where the contexts live.
#[derive(Default)]
pub struct Arenas {
    contexts: Bump,
}

/// flagd's `fractional` as the crate's own feature has it. The feature cannot be switched on here: features are shared with the
/// engine that is measured against it.
struct Fractional;

impl CustomOperator for Fractional {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], _: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        let [DataValue::String(key), DataValue::Array([on, weight_on]), DataValue::Array([off, weight_off])] = args else {
            return Ok(arena.null());
        };
        let weights = [weight_on, weight_off].map(|weight| weight.as_i64().unwrap_or(0).unsigned_abs());
        let place = (u64::from(murmur3(key.as_bytes())) * (weights[0] + weights[1])) >> 32;
        Ok(if place < weights[0] { on } else { off })
    }
}

fn murmur3(bytes: &[u8]) -> u32 {
    let scramble = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        (hash ^ scramble(u32::from_le_bytes(*block)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    hash ^= scramble(rest.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte)));
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// `ends_with` likewise.
struct EndsWith;

impl CustomOperator for EndsWith {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], _: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        Ok(match args {
            [DataValue::String(text), DataValue::String(end)] => arena.bool(text.ends_with(end)),
            _ => arena.null(),
        })
    }
}

/// `sem_ver` likewise, for `>=`.
struct SemVer;

impl CustomOperator for SemVer {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], _: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        let parse = |value: &DataValue<'_>| value.as_str().and_then(|text| semver::Version::parse(text).ok());
        Ok(match args {
            [one, _, other] => arena.bool(parse(one) >= parse(other)),
            _ => arena.null(),
        })
    }
}

fn fractional(flag: &str) -> Value {
    json!({"fractional": [{"cat": [flag, {"var": "targetingKey"}]}, ["on", 25], ["off", 75]]})
}

fn five_rules() -> Value {
    json!({"if": [
        {"==": [{"var": "plan"}, "enterprise"]}, "on",
        {"in": [{"var": "country"}, countries()]}, "on",
        {"sem_ver": [{"var": "version"}, ">=", "3.0.0"]}, "on",
        {"ends_with": [{"var": "email"}, DOMAIN]}, "on",
        {"==": [{"var": "device"}, "tablet"]}, "on",
        fractional(FIVE_RULES)
    ]})
}

pub fn engine<'b>(users: &[String], arenas: &'b Arenas) -> anyhow::Result<Engine<'b>> {
    let interpreter = Interpreter::builder()
        .add_operator("fractional", Fractional)
        .add_operator("ends_with", EndsWith)
        .add_operator("sem_ver", SemVer)
        .build();
    let interpreter = Arc::new(interpreter);
    let contexts: anyhow::Result<Vec<&'b DataValue<'b>>> = users.iter().map(|user| context(user, &arenas.contexts)).collect();
    let contexts = Arc::new(contexts?);
    let ask = |rule: Value| -> anyhow::Result<_> {
        let logic: Logic = interpreter.compile(rule.to_string().as_str()).map_err(|error| anyhow!("{error}"))?;
        let (interpreter, contexts, arena) = (Arc::clone(&interpreter), Arc::clone(&contexts), RefCell::new(Bump::new()));
        Ok(batch(USERS, move |number| {
            let mut arena = arena.borrow_mut();
            let on = matches!(
                interpreter.evaluate(&logic, contexts[number % USERS], &arena),
                Ok(DataValue::String("on") | DataValue::Bool(true))
            );
            arena.reset();
            on
        }))
    };
    let bare = ask(json!({"==": [{"var": "plan"}, "free"]}))?;
    Ok(Engine {
        name: "datalogic-rs",
        batches: [bare, ask(fractional(ROLLOUT))?, ask(five_rules())?],
    })
}

fn context<'b>(user: &str, arena: &'b Bump) -> anyhow::Result<&'b DataValue<'b>> {
    let mut members: serde_json::Map<String, Value> = ATTRIBUTES.iter().map(|(name, value)| (name.replace("app.", ""), json!(value))).collect();
    members.insert("targetingKey".into(), json!(user));
    let text = arena.alloc_str(&Value::Object(members).to_string());
    let value = DataValue::from_str(text, arena).map_err(|error| anyhow!("{error:?}"))?;
    Ok(arena.alloc(value))
}
