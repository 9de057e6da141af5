//! The user, device or request that a flag is evaluated for: a targeting key and attributes, borrowed from the caller.

use std::collections::HashMap;

use ripcord_proto::outcome::Traffic;
use serde_json::{Map, Value};

use super::short_str::{Fingerprint, ShortStr};

/// The name under which rules see the targeting key.
pub(super) const TARGETING_KEY: &str = "targetingKey";
/// This many attributes need no allocation.
const INLINE: usize = 8;
/// With more attributes than this beyond the inline ones, they are found by an index instead of one by one.
const SCANNED: usize = 16;

/// The value of an attribute, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// No value: the same as a missing attribute.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, or one beyond 64 bits.
    Number(f64),
    /// A string.
    Text(&'a str),
    /// A list of strings.
    Texts(&'a [&'a str]),
    /// A JSON list or object. Dotted paths reach into it.
    Json(&'a Value),
}

/// The user, device or request that a flag is evaluated for. A context of up to eight attributes allocates nothing.
///
/// ```
/// use ripcord_sdk::engine::Context;
/// let context = Context::new("user-42").with("email", "ada@example.com").with("age", 36).with("beta", true);
/// assert_eq!(context.targeting_key(), Some("user-42"));
/// ```
#[derive(Debug, Clone)]
pub struct Context<'a> {
    targeting_key: Attribute<'a>,
    traffic: Traffic,
    unix_seconds: Option<i64>,
    /// Whether an attribute is a list or an object, which dotted paths reach into.
    nested: bool,
    count: usize,
    /// The fingerprints of the inline names, side by side: a lookup is eight comparisons of eight bytes.
    fingerprints: [Fingerprint; INLINE],
    inline: [(&'a str, Attribute<'a>); INLINE],
    /// Each name once.
    spilled: Vec<(&'a str, Attribute<'a>)>,
    /// Where each spilled name is, if there are many.
    #[expect(clippy::box_collection, reason = "most contexts have no index, and every context is moved about")]
    index: Option<Box<HashMap<&'a str, usize>>>,
}

impl<'a> Context<'a> {
    /// A context with this targeting key, which splits bucket by unless they name another attribute.
    #[inline]
    pub const fn new(targeting_key: &'a str) -> Self {
        Self::keyed(Attribute::Text(targeting_key))
    }

    /// A context without a targeting key. A split that buckets by it serves the default variant.
    #[inline]
    pub const fn anonymous() -> Self {
        Self::keyed(Attribute::Null)
    }

    #[inline]
    const fn keyed(targeting_key: Attribute<'a>) -> Self {
        Self {
            targeting_key,
            traffic: Traffic::Real,
            unix_seconds: None,
            nested: false,
            count: 0,
            fingerprints: [Fingerprint::EMPTY; INLINE],
            inline: [("", Attribute::Null); INLINE],
            spilled: Vec::new(),
            index: None,
        }
    }

    /// The members of a JSON object; `targetingKey` is the targeting key.
    pub fn from_json(members: &'a Map<String, Value>) -> Self {
        let mut context = Self::anonymous();
        for (name, value) in members {
            context.set(name, value);
        }
        context
    }

    /// Adds an attribute, in place of one with the same name.
    #[inline]
    #[must_use]
    pub fn with(mut self, name: &'a str, value: impl Into<Attribute<'a>>) -> Self {
        self.set(name, value);
        self
    }

    /// Adds an attribute, in place of one with the same name.
    #[inline]
    pub fn set(&mut self, name: &'a str, value: impl Into<Attribute<'a>>) {
        let value = value.into();
        if name == TARGETING_KEY {
            self.targeting_key = value;
            return;
        }
        if name == "traffic" {
            self.traffic = if value == Attribute::Text("synthetic") {
                Traffic::Synthetic
            } else {
                Traffic::Real
            };
        }
        self.nested |= matches!(value, Attribute::Json(_) | Attribute::Texts(_));
        match (self.inline.get_mut(self.count), self.fingerprints.get_mut(self.count)) {
            (Some(slot), Some(fingerprint)) => {
                *slot = (name, value);
                *fingerprint = Fingerprint::of(name);
                self.count += 1;
            }
            _ => self.spill(name, value),
        }
    }

    fn spill(&mut self, name: &'a str, value: Attribute<'a>) {
        if let Some((_, own)) = self.spilled_at(name).and_then(|place| self.spilled.get_mut(place)) {
            *own = value;
            return;
        }
        if let Some(index) = &mut self.index {
            index.insert(name, self.spilled.len());
        } else if self.spilled.len() == SCANNED {
            let mut index: HashMap<&'a str, usize> = self.spilled.iter().enumerate().map(|(place, (own, _))| (*own, place)).collect();
            index.insert(name, SCANNED);
            self.index = Some(Box::new(index));
        }
        self.spilled.push((name, value));
    }

    fn spilled_at(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.spilled.iter().position(|(own, _)| *own == name),
        }
    }

    /// Sets the time, in seconds since 1970, that imported rules can read as `$flagd.timestamp`. The engine reads no clock.
    #[inline]
    #[must_use]
    pub fn at(mut self, unix_seconds: i64) -> Self {
        self.unix_seconds = Some(unix_seconds);
        self
    }

    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) const fn unix_seconds(&self) -> Option<i64> {
        self.unix_seconds
    }

    /// The targeting key, if it is a string.
    pub const fn targeting_key(&self) -> Option<&'a str> {
        match self.targeting_key {
            Attribute::Text(key) => Some(key),
            Attribute::Null | Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Number(_) | Attribute::Texts(_) | Attribute::Json(_) => None,
        }
    }

    /// Whether this is a real user or a synthetic one: [`Traffic::Synthetic`] if the attribute `traffic` is `synthetic`.
    #[inline]
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// All attributes except the targeting key. If two have the same name, the later one counts.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Attribute<'a>)> {
        self.inline.iter().take(self.count).chain(&self.spilled).copied()
    }

    /// All attributes except the targeting key, each name once, with its last value.
    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) fn unique_attributes(&self) -> impl Iterator<Item = (&'a str, Attribute<'a>)> {
        let inline = self.inline.iter().take(self.count).enumerate();
        let last = inline.filter(|(place, (name, _))| {
            let mut later = self.inline.iter().take(self.count).skip(place + 1);
            !later.any(|(own, _)| own == name) && self.spilled_at(name).is_none()
        });
        last.map(|(_, attribute)| *attribute).chain(self.spilled.iter().copied())
    }

    #[inline]
    pub(super) const fn targeting_attribute(&self) -> Attribute<'a> {
        self.targeting_key
    }

    /// Whether a dotted path can reach into an attribute.
    #[inline]
    pub(super) const fn is_nested(&self) -> bool {
        self.nested
    }

    /// The attribute with exactly this name; `Null` if there is none.
    #[inline]
    pub(super) fn get(&self, name: &ShortStr) -> Attribute<'a> {
        if !self.spilled.is_empty()
            && let Some((_, value)) = self.spilled_at(name.text()).and_then(|place| self.spilled.get(place))
        {
            return *value;
        }
        let named = self.fingerprints.iter().zip(&self.inline).take(self.count).rev();
        let mut found = named.filter(|(fingerprint, (own, _))| name.is(**fingerprint, own));
        found.next().map_or(Attribute::Null, |(_, (_, value))| *value)
    }
}

impl<'a> From<&'a str> for Attribute<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Attribute<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [&'a str]> for Attribute<'a> {
    #[inline]
    fn from(texts: &'a [&'a str]) -> Self {
        Self::Texts(texts)
    }
}

impl From<bool> for Attribute<'_> {
    #[inline]
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<f64> for Attribute<'_> {
    #[inline]
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Attribute<'_> {
            #[inline]
            fn from(number: $number) -> Self {
                Self::Integer(i64::from(number))
            }
        }
    )*};
}

whole_numbers!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Attribute<'_> {
    #[inline]
    fn from(number: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits the nearest float has to do")]
        i64::try_from(number).map_or(Self::Number(number as f64), Self::Integer)
    }
}

impl<'a> From<&'a Value> for Attribute<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Number(number) => number.as_i64().map_or_else(|| Self::Number(number.as_f64().unwrap_or(f64::NAN)), Self::Integer),
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => Self::Json(value),
        }
    }
}

impl<T: Into<Self>> From<Option<T>> for Attribute<'_> {
    #[inline]
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl serde::Serialize for Attribute<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => serializer.collect_seq(*texts),
            Self::Json(value) => value.serialize(serializer),
        }
    }
}
