//! Percentiles of measured times.

fn percentile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[place]
}

/// The median.
pub fn p50(times: &[f64]) -> f64 {
    percentile(times, 0.5)
}

/// What one in a hundred exceeds.
pub fn p99(times: &[f64]) -> f64 {
    percentile(times, 0.99)
}

/// The mean.
pub fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

/// Seconds, written as microseconds.
pub fn micros(seconds: f64) -> String {
    format!("{:.0} µs", seconds * 1e6)
}
