//! Latencies in buckets that grow with their value: at most 1.6 % wide, no allocation while recording.

use std::time::Duration;

const STEPS: usize = 64;
const OCTAVES: usize = 40;

/// Counts of latencies in nanoseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; STEPS * OCTAVES],
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanoseconds).min(self.counts.len() - 1);
        self.counts[bucket] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// The lower edge, in microseconds, of the bucket that holds the given share of all latencies.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let total: u64 = self.counts.iter().sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return edge_of(bucket) as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// Below `STEPS` one bucket for each value; above, `STEPS` buckets for each doubling.
fn bucket_of(value: u64) -> usize {
    let steps = STEPS as u64;
    if value < steps {
        return usize::try_from(value).unwrap_or(0);
    }
    let octave = value.ilog2() - steps.ilog2();
    let within = (value >> octave) - steps;
    usize::try_from(u64::from(octave + 1) * steps + within).unwrap_or(usize::MAX)
}

fn edge_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let octave = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS) as u64) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_within_its_bucket() {
        for value in [0, 1, 63, 64, 65, 127, 128, 1_000, 25_600, 1_000_000_007] {
            let bucket = bucket_of(value);
            assert!(
                edge_of(bucket) <= value && value < edge_of(bucket + 1),
                "{value}"
            );
        }
    }

    #[test]
    fn the_median_of_two_groups_is_the_lower_one_until_the_upper_outweighs_it() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_micros(10));
        histogram.record(Duration::from_micros(10));
        histogram.record(Duration::from_micros(500));
        assert!((histogram.quantile_us(0.5) - 10.0).abs() < 0.2);
        assert!((histogram.quantile_us(1.0) - 500.0).abs() < 8.0);
    }
}
