//! What all simulations of gates share.

/// Seconds that a gate is read, once each.
pub const SECONDS: usize = 3_600;
/// Samples of each side before a gate decides.
pub const MIN_SAMPLES: u64 = 500;

/// The median of sorted seconds.
pub fn median(found: &[usize]) -> String {
    found.get(found.len() / 2).map_or_else(|| "never".to_owned(), |second| format!("{second} s"))
}

/// Marsaglia's xorshift: the same figures on every machine.
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 up to 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn throw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A part of a whole.
#[allow(clippy::cast_precision_loss, reason = "counts are small")]
pub fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
