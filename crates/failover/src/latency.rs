//! What is usual on a connection.

use std::time::Duration;

const KEPT: usize = 128;
const REFRESH_EVERY: usize = 16;
const NEEDED: usize = 16;

/// The last answers' latencies and, from them, when a read is late.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    kept: [Duration; KEPT],
    seen: usize,
    high: Option<Duration>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            kept: [Duration::ZERO; KEPT],
            seen: 0,
            high: None,
        }
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        if let Some(slot) = self.kept.get_mut(self.seen % KEPT) {
            *slot = latency;
        }
        self.seen += 1;
        if self.seen.is_multiple_of(REFRESH_EVERY) {
            self.high = self.second_longest();
        }
    }

    /// The second longest of the last 128: with a full window the 99th percentile, and one outlier does not move it.
    pub(crate) fn high(&self) -> Option<Duration> {
        self.high
    }

    fn second_longest(&self) -> Option<Duration> {
        let filled = self.kept.get(..self.seen.min(KEPT))?;
        if filled.len() < NEEDED {
            return None;
        }
        let mut two = [Duration::ZERO; 2];
        for &latency in filled {
            if latency > two[0] {
                two = [latency, two[0]];
            } else if latency > two[1] {
                two[1] = latency;
            }
        }
        Some(two[1])
    }
}

/// Samples that a distance is judged by.
const JUDGED_BY: usize = 4;

/// Round trips of an idle connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrips {
    smoothed: Option<Duration>,
    last: [Duration; JUDGED_BY],
    seen: usize,
}

impl RoundTrips {
    pub(crate) fn add(&mut self, sample: Duration) {
        if let Some(slot) = self.last.get_mut(self.seen % JUDGED_BY) {
            *slot = sample;
        }
        self.seen = self.seen.wrapping_add(1);
        // As TCP does it: an eighth of each new sample.
        self.smoothed = Some(
            self.smoothed
                .map_or(sample, |old| old.mul_f64(0.875) + sample / 8),
        );
    }

    /// For people to see.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The distance, to act on: the least of the last four, because one lost packet makes a near server look far, and
    /// nothing makes a far one look near.
    pub(crate) fn distance(&self) -> Option<Duration> {
        self.last
            .iter()
            .min()
            .copied()
            .filter(|_| self.seen >= JUDGED_BY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn knows_nothing_from_few_answers() {
        let mut latencies = Latencies::new();
        (0..15).for_each(|_| latencies.add(MS));
        assert_eq!(latencies.high(), None);
        latencies.add(MS);
        assert_eq!(latencies.high(), Some(MS));
    }

    #[test]
    fn one_lost_packet_makes_no_server_far() {
        let mut trips = RoundTrips::default();
        for sample in [1, 200, 1] {
            trips.add(sample * MS);
        }
        assert_eq!(trips.distance(), None);
        trips.add(200 * MS);
        assert_eq!(trips.distance(), Some(MS));
        (0..4).for_each(|_| trips.add(40 * MS));
        assert_eq!(trips.distance(), Some(40 * MS));
    }

    #[test]
    fn one_outlier_does_not_move_it_and_two_do() {
        let mut latencies = Latencies::new();
        latencies.add(900 * MS);
        (0..127).for_each(|_| latencies.add(MS));
        assert_eq!(latencies.high(), Some(MS));
        (0..2).for_each(|_| latencies.add(900 * MS));
        (0..126).for_each(|_| latencies.add(MS));
        assert_eq!(latencies.high(), Some(900 * MS));
        (0..128).for_each(|_| latencies.add(2 * MS));
        assert_eq!(latencies.high(), Some(2 * MS));
    }
}
