//! Core deterministic CBOR (RFC 8949, 4.2.1): the form in which flagd's third bucketing generation hashes values.

use datalogic_rs::DataValue;
use datalogic_rs::datavalue::NumberValue;

const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;

/// Appends `value`.
pub(super) fn encode(value: &DataValue<'_>, bytes: &mut Vec<u8>) {
    match value {
        DataValue::Bool(false) => bytes.push(0xf4),
        DataValue::Bool(true) => bytes.push(0xf5),
        DataValue::Number(number) => encode_number(*number, bytes),
        DataValue::String(text) => encode_text(text, bytes),
        DataValue::Array(items) => {
            encode_head(ARRAY, items.len() as u64, bytes);
            items.iter().for_each(|item| encode(item, bytes));
        }
        DataValue::Object(members) => {
            let mut encoded: Vec<(Vec<u8>, &DataValue<'_>)> = members.iter().map(|(name, member)| (text(name), member)).collect();
            encoded.sort_by(|(one, _), (other, _)| one.cmp(other));
            encode_head(MAP, encoded.len() as u64, bytes);
            for (name, member) in encoded {
                bytes.extend(name);
                encode(member, bytes);
            }
        }
        DataValue::Null => bytes.push(0xf6),
    }
}

/// The pair that is hashed if no bucketing value is given.
pub(super) fn pair(one: &str, other: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(one.len() + other.len() + 8);
    encode_head(ARRAY, 2, &mut bytes);
    encode_text(one, &mut bytes);
    encode_text(other, &mut bytes);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 4);
    encode_text(text, &mut bytes);
    bytes
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    encode_head(TEXT, text.len() as u64, bytes);
    bytes.extend(text.as_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
fn encode_head(major: u8, argument: u64, bytes: &mut Vec<u8>) {
    match argument {
        0..=23 => bytes.push(major | argument as u8),
        24..=0xff => bytes.extend([major | 0x18, argument as u8]),
        0x100..=0xffff => {
            bytes.push(major | 0x19);
            bytes.extend((argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(major | 0x1a);
            bytes.extend((argument as u32).to_be_bytes());
        }
        _ => {
            bytes.push(major | 0x1b);
            bytes.extend(argument.to_be_bytes());
        }
    }
}

/// Whole numbers as integers, all others as the shortest float that keeps the value.
fn encode_number(number: NumberValue, bytes: &mut Vec<u8>) {
    match number {
        NumberValue::Integer(whole) => encode_whole(i128::from(whole), bytes),
        NumberValue::Float(float) => {
            // Both bounds are powers of two, so they are exact.
            let whole = float.fract() == 0.0 && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&float);
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            if whole {
                encode_whole(float as i128, bytes);
            } else {
                encode_float(float, bytes);
            }
        }
    }
}

fn encode_whole(whole: i128, bytes: &mut Vec<u8>) {
    let (major, argument) = if whole < 0 { (1 << 5, -1 - whole) } else { (0, whole) };
    encode_head(major, u64::try_from(argument).unwrap_or(u64::MAX), bytes);
}

fn encode_float(float: f64, bytes: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original below")]
    let single = float as f32;
    if f64::from(single).to_bits() != float.to_bits() {
        bytes.push(0xfb);
        bytes.extend(float.to_be_bytes());
    } else if let Some(half) = half(single) {
        bytes.push(0xf9);
        bytes.extend(half.to_be_bytes());
    } else {
        bytes.push(0xfa);
        bytes.extend(single.to_be_bytes());
    }
}

/// The 16-bit float of the same value, if there is one.
fn half(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let exponent = i32::try_from((bits >> 23) & 0xff).ok()? - 127;
    let fraction = bits & 0x7f_ffff;
    let encoded = match exponent {
        128 => (fraction == 0).then_some(0x7c00)?,
        -14..=15 => {
            let exponent = u32::try_from(exponent + 15).ok()?;
            (fraction.trailing_zeros() >= 13).then_some((exponent << 10) | (fraction >> 13))?
        }
        -24..=-15 => {
            let shift = u32::try_from(-1 - exponent).ok()?;
            let significand = fraction | 0x80_0000;
            (significand & ((1 << shift) - 1) == 0).then_some(significand >> shift)?
        }
        _ => (bits << 1 == 0).then_some(0)?,
    };
    u16::try_from(sign | encoded).ok()
}
