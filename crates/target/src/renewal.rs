//! Keeps a running disk's ticket good: logs in again for the root that runs, well before the ticket ends.
//!
//! The disk under a running system never changes. A new version or another assignment is for the next start.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use failover::Footing;
use tokio::time::sleep;

use crate::cache::{CacheUse, Meter, Told};
use crate::clock;
use crate::config::{Login, LoginAnswer};
use crate::journal::note;
use crate::login::{Asking, log_in};
use crate::upstream::Upstream;
use crate::worker::Memory;

pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(1);
pub(crate) const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// Losing every server is usual while they restart; the farm is asked only after this, and then less and less often.
const LOGIN_AFTER_LOSS: Duration = Duration::from_secs(5);
/// A disk with no spare server asks the farm for more at first after a while, for servers restart, and then ever less often.
const LOOK_FOR_SPARE: Duration = Duration::from_mins(1);
const LONGEST_WITHOUT_SPARE: Duration = Duration::from_mins(10);
/// Devices that are asked to move at once log in one after the other.
const LOGIN_BEFORE_MOVE: Duration = Duration::from_millis(500);
/// Time between two looks at the device's own write cache. A disk that is written at full speed fills some GiB in it.
const CACHE_LOOK: Duration = Duration::from_secs(5);
/// No ticket is believed to live longer: the clock may be years behind on a machine that has just started.
const LONGEST_LIFE: Duration = Duration::from_hours(7 * 24);

/// Logs in again when the ticket's time comes, and when no server is left, none to move to, none that admits this device, or no spare:
/// then again and again, for the farm may know of another server at any time. The list of the last login may have been made while
/// others were away.
pub(crate) async fn keep_logged_in(
    upstream: Upstream,
    login: Login,
    mut answer: LoginAnswer,
    memory: Rc<dyn Memory>,
    meter: Option<Meter>,
) {
    let mut least = FIRST_RETRY;
    let mut told = Told::default();
    let mut footing = Footing::Lost;
    let mut again = first_wait(footing);
    loop {
        let mut is_move = false;
        if upstream.footing() != footing {
            footing = upstream.footing();
            again = first_wait(footing);
        }
        tokio::select! {
            () = sleep(until_renewal(answer.expires_at, clock::unix_seconds(), fraction()).max(least)) => {}
            () = upstream.login_wanted() => sleep(spread(LOGIN_AFTER_LOSS)).await,
            () = upstream.move_wanted() => {
                sleep(spread(LOGIN_BEFORE_MOVE)).await;
                is_move = true;
            }
            () = has_news(meter.as_ref(), &told) => {}
            () = sleep(spread(again)) => {
                if footing == Footing::Firm || upstream.footing() != footing {
                    continue;
                }
                again = (again * 2).min(longest_wait(footing));
            }
        }
        let cache = meter.as_ref().and_then(Meter::use_now);
        let renewal = renew(&login, &answer, cache.as_ref()).await;
        if let Some(cache) = cache {
            told.told(&cache, clock::now());
        }
        least = match renewal {
            Renewal::Renewed(new) => {
                note!("the ticket for {} was renewed", new.export);
                answer = new;
                FIRST_RETRY
            }
            Renewal::OtherRoot(new) => {
                note!(
                    "the farm answered for {}, which is used from the next start on; the old ticket is kept",
                    new.export
                );
                // What was written to a disk is on its own server only.
                if !answer.writable {
                    answer.servers = new.servers;
                    answer.certificate_authority = new.certificate_authority;
                }
                LONGEST_RETRY
            }
            Renewal::Unknown => {
                note!(
                    "the farm does not know {} as this device's any more; the old ticket is kept",
                    answer.export
                );
                LONGEST_RETRY
            }
        };
        memory.keep(&answer);
        upstream.follow(&answer);
        if is_move {
            upstream.move_to_first();
        }
    }
}

fn first_wait(footing: Footing) -> Duration {
    match footing {
        Footing::Lost => LOGIN_AFTER_LOSS,
        Footing::Alone | Footing::Firm => LOOK_FOR_SPARE,
    }
}

fn longest_wait(footing: Footing) -> Duration {
    match footing {
        Footing::Lost => LONGEST_RETRY,
        Footing::Alone | Footing::Firm => LONGEST_WITHOUT_SPARE,
    }
}

enum Renewal {
    Renewed(LoginAnswer),
    /// From a farm of a release that does not read what runs: its servers are of use, its ticket is not.
    OtherRoot(LoginAnswer),
    /// The farm has no ticket for what runs.
    Unknown,
}

/// Waits until the farm should hear how full the device's own write cache is.
async fn has_news(cache: Option<&Meter>, told: &Told) {
    let Some(cache) = cache else {
        return std::future::pending().await;
    };
    loop {
        sleep(spread(CACHE_LOOK)).await;
        if cache
            .use_now()
            .is_some_and(|found| told.is_due(&found, clock::now()))
        {
            return;
        }
    }
}

/// Asks until the farm has decided.
async fn renew(login: &Login, answer: &LoginAnswer, cache: Option<&CacheUse>) -> Renewal {
    let mut delay = FIRST_RETRY;
    loop {
        let asking = Asking {
            running: answer.root.as_deref(),
            cache: cache.cloned(),
            has_cache_disk: None,
        };
        match log_in(login, asking).await {
            Ok(new) if is_same_disk(&new, answer) => return Renewal::Renewed(new),
            Ok(new) => return Renewal::OtherRoot(new),
            Err(error) if error.is_running_version_unknown() => return Renewal::Unknown,
            Err(_) => sleep(spread(delay)).await,
        }
        delay = (delay * 2).min(LONGEST_RETRY);
    }
}

/// Whether the answer is for what runs. A disk that is written is never exchanged for another, be it over the same version.
fn is_same_disk(new: &LoginAnswer, running: &LoginAnswer) -> bool {
    new.root == running.root
        && new.writable == running.writable
        && (!running.writable || new.export == running.export)
}

/// Between a half and three quarters of what is left, so that devices that started at once do not renew at once,
/// and a farm that is away has the rest to come back in. `fraction` is in 0..1.
fn until_renewal(expires_at: Option<u64>, unix_seconds: u64, fraction: f64) -> Duration {
    let Some(expires_at) = expires_at else {
        return Duration::MAX / 4;
    };
    let left = Duration::from_secs(expires_at.saturating_sub(unix_seconds));
    if left.is_zero() {
        // It has ended, or this machine's clock is ahead and it would seem so of every ticket.
        return LONGEST_RETRY.mul_f64(0.5 + fraction);
    }
    left.min(LONGEST_LIFE).mul_f64(0.5 + fraction / 4.0)
}

/// `delay` times a factor between a half and one and a half.
pub(crate) fn spread(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fraction())
}

/// Another one at each call, and on each device.
fn fraction() -> f64 {
    let drawn = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 24 * 3600;

    #[test]
    fn renews_in_the_third_quarter_of_what_is_left() {
        let ends = Some(NOW + 7 * DAY);
        assert_eq!(until_renewal(ends, NOW, 0.0), Duration::from_hours(84));
        assert!(until_renewal(ends, NOW, 0.999) < Duration::from_hours(126));
        let short = Some(NOW + 4);
        assert_eq!(until_renewal(short, NOW, 0.5), Duration::from_millis(2500));
    }

    #[test]
    fn a_clock_that_is_wrong_neither_floods_the_farm_nor_forgets_the_ticket() {
        let ends = Some(NOW + 7 * DAY);
        assert!(until_renewal(ends, NOW + 30 * DAY, 0.0) >= Duration::from_secs(30));
        assert!(until_renewal(ends, 0, 0.999) < Duration::from_hours(7 * 24));
    }

    #[test]
    fn delays_are_spread() {
        let drawn: Vec<_> = (0..100).map(|_| spread(LONGEST_RETRY)).collect();
        assert!(
            drawn
                .iter()
                .all(|delay| *delay >= LONGEST_RETRY / 2 && *delay < LONGEST_RETRY * 3 / 2)
        );
        assert!(drawn.iter().any(|delay| *delay != drawn[0]));
    }
}
