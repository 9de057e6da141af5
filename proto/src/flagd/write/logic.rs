//! Builders for JSONLogic: the few forms on which all of flagd's engines agree.
//!
//! They disagree in much: some throw where others coerce, some take `true` for 1, and none has an operator for types. What stands
//! here was tried in each of them, with values of every type.

use serde_json::{Value, json};

use crate::condition::AttributePath;

/// An operation.
pub(super) fn operation(name: &str, arguments: impl Into<Vec<Value>>) -> Value {
    Value::Object([(name.to_owned(), Value::Array(arguments.into()))].into_iter().collect())
}

/// All of them; true where there is none.
pub(super) fn all(items: Vec<Value>) -> Value {
    several("and", items, true)
}

/// One of them; false where there is none.
pub(super) fn any(items: Vec<Value>) -> Value {
    several("or", items, false)
}

fn several(name: &str, mut items: Vec<Value>, none: bool) -> Value {
    match items.len() {
        0 => Value::Bool(none),
        1 => items.pop().unwrap_or_default(),
        _ => operation(name, items),
    }
}

/// Not.
pub(super) fn not(inner: Value) -> Value {
    operation("!", [inner])
}

/// The same value of the same type, for texts and null.
pub(super) fn same(one: Value, other: Value) -> Value {
    operation("===", [one, other])
}

/// An attribute, or an item of a list that is being gone through.
#[derive(Debug, Clone)]
pub(super) struct Subject(String);

impl Subject {
    /// The item.
    pub(super) fn item() -> Self {
        Self(String::new())
    }

    /// The attribute; none where its path means something else to flagd.
    pub(super) fn attribute(path: &AttributePath) -> Result<Self, String> {
        let text = path.as_str();
        if text == "$flagd" || text.starts_with("$flagd.") || text.split('.').any(str::is_empty) {
            return Err(format!("flagd takes the attribute {text:?} for something else"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Its value.
    pub(super) fn value(&self) -> Value {
        json!({ "var": self.0 })
    }

    /// Its text, where it is a text or a number.
    pub(super) fn text(&self) -> Value {
        operation("cat", [self.value()])
    }

    /// Whether its text begins with one of `characters`.
    fn begins_with(&self, characters: &str) -> Value {
        let first = operation("substr", [self.text(), json!(0), json!(1)]);
        all(vec![operation("!==", [self.text(), json!("")]), operation("in", [first, json!(characters)])])
    }

    /// Whether it is a text: only a text is the same as its text.
    pub(super) fn is_text(&self) -> Value {
        same(self.value(), self.text())
    }

    /// Whether it is a number: no text, no list (which has an item, or no text), and its text begins as that of a number does.
    pub(super) fn is_number(&self) -> Value {
        let first_item = json!({"var": format!("{}.0", self.0)});
        all(vec![
            operation("!==", [self.value(), Value::Null]),
            not(self.is_text()),
            same(first_item, Value::Null),
            self.begins_with("-0123456789"),
        ])
    }

    /// Whether it is this boolean, which some engines take for 1 or 0.
    pub(super) fn is_boolean(&self, boolean: bool) -> Value {
        let letters = if boolean { "tT" } else { "fF" };
        all(vec![same(self.value(), json!(boolean)), self.begins_with(letters)])
    }

    /// Whether it is this number.
    pub(super) fn is_the_number(&self, number: &serde_json::Number) -> Value {
        let equal = same(self.value(), Value::Number(number.clone()));
        match number.as_f64() {
            Some(0.0 | 1.0) => all(vec![equal, self.begins_with("-0123456789")]),
            Some(_) | None => equal,
        }
    }
}
