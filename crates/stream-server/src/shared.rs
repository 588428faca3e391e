//! What all connections of a server share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::admission::Admission;
use crate::counters::Tally;
use crate::export::{Export, ExportTable};
use crate::session::Sessions;
use crate::settings::Limits;
use crate::ticket::TicketKey;
use crate::tls::Shown;

/// Whether clients are welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Serving,
    /// No new logins; Corral clients are told to move.
    Draining,
    /// What comes now is answered "shutting down".
    Stopping,
}

pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) admission: Admission,
    pub(crate) key: TicketKey,
    pub(crate) certificate: Arc<Shown>,
    pub(crate) sessions: Sessions,
    /// Open connections, logged in or not.
    pub(crate) connections: AtomicUsize,
    /// One for each reactor.
    pub(crate) tallies: Vec<Arc<Tally>>,
    exports: RwLock<Arc<ExportTable>>,
    /// Devices, as in their tickets, that the farm wants elsewhere.
    movers: RwLock<HashSet<[u8; 16]>>,
    mood: AtomicU8,
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        key: TicketKey,
        certificate: Arc<Shown>,
        reactors: usize,
    ) -> Self {
        Self {
            admission: Admission::new(&limits),
            limits,
            key,
            certificate,
            sessions: Sessions::default(),
            connections: AtomicUsize::new(0),
            tallies: (0..reactors).map(|_| Arc::default()).collect(),
            exports: RwLock::default(),
            movers: RwLock::default(),
            mood: AtomicU8::new(0),
        }
    }

    pub(crate) fn exports(&self) -> Arc<ExportTable> {
        Arc::clone(&self.exports.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the exports and ends the sessions of those that are gone.
    pub(crate) fn replace_exports(&self, exports: Vec<Export>) {
        let table = {
            let mut current = self.exports.write().unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(current.replaced_by(exports));
            Arc::clone(&current)
        };
        self.sessions.for_each(|session| {
            if !table.still_has(&session.export) {
                session.end();
            }
        });
    }

    /// Replaces the devices that are asked to move.
    pub(crate) fn replace_movers(&self, devices: HashSet<[u8; 16]>) {
        *self.movers.write().unwrap_or_else(PoisonError::into_inner) = devices;
    }

    /// Whether the farm wants the device of a session elsewhere.
    pub(crate) fn is_to_move(&self, subject: Option<&[u8; 16]>) -> bool {
        let movers = self.movers.read().unwrap_or_else(PoisonError::into_inner);
        subject.is_some_and(|subject| movers.contains(subject))
    }

    pub(crate) fn mood(&self) -> Mood {
        match self.mood.load(Ordering::Acquire) {
            0 => Mood::Serving,
            1 => Mood::Draining,
            _ => Mood::Stopping,
        }
    }

    /// Changes the mood, unless the server is already stopping.
    pub(crate) fn set_mood(&self, mood: Mood) {
        let number = match mood {
            Mood::Serving => 0,
            Mood::Draining => 1,
            Mood::Stopping => 2,
        };
        let _ = self
            .mood
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < 2).then_some(number)
            });
    }
}
