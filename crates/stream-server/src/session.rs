//! Who streams what.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::SystemTime;

use chunk_store::RootHash;

use crate::export::OpenExport;

/// A session as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its number; never used again.
    pub id: u64,
    /// The export's name.
    pub export: String,
    /// What the client gets.
    pub root: RootHash,
    /// The device in the client's ticket, as the bytes of a UUID, if it brought a good one.
    pub subject: Option<[u8; 16]>,
    /// Where the client is; `unix` for a unix socket.
    pub address: String,
    /// Since when.
    pub connected_at: SystemTime,
    /// Whether the client can be told to move.
    pub is_corral_client: bool,
    /// Bytes of the export sent to it.
    pub bytes: u64,
    /// Bytes that it wrote.
    pub written_bytes: u64,
    /// Requests it made.
    pub requests: u64,
}

/// A session as its connection and the server share it.
pub(crate) struct Session {
    pub(crate) facts: SessionView,
    pub(crate) export: Arc<OpenExport>,
    pub(crate) bytes: AtomicU64,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) requests: AtomicU64,
    is_ended: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Session {
    /// Ends the session soon; its connection is woken to see to it.
    pub(crate) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    pub(crate) fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Who is to be woken when the session is ended or the server changes its mood.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    fn view(&self) -> SessionView {
        SessionView {
            bytes: self.bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            ..self.facts.clone()
        }
    }
}

/// All sessions of a server.
#[derive(Default)]
pub(crate) struct Sessions {
    next_id: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Session>>>,
}

impl Sessions {
    pub(crate) fn begin(&self, facts: SessionView, export: Arc<OpenExport>) -> Arc<Session> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session {
            facts: SessionView { id, ..facts },
            export,
            bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            is_ended: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        self.lock().insert(id, Arc::clone(&session));
        session
    }

    pub(crate) fn forget(&self, session: &Session) {
        self.lock().remove(&session.facts.id);
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// All sessions, oldest first.
    pub(crate) fn views(&self) -> Vec<SessionView> {
        let mut views: Vec<SessionView> =
            self.lock().values().map(|session| session.view()).collect();
        views.sort_unstable_by_key(|view| view.id);
        views
    }

    pub(crate) fn for_each(&self, mut act: impl FnMut(&Session)) {
        let sessions: Vec<Arc<Session>> = self.lock().values().cloned().collect();
        for session in sessions {
            act(&session);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
