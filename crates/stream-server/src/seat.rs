//! The one place from which a disk is written.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::{Tally, add};
use crate::session::Session;

/// A disk has one writer. Who comes later is newer: the device started anew, or noticed a broken connection before the server
/// did. So the one before is ended, and the new one is let in when the last thing that was begun for it is done.
pub(crate) struct Seat {
    place: Arc<Semaphore>,
    /// How many have asked for the place.
    asked: AtomicU64,
    /// Weak, because a session knows its export, which knows this.
    session: Mutex<Weak<Session>>,
}

/// The right to write. Whatever is done for a writer holds it, so that the last to be done gives the place back.
#[derive(Clone)]
pub(crate) struct Seated {
    _permit: Arc<OwnedSemaphorePermit>,
    seat: Arc<Seat>,
    number: u64,
}

impl Default for Seat {
    fn default() -> Self {
        Self {
            place: Arc::new(Semaphore::new(1)),
            asked: AtomicU64::new(0),
            session: Mutex::default(),
        }
    }
}

impl Seat {
    /// Ends whoever is there, and waits until nothing is done for it any more. `None` if a still newer one has come meanwhile.
    pub(crate) async fn take(self: Arc<Self>, tally: &Tally) -> Option<Seated> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let before = mem::take(&mut *self.lock()).upgrade();
        if let Some(session) = before.filter(|session| !session.is_ended()) {
            session.end();
            add(&tally.taken_over, 1);
        }
        let permit = Arc::clone(&self.place).acquire_owned().await.ok()?;
        if self.asked.load(Ordering::Acquire) != number {
            return None;
        }
        Some(Seated {
            _permit: Arc::new(permit),
            seat: self,
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    /// Says which session is to be ended when a newer one comes; ends it at once if one has.
    pub(crate) fn is_held_by(&self, session: &Arc<Session>) {
        let mut place = self.seat.lock();
        if self.seat.asked.load(Ordering::Acquire) == self.number {
            *place = Arc::downgrade(session);
        } else {
            session.end();
        }
    }
}
