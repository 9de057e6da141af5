//! datalogic-rs: one compiled rule a flag, held in hand rather than looked up, over contexts that were parsed beforehand. Its arena
//! is reset after each rule. flagd's operators are the crate's own.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::anyhow;
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, Engine as Interpreter, Logic};
use ripcord_benches::interleaved::batch;
use ripcord_benches::workload::{ATTRIBUTES, DOMAIN, ROLLOUT, USERS, countries};
use serde_json::{Value, json};

use crate::engine::Engine;

/// Where the contexts live.
#[derive(Default)]
pub struct Arenas {
    contexts: Bump,
}

/// As flagd's documentation writes a rollout.
fn fractional() -> Value {
    json!({"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["on", 25], ["off", 75]]})
}

fn five_rules() -> Value {
    json!({"if": [
        {"==": [{"var": "plan"}, "enterprise"]}, "on",
        {"in": [{"var": "country"}, countries()]}, "on",
        {"sem_ver": [{"var": "version"}, ">=", "3.0.0"]}, "on",
        {"ends_with": [{"var": "email"}, DOMAIN]}, "on",
        {"==": [{"var": "device"}, "tablet"]}, "on",
        fractional()
    ]})
}

pub fn engine<'b>(users: &[String], arenas: &'b Arenas) -> anyhow::Result<Engine<'b>> {
    let interpreter = Arc::new(Interpreter::new());
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
        batches: [bare, ask(fractional())?, ask(five_rules())?],
    })
}

fn context<'b>(user: &str, arena: &'b Bump) -> anyhow::Result<&'b DataValue<'b>> {
    let mut members: serde_json::Map<String, Value> = ATTRIBUTES.iter().map(|(name, value)| (name.replace("app.", ""), json!(value))).collect();
    members.insert("targetingKey".into(), json!(user));
    members.insert("$flagd".into(), json!({"flagKey": ROLLOUT}));
    let text = arena.alloc_str(&Value::Object(members).to_string());
    let value = DataValue::from_str(text, arena).map_err(|error| anyhow!("{error:?}"))?;
    Ok(arena.alloc(value))
}
