//! Splits: weights over variants, bucketed by an attribute.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde_json::{Value, json};

use crate::condition::AttributePath;
use crate::key::VariantName;
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::text::grouped;
use crate::validation::ValidationErrors;
use crate::variant::VariantNames;

/// 100 %, in the unit of [`Weight::Percent`].
const WHOLE: u64 = 100_000;
const MEMBERS: [&str; 4] = ["split", "by", "salt", "hash"];
const SHARE_MEMBERS: [&str; 2] = ["variant", "weight"];

/// A weight, as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A whole number.
    Count(u32),
    /// A percentage in thousandths of a percent (`25%` is 25 000). Either all weights of a split are percentages or none.
    Percent(u32),
}

impl Weight {
    /// The weight as a share of [`Split::total`].
    pub const fn units(self) -> u32 {
        match self {
            Self::Count(units) | Self::Percent(units) => units,
        }
    }

    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        match value {
            Value::Number(number) => match whole(number)
                .and_then(|whole| u32::try_from(whole).ok())
                .filter(|count| u64::from(*count) <= limits::WEIGHT_SUM)
            {
                Some(count) => Ok(Self::Count(count)),
                None => reader.refuse(format!(
                    "{number} is not a weight; it must be a whole number from 0 to {}, or a percentage such as \"12.5%\"",
                    grouped(limits::WEIGHT_SUM)
                )),
            },
            Value::String(text) => match percent(text) {
                Some(thousandths) => Ok(Self::Percent(thousandths)),
                None => reader.refuse(format!(
                    "{text:?} is not a weight; a percentage is written \"25%\" or \"0.125%\": 0 to 100, with at most three decimals"
                )),
            },
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                reader.refuse(format!("must be a whole number or a percentage such as \"25%\", not {}", reader::kind(value)))
            }
        }
    }
}

/// A whole number, written as `10` or `10.0`.
fn whole(number: &serde_json::Number) -> Option<u64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=4_294_967_295.0).contains(float));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and within 32 bits")]
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

/// `12.5%` → 12 500. `None` if it has more than three decimals or exceeds 100 %.
pub(crate) fn percent(text: &str) -> Option<u32> {
    let text = text.strip_suffix('%')?.trim_end();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole, 3) || !digits(decimals, 3) {
        return None;
    }
    let thousandths = whole.parse::<u32>().ok()? * 1_000 + format!("{decimals:0<3}").parse::<u32>().ok()?;
    (u64::from(thousandths) <= WHOLE).then_some(thousandths)
}

/// `25`, or `12.5%`.
impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(thousandths) => {
                let (whole, decimals) = (thousandths / 1_000, thousandths % 1_000);
                let decimals = format!("{decimals:03}");
                let decimals = decimals.trim_end_matches('0');
                if decimals.is_empty() {
                    write!(f, "{whole}%")
                } else {
                    write!(f, "{whole}.{decimals}%")
                }
            }
        }
    }
}

impl serde::Serialize for Weight {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

/// How the attribute's value is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitHash {
    /// Salt and value as one text; a value that is missing, empty or not a scalar serves the default variant.
    #[default]
    Text,
    /// As flagd's `fractional` does it, so that an imported flag keeps every user where they are. Without a salt the value alone is
    /// hashed, or, if there is no `by` either, flag key and targeting key. See [`Split::fractional`].
    Flagd,
}

impl SplitHash {
    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        if reader.text(value)? == "flagd" {
            return Ok(Self::Flagd);
        }
        reader.refuse(format!("{value} is not a way to hash; it can only be \"flagd\", or be left out"))
    }
}

/// One share of a split.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    /// The variant of this share.
    pub variant: VariantName,
    /// The weight of this share.
    pub weight: Weight,
}

/// Shares whose weights sum to 1 ..= 2^31-1, or to 100 % if they are percentages. Their order determines who gets which variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    shares: Vec<Share>,
    by: Option<AttributePath>,
    salt: Option<String>,
    hash: SplitHash,
}

impl Split {
    /// Checks the weights. `by` is the bucketing attribute (`None` = `targetingKey`), and `salt` is hashed before its
    /// value (`None` = the flag's key).
    pub fn new(shares: Vec<Share>, by: Option<AttributePath>, salt: Option<String>) -> Result<Self, ValidationErrors> {
        check_salt(salt.as_deref())?;
        check_weights(&shares).map_err(|problem| ValidationErrors::one("split", problem))?;
        Ok(Self {
            shares,
            by,
            salt,
            hash: SplitHash::default(),
        })
    }

    /// The same split with values hashed in this way.
    #[must_use]
    pub const fn hashed(mut self, hash: SplitHash) -> Self {
        self.hash = hash;
        self
    }

    /// The same line with other shares on it.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn with_shares(&self, shares: Vec<Share>) -> Result<Self, ValidationErrors> {
        Self::new(shares, self.by.clone(), self.salt.clone()).map(|split| split.hashed(self.hash))
    }

    /// Whether every user stands at the same place of both lines.
    pub fn is_on_the_line_of(&self, other: &Self) -> bool {
        self.by == other.by && self.salt == other.salt && self.hash == other.hash
    }

    /// How values are hashed.
    pub const fn hash(&self) -> SplitHash {
        self.hash
    }

    /// The split as flagd's operator, if it is hashed so. It means the same in every engine of one bucketing generation.
    pub fn fractional(&self) -> Option<Value> {
        if self.hash == SplitHash::Text {
            return None;
        }
        let by = || json!({"var": self.by.as_ref().map_or("targetingKey", AttributePath::as_str)});
        let value = match (&self.salt, &self.by) {
            (Some(salt), _) => Some(json!({"cat": [salt, by()]})),
            (None, Some(_)) => Some(by()),
            (None, None) => None,
        };
        let shares = self.shares.iter().map(|share| json!([share.variant, share.weight.units()]));
        Some(json!({"fractional": value.into_iter().chain(shares).collect::<Vec<_>>()}))
    }

    /// The shares, in order.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// The bucketing attribute; `None` = `targetingKey`.
    pub const fn by(&self) -> Option<&AttributePath> {
        self.by.as_ref()
    }

    /// What is hashed before the attribute's value; `None` = the flag's key.
    pub fn salt(&self) -> Option<&str> {
        self.salt.as_deref()
    }

    /// The sum of all weights, 1 to 2^31-1.
    pub fn total(&self) -> u32 {
        self.shares.iter().fold(0, |sum, share| sum.saturating_add(share.weight.units()))
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a split", &MEMBERS, &[]);
        let by = reader.optional(map, "by", AttributePath::read);
        let salt = reader.optional(map, "salt", |reader, value| reader.text(value).map(str::to_owned));
        let shares = reader.required(map, "split", "a list of shares", |reader, value| {
            reader.items(value, limits::SHARES, |reader, share| read_share(reader, share, names))
        })?;
        let hash = reader.optional(map, "hash", SplitHash::read).unwrap_or_default();
        let split = Self::new(shares, by, salt).or_else(|faults| reader.refuse_all(faults))?;
        Ok(split.hashed(hash))
    }
}

fn read_share(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Share> {
    let map = reader.object(value)?;
    reader.members(map, "a share", &SHARE_MEMBERS, &[]);
    let variant = reader.required(map, "variant", "the name of a variant", |reader, value| names.read(reader, value));
    let weight = reader.required(map, "weight", "a whole number or a percentage such as \"25%\"", Weight::read);
    Ok(Share {
        variant: variant?,
        weight: weight?,
    })
}

fn check_salt(salt: Option<&str>) -> Result<(), ValidationErrors> {
    let length = salt.map_or(1, |salt| salt.chars().count());
    if (1..=limits::NAME_CHARACTERS).contains(&length) {
        return Ok(());
    }
    Err(ValidationErrors::one(
        "salt",
        format!(
            "has {length} characters; it must have 1 to {}, or be left out for the flag's key",
            limits::NAME_CHARACTERS
        ),
    ))
}

fn check_weights(shares: &[Share]) -> Result<(), String> {
    if shares.is_empty() {
        return Err("is empty; a split needs at least one share".to_owned());
    }
    let percentages = shares.iter().filter(|share| matches!(share.weight, Weight::Percent(_))).count();
    let sum: u64 = shares.iter().map(|share| u64::from(share.weight.units())).sum();
    if percentages != 0 && percentages != shares.len() {
        return Err("mixes counts and percentages; use one of them for all weights of a split".to_owned());
    }
    if percentages != 0 && sum != WHOLE {
        let sum = Weight::Percent(u32::try_from(sum).unwrap_or(u32::MAX));
        return Err(format!("sums to {sum}; the percentages of a split must sum to 100%"));
    }
    if sum == 0 {
        return Err("sums to 0; at least one weight must be greater than 0".to_owned());
    }
    if sum > limits::WEIGHT_SUM {
        let (sum, most) = (grouped(sum), grouped(limits::WEIGHT_SUM));
        return Err(format!("sums to {sum}; the weights of a split can sum to at most {most}"));
    }
    Ok(())
}

impl serde::Serialize for Split {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("split", &self.shares)?;
        if let Some(by) = &self.by {
            map.serialize_entry("by", by)?;
        }
        if let Some(salt) = &self.salt {
            map.serialize_entry("salt", salt)?;
        }
        if self.hash == SplitHash::Flagd {
            map.serialize_entry("hash", "flagd")?;
        }
        map.end()
    }
}
