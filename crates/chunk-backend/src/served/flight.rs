//! Getting a chunk once, however many ask.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::ReadError;

/// Somebody is getting some chunks; the others wait here.
#[derive(Debug, Default)]
pub(super) struct Flight {
    result: Mutex<Option<Result<(), ReadError>>>,
    landed: Condvar,
}

impl Flight {
    /// The first landing counts.
    fn land(&self, result: Result<(), ReadError>) {
        let mut landed = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        landed.get_or_insert(result);
        self.landed.notify_all();
    }

    pub(super) fn wait(&self) -> Result<(), ReadError> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = self
            .landed
            .wait_while(result, |result| result.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        landed.clone().unwrap_or(Ok(()))
    }
}

/// Which chunks somebody is getting.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<u64, Arc<Flight>>>);

/// What there is to do for who wants chunks.
pub(super) enum Claim<'a> {
    /// These are nobody's: get them, and land.
    Mine(Vec<u64>, Landing<'a>),
    /// Somebody else is getting one of them: wait.
    Others(Arc<Flight>),
    /// They are ready.
    Nothing,
}

impl Flights {
    /// Claim what of `chunks` is not ready and nobody gets.
    ///
    /// A chunk is made ready before its flight is taken out, so under the lock it is ready, in flight, or free.
    pub(super) fn claim(&self, chunks: Range<u64>, is_ready: impl Fn(u64) -> bool) -> Claim<'_> {
        let flight = Arc::new(Flight::default());
        let mut claimed = Vec::new();
        let mut other = None;
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for index in chunks.filter(|index| !is_ready(*index)) {
            if let Some(flight) = flights.get(&index) {
                other.get_or_insert_with(|| Arc::clone(flight));
            } else {
                flights.insert(index, Arc::clone(&flight));
                claimed.push(index);
            }
        }
        match other {
            _ if !claimed.is_empty() => {
                let landing = Landing {
                    flights: self,
                    flight,
                    claimed: claimed.clone(),
                };
                Claim::Mine(claimed, landing)
            }
            Some(other) => Claim::Others(other),
            None => Claim::Nothing,
        }
    }

    /// True if one of `chunks` is neither ready nor being got: who waited for it waited in vain.
    pub(super) fn is_any_free(
        &self,
        mut chunks: Range<u64>,
        is_ready: impl Fn(u64) -> bool,
    ) -> bool {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.any(|index| !is_ready(index) && !flights.contains_key(&index))
    }
}

/// Ends a flight however the thread that flies it ends.
pub(super) struct Landing<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
    claimed: Vec<u64>,
}

impl Landing<'_> {
    /// Tell all who wait what came of it.
    pub(super) fn land(self, result: &Result<(), ReadError>) {
        self.take_out();
        self.flight.land(result.clone());
    }

    fn take_out(&self) {
        let mut flights = self
            .flights
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for index in &self.claimed {
            // Only its own: after landing, a chunk that failed may be in the air again.
            if flights
                .get(index)
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
            {
                flights.remove(index);
            }
        }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        // Changes nothing after `land`. After a panic, those who wait look again and get the chunks themselves.
        self.take_out();
        self.flight.land(Ok(()));
    }
}
