//! The one place that reads the clock.

use std::time::{Duration, Instant, SystemTime};

/// The present instant, for everything that measures or waits.
#[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for expiry dates.
#[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
