//! Not faster than allowed: work that shares a line with others gives way.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a wait goes on before it looks whether it was called off, or the rate changed.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// What may be made good after a rest: a line that stood still is not owed a burst.
const BURST: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
struct Shared {
    /// Bytes a second; 0 for as fast as it goes.
    rate: AtomicU64,
    /// When the next byte may come.
    due: Mutex<Option<Instant>>,
}

/// A rate that may be changed from another thread while the work goes on. A clone is the same pace: several works that have
/// it take no more than the rate together.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<Shared>);

impl Pace {
    /// As fast as it goes, at first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Let no more than so many bytes a second come from now on.
    pub fn set(&self, bytes_a_second: Option<u64>) {
        self.0.rate.store(bytes_a_second.unwrap_or(0), Relaxed);
    }

    pub(crate) fn rate(&self) -> Option<u64> {
        Some(self.0.rate.load(Relaxed)).filter(|rate| *rate > 0)
    }

    /// Note that `bytes` came at `now`; gives when the next may be asked for.
    pub(crate) fn note(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let rate = self.rate()?;
        let mut due = match self.0.due.lock() {
            Ok(due) => due,
            Err(poisoned) => poisoned.into_inner(),
        };
        let from = due
            .unwrap_or(now)
            .max(now.checked_sub(BURST).unwrap_or(now));
        let next = from + duration_of(bytes, rate);
        *due = Some(next);
        Some(next)
    }

    /// Wait until more may be asked for, unless `is_called_off`.
    pub(crate) fn wait(&self, due: Instant, is_called_off: &dyn Fn() -> bool) {
        let rate = self.rate();
        loop {
            let left = due.saturating_duration_since(now());
            // A new rate counts from the next batch on.
            if left.is_zero() || is_called_off() || self.rate() != rate {
                return;
            }
            std::thread::park_timeout(left.min(LOOK));
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a rate is bytes in real time; what is decided from it takes `now` as an argument"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn duration_of(bytes: u64, rate: u64) -> Duration {
    let whole = Duration::from_secs(bytes / rate);
    let rest = u128::from(bytes % rate) * 1_000_000_000 / u128::from(rate);
    whole + Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_at_the_rate_however_they_are_cut() {
        let start = now();
        for parts in [1, 10, 1000] {
            let pace = Pace::default();
            pace.set(Some(1_000_000));
            let mut due = start;
            for _ in 0..parts {
                due = pace.note(5_000_000 / parts, due).unwrap();
            }
            let took = due - start;
            let asked = Duration::from_secs(5);
            assert!(took <= asked && took + BURST >= asked, "{parts}: {took:?}");
        }
    }

    #[test]
    fn works_at_one_pace_come_no_faster_together() {
        let start = now();
        let (one, other) = (Pace::new(), Pace::new());
        one.set(Some(1000));
        other.set(Some(1000));
        let alone = other.note(1000, start).unwrap();
        let beside = one.clone();
        assert_eq!(one.note(1000, start).unwrap() - start, alone - start);
        assert_eq!(
            beside.note(1000, start).unwrap(),
            alone + Duration::from_secs(1)
        );
        beside.set(None);
        assert_eq!(one.rate(), None);
    }

    #[test]
    fn a_rest_saves_up_no_more_than_a_short_burst() {
        let start = now();
        let pace = Pace::default();
        pace.set(Some(1000));
        pace.note(1000, start);
        let later = start + Duration::from_mins(1);
        let due = pace.note(1000, later).unwrap();
        assert_eq!(due - later + BURST, Duration::from_secs(1));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let pace = Pace::default();
        assert_eq!(pace.note(u64::MAX, now()), None);
        pace.set(Some(7));
        pace.set(None);
        assert_eq!(pace.rate(), None);
    }

    #[test]
    fn a_wait_ends_when_it_is_called_off() {
        let pace = Pace::default();
        pace.set(Some(1));
        pace.wait(now() + Duration::from_hours(1), &|| true);
    }
}
