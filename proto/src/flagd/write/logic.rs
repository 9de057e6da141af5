//! Builders for the few forms of JSONLogic that all of flagd's engines evaluate alike.
//!
//! The engines differ in many ways: some throw where others coerce, some treat `true` as 1, and none has an operator for types.
//! The forms here were tested in each of them, with values of every type.

use serde_json::{Value, json};

use crate::condition::AttributePath;

/// An operation.
pub(super) fn operation(name: &str, arguments: impl Into<Vec<Value>>) -> Value {
    Value::Object([(name.to_owned(), Value::Array(arguments.into()))].into_iter().collect())
}

/// All rules are truthy; true if there are none.
pub(super) fn all(items: Vec<Value>) -> Value {
    several("and", items, true)
}

/// At least one rule is truthy; false if there are none.
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

/// Strict equality, for strings and null.
pub(super) fn same(one: Value, other: Value) -> Value {
    operation("===", [one, other])
}

/// An attribute, or the current item of a list.
#[derive(Debug, Clone)]
pub(super) struct Subject(String);

impl Subject {
    /// The current item.
    pub(super) fn item() -> Self {
        Self(String::new())
    }

    /// The attribute. An error if its path has a different meaning in flagd.
    pub(super) fn attribute(path: &AttributePath) -> Result<Self, String> {
        let text = path.as_str();
        if text == "$flagd" || text.starts_with("$flagd.") || text.split('.').any(str::is_empty) {
            return Err(format!("flagd takes the attribute {text:?} for something else"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value.
    pub(super) fn value(&self) -> Value {
        json!({ "var": self.0 })
    }

    /// The value as text. Ask only for the text of what [is safe](Self::is_safe): Go's engine fails on the text of anything else.
    fn text(&self) -> Value {
        operation("cat", [self.value()])
    }

    /// Whether the text starts with one of `characters`.
    fn begins_with(&self, characters: &str) -> Value {
        let first = operation("substr", [self.text(), json!(0), json!(1)]);
        all(vec![operation("!==", [self.text(), json!("")]), operation("in", [first, json!(characters)])])
    }

    /// Whether its text can be asked for: not a boolean, and, in Go's engine, in which lists and objects do not equal themselves, neither
    /// of these.
    fn is_safe(&self) -> Value {
        all(vec![not(self.is_boolean(true)), not(self.is_boolean(false)), same(self.value(), self.value())])
    }

    /// Whether it is a string: only a string strictly equals its own text.
    pub(super) fn is_text(&self) -> Value {
        all(vec![self.is_safe(), same(self.value(), self.text())])
    }

    /// Whether it is a number: neither a string nor a list, with a text that starts like a number.
    pub(super) fn is_number(&self) -> Value {
        let first_item = json!({"var": format!("{}.0", self.0)});
        all(vec![
            operation("!==", [self.value(), Value::Null]),
            self.is_safe(),
            operation("!==", [self.value(), self.text()]),
            same(first_item, Value::Null),
            self.begins_with("-0123456789"),
        ])
    }

    /// Whether it is this boolean. An engine that treats booleans as 1 and 0 is asked for the text too; others may fail on a boolean's text.
    pub(super) fn is_boolean(&self, boolean: bool) -> Value {
        let (letters, number) = if boolean { ("tT", 1) } else { ("fF", 0) };
        let confuses_them = same(json!(number), json!(boolean));
        all(vec![
            same(self.value(), json!(boolean)),
            operation("if", [confuses_them, self.begins_with(letters), json!(true)]),
        ])
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
