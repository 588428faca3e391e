//! The only place where this crate reads a clock.

#![allow(
    clippy::disallowed_methods,
    reason = "sockets have deadlines, and tickets end"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970, as tickets count them.
pub(crate) fn unix_seconds() -> u64 {
    wall_clock()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
