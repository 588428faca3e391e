//! Delays that grow and are spread, from a seed.

use std::time::Duration;

/// `SplitMix64`: enough to keep a thousand devices from knocking at the same instant.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `delay` times a factor between a half and one and a half.
    pub(crate) fn spread(&mut self, delay: Duration) -> Duration {
        let fraction = u32::try_from(self.next() >> 44).unwrap_or(0); // 20 bits
        delay / 2 + delay.mul_f64(f64::from(fraction) / f64::from(1u32 << 20))
    }
}

/// `first`, doubled `failures` times, at most `longest`.
pub(crate) fn doubled(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(1u32 << failures.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_around_the_delay() {
        let mut jitter = Jitter::new(7);
        let delay = Duration::from_millis(100);
        let drawn: Vec<_> = (0..1000).map(|_| jitter.spread(delay)).collect();
        assert!(drawn.iter().all(|d| *d >= delay / 2 && *d < delay * 3 / 2));
        let mean = drawn.iter().sum::<Duration>() / 1000;
        assert!(mean > delay * 9 / 10 && mean < delay * 11 / 10, "{mean:?}");
    }

    #[test]
    fn doubles_up_to_the_longest() {
        let first = Duration::from_millis(100);
        let longest = Duration::from_secs(2);
        assert_eq!(doubled(first, 0, longest), first);
        assert_eq!(doubled(first, 3, longest), first * 8);
        assert_eq!(doubled(first, u32::MAX, longest), longest);
    }
}
