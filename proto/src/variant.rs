//! The variants of a flag, in the order of its definition.

use indexmap::IndexMap;

use crate::key::VariantName;
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::value::{Value, ValueType};

/// 1 to 64 named values of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct Variants {
    values: IndexMap<VariantName, Value>,
    value_type: ValueType,
}

impl Variants {
    /// Number of variants: 1 to 64.
    #[expect(clippy::len_without_is_empty, reason = "a flag has at least one variant")]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The type of all variants.
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The index of `name` in the order of the definition.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.values.get_index_of(name)
    }

    /// Name and value at an index.
    pub fn at(&self, index: usize) -> Option<(&VariantName, &Value)> {
        self.values.get_index(index)
    }

    /// All variants, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&VariantName, &Value)> {
        self.values.iter()
    }

    /// The names of the variants, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &VariantName> {
        self.values.keys()
    }

    pub(crate) fn read(reader: &mut Reader, value: &serde_json::Value) -> Read<Self> {
        let map = reader.object(value)?;
        if map.is_empty() || map.len() > limits::VARIANTS {
            return reader.refuse(format!("has {} variants; a flag has 1 to {}", map.len(), limits::VARIANTS));
        }
        let first = map.iter().find_map(|(name, value)| Some((name.as_str(), value_type_of(value)?)));
        let read: Vec<_> = map
            .iter()
            .map(|(name, value)| reader.within(name, |reader| read_variant(reader, name, value, first)))
            .collect();
        let values: IndexMap<_, _> = read.into_iter().collect::<Read<_>>()?;
        let value_type = values.first().map_or(ValueType::Boolean, |(_, value)| value.value_type());
        Ok(Self { values, value_type })
    }
}

const fn value_type_of(value: &serde_json::Value) -> Option<ValueType> {
    match value {
        serde_json::Value::Bool(_) => Some(ValueType::Boolean),
        serde_json::Value::Number(_) => Some(ValueType::Number),
        serde_json::Value::String(_) => Some(ValueType::String),
        serde_json::Value::Object(_) => Some(ValueType::Object),
        serde_json::Value::Null | serde_json::Value::Array(_) => None,
    }
}

fn read_variant(reader: &mut Reader, name: &str, value: &serde_json::Value, first: Option<(&str, ValueType)>) -> Read<(VariantName, Value)> {
    let checked = VariantName::new(name).or_else(|faults| reader.refuse_all(faults));
    let value = Value::read(reader, value)?;
    if let Some((other, value_type)) = first.filter(|(_, value_type)| *value_type != value.value_type()) {
        return reader.refuse(format!(
            "is of type {}, but {other:?} is of type {value_type}; all variants of a flag have one type",
            value.value_type()
        ));
    }
    Ok((checked?, value))
}

impl serde::Serialize for Variants {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.values)
    }
}

/// The names of the variants that a rule may serve; unknown if the flag's variants cannot be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VariantNames<'a>(pub(crate) Option<&'a serde_json::Map<String, serde_json::Value>>);

impl VariantNames<'_> {
    /// Reads the name of a variant.
    pub(crate) fn read(self, reader: &mut Reader, value: &serde_json::Value) -> Read<VariantName> {
        let name: VariantName = reader.parsed(value)?;
        match self.0 {
            Some(names) if !names.contains_key(name.as_str()) => {
                let known = reader::quoted(names.keys().map(String::as_str));
                reader.refuse(format!("\"{name}\" is not a variant of this flag; it has {known}"))
            }
            Some(_) | None => Ok(name),
        }
    }

    /// Reads the name of a variant, or null for the caller's own default.
    pub(crate) fn read_or_null(self, reader: &mut Reader, value: &serde_json::Value) -> Read<Option<VariantName>> {
        if value.is_null() { Ok(None) } else { self.read(reader, value).map(Some) }
    }
}
