//! Reads [`serde_json::Value`]s into checked types and notes every problem on the way, each with the path of its field.

use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::{Map, Number, Value};

use crate::limits;
use crate::similar::nearest;
use crate::text::{counted_len, grouped, grouped_len};
use crate::validation::{ValidationError, ValidationErrors};
use crate::visible::one_line;

/// Renamed members. The old name is refused with a hint to the new one.
const RENAMED: [(&str, &str); 2] = [("changes_served", "allow_killed_edit"), ("unjudged", "no_gates")];

/// Proof that a problem was noted. Only [`Reader::refuse`] creates one, so nothing is refused silently.
#[derive(Debug)]
pub(crate) struct Refused(());

/// The result of reading a value.
pub(crate) type Read<T> = Result<T, Refused>;

/// The current position while reading, and the problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: String,
    faults: Vec<ValidationError>,
}

/// Reads `value` with `read`. Returns the result, or all problems.
pub(crate) fn read<T>(value: &Value, read: impl FnOnce(&mut Reader, &Value) -> Read<T>) -> Result<T, ValidationErrors> {
    let mut reader = Reader::default();
    let made = read(&mut reader, value);
    reader.finish(made)
}

/// The kind of a JSON value, for an error message: `a string`.
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `"on", "off"`
pub(crate) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// `; did you mean "rules"?`, or empty if no name is similar.
pub(crate) fn hint<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, names).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl Reader {
    /// Ends reading. Returns the result if there were no problems, else all problems.
    pub(crate) fn finish<T>(self, made: Read<T>) -> Result<T, ValidationErrors> {
        match made {
            Ok(value) => ValidationErrors::check(self.faults, value),
            Err(Refused(())) => ValidationErrors::check(self.faults, ()).and(Err(ValidationErrors::one("", "cannot be read"))),
        }
    }

    /// Notes a problem with the current field.
    pub(crate) fn note(&mut self, problem: impl Into<String>) {
        self.faults.push(ValidationError::new(self.path.clone(), problem));
    }

    /// Notes a problem and stops reading the current field.
    pub(crate) fn refuse<T>(&mut self, problem: impl Into<String>) -> Read<T> {
        self.note(problem);
        Err(Refused(()))
    }

    /// Adds problems that another parser found in the current field.
    pub(crate) fn refuse_all<T>(&mut self, faults: ValidationErrors) -> Read<T> {
        self.faults.extend(faults.under(&self.path));
        Err(Refused(()))
    }

    /// Reads within the member `name`.
    pub(crate) fn within<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let end = self.path.len();
        if end > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let made = read(self);
        self.path.truncate(end);
        made
    }

    /// Reads within the item `index`.
    pub(crate) fn item<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let end = self.path.len();
        // Writing to a String cannot fail.
        let _ = write!(self.path, "[{index}]");
        let made = read(self);
        self.path.truncate(end);
        made
    }

    /// Reads the optional member `name`. `None` if it is missing or refused.
    pub(crate) fn optional<'v, T>(&mut self, map: &'v Map<String, Value>, name: &str, read: impl FnOnce(&mut Self, &'v Value) -> Read<T>) -> Option<T> {
        let value = map.get(name)?;
        self.within(name, |reader| read(reader, value)).ok()
    }

    /// Reads the required member `name`; `what` describes its value in the error message.
    pub(crate) fn required<'v, T>(
        &mut self,
        map: &'v Map<String, Value>,
        name: &str,
        what: &str,
        read: impl FnOnce(&mut Self, &'v Value) -> Read<T>,
    ) -> Read<T> {
        self.within(name, |reader| match map.get(name) {
            Some(value) => read(reader, value),
            None => reader.refuse(format!("is missing; it must be {what}")),
        })
    }

    /// Notes each member that is neither in `known` nor in `reserved`, with the most similar known name.
    pub(crate) fn members(&mut self, map: &Map<String, Value>, what: &str, known: &[&str], reserved: &[&str]) {
        for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
            if reserved.contains(&name.as_str()) {
                self.within(name, |reader| reader.note("is reserved for a later version; leave it out"));
            } else if let Some((_, new)) = RENAMED.iter().find(|(old, new)| old == name && known.contains(new)) {
                self.within(name, |reader| reader.note(format!("is now called {new:?}")));
            } else {
                let hint = hint(name, known.iter().copied());
                let hint = if hint.is_empty() {
                    format!("; allowed: {}", quoted(known.iter().copied()))
                } else {
                    hint
                };
                self.within(name, |reader| reader.note(format!("is not a member of {what}{hint}")));
            }
        }
    }

    /// Refuses a value that takes more than `most` bytes as compact JSON; `hint` says what to do about it.
    pub(crate) fn size(&mut self, value: &Value, most: usize, hint: &str) -> Read<()> {
        let mut counter = ByteCounter(0);
        let counted = serde_json::to_writer(&mut counter, value);
        if counted.is_err() || counter.0 > most {
            let (bytes, most) = (counted_len(counter.0, "byte", "bytes"), grouped_len(most));
            return self.refuse(format!("takes {bytes} as JSON; at most {most} are allowed{hint}"));
        }
        Ok(())
    }

    /// An object.
    pub(crate) fn object<'v>(&mut self, value: &'v Value) -> Read<&'v Map<String, Value>> {
        value
            .as_object()
            .ok_or(())
            .or_else(|()| self.refuse(format!("must be an object, not {}", kind(value))))
    }

    /// A list of at most `most` items.
    pub(crate) fn list<'v>(&mut self, value: &'v Value, most: usize) -> Read<&'v [Value]> {
        let Value::Array(items) = value else {
            return self.refuse(format!("must be a list, not {}", kind(value)));
        };
        if items.len() > most {
            return self.refuse(format!("has {} items; at most {} are allowed", grouped_len(items.len()), grouped_len(most)));
        }
        Ok(items)
    }

    /// Reads all items of a list with `read`. The list is refused if any item is, after all were read.
    pub(crate) fn items<T>(&mut self, value: &Value, most: usize, mut read: impl FnMut(&mut Self, &Value) -> Read<T>) -> Read<Vec<T>> {
        let items = self.list(value, most)?;
        let read: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.item(index, |reader| read(reader, item)))
            .collect();
        read.into_iter().collect()
    }

    /// A whole number from `least` to `most`; `what` names it in the error: `a number of seconds`.
    pub(crate) fn whole(&mut self, value: &Value, what: &str, least: u64, most: u64) -> Read<u64> {
        match value.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(number),
            None => self.refuse(format!("must be {what} from {} to {}, not {value}", grouped(least), grouped(most))),
        }
    }

    /// A string.
    pub(crate) fn text<'v>(&mut self, value: &'v Value) -> Read<&'v str> {
        value.as_str().ok_or(()).or_else(|()| {
            let quote = if value.is_number() || value.is_boolean() { "; put it in quotes" } else { "" };
            self.refuse(format!("must be a string, not {}{quote}", kind(value)))
        })
    }

    /// A string for people, of bounded length.
    pub(crate) fn prose(&mut self, value: &Value) -> Read<String> {
        let text = self.text(value)?;
        let length = text.chars().count();
        if length > limits::TEXT_CHARACTERS {
            let (length, most) = (grouped_len(length), grouped_len(limits::TEXT_CHARACTERS));
            return self.refuse(format!("has {length} characters; at most {most} are allowed"));
        }
        Ok(text.to_owned())
    }

    /// A string for people, of bounded length, on one line.
    pub(crate) fn line(&mut self, value: &Value) -> Read<String> {
        self.prose(value).map(|text| one_line(&text))
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, value: &Value) -> Read<bool> {
        value
            .as_bool()
            .ok_or(())
            .or_else(|()| self.refuse(format!("must be true or false, not {}", kind(value))))
    }

    /// A number within ±(2^53-1), which every JSON reader can represent.
    pub(crate) fn number(&mut self, value: &Value) -> Read<Number> {
        let Value::Number(number) = value else {
            return self.refuse(format!("must be a number, not {}", kind(value)));
        };
        if !in_range(number) {
            return self.refuse(out_of_range(number));
        }
        Ok(number.clone())
    }

    /// A value that is parsed from a string.
    pub(crate) fn parsed<T: FromStr<Err = ValidationErrors>>(&mut self, value: &Value) -> Read<T> {
        let text = self.text(value)?;
        text.parse().or_else(|faults| self.refuse_all(faults))
    }

    /// A timestamp.
    pub(crate) fn instant(&mut self, value: &Value) -> Read<jiff::Timestamp> {
        let text = self.text(value)?;
        crate::instant::parse(text).ok_or(()).or_else(|()| {
            self.refuse(format!(
                "{text:?} is not a timestamp; write it as RFC 3339, for example \"2026-12-31T23:59:59Z\""
            ))
        })
    }

    /// Any JSON whose numbers are in range and whose nesting is at most `depth`.
    pub(crate) fn any(&mut self, value: &Value, depth: usize) -> Read<()> {
        let nested = matches!(value, Value::Array(_) | Value::Object(_));
        if nested && depth == 0 {
            return self.refuse("is nested too deeply");
        }
        match value {
            Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
            Value::Number(_) => self.number(value).map(drop),
            Value::Array(items) => {
                let checked: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.item(index, |reader| reader.any(item, depth - 1)))
                    .collect();
                checked.into_iter().collect()
            }
            Value::Object(members) => {
                let checked: Vec<_> = members
                    .iter()
                    .map(|(name, member)| self.within(name, |reader| reader.any(member, depth - 1)))
                    .collect();
                checked.into_iter().collect()
            }
        }
    }
}

fn in_range(number: &Number) -> bool {
    let most = limits::NUMBER_MAX;
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => whole.unsigned_abs() <= most,
        (None, Some(_)) => false,
        #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
        (None, None) => number.as_f64().is_some_and(|float| float.abs() <= most as f64),
    }
}

fn out_of_range(number: &Number) -> String {
    format!(
        "{number} is out of range; numbers must be within ±{} (2^53-1), which every JSON reader can hold",
        grouped(limits::NUMBER_MAX)
    )
}

/// A writer that only counts bytes.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
