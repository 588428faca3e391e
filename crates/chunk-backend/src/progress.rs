//! How far a long operation is, readable from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::pace::{LOOK, Pace, now};

#[derive(Debug, Default)]
struct Counters {
    total_bytes: AtomicU64,
    done_bytes: AtomicU64,
    new_chunks: AtomicU64,
    new_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    awaited: AtomicU64,
    is_cancelled: AtomicBool,
    pace: Pace,
}

/// Shared between the thread that works and those that watch or cancel; a clone is the same progress.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counters>);

/// True if there is such work and it was cancelled.
pub(crate) fn is_called_off(work: Option<&Progress>) -> bool {
    work.is_some_and(Progress::is_cancelled)
}

/// What a [`Progress`] showed at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressValues {
    /// Bytes of the whole work (plain bytes; 0 until it is known).
    pub total_bytes: u64,
    /// Bytes of it that are done.
    pub done_bytes: u64,
    /// Chunks that were new to the store: stored, or fetched from a peer.
    pub new_chunks: u64,
    /// Their plain bytes.
    pub new_bytes: u64,
    /// Bytes that they take in packs.
    pub stored_bytes: u64,
    /// Writers whose end is waited for.
    pub awaited: u64,
}

impl Progress {
    /// A progress at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// A progress at zero of work that shares `pace` with others.
    pub fn at(pace: Pace) -> Self {
        Self(Arc::new(Counters {
            pace,
            ..Counters::default()
        }))
    }

    /// What it shows now.
    pub fn values(&self) -> ProgressValues {
        let counters = &self.0;
        ProgressValues {
            total_bytes: counters.total_bytes.load(Relaxed),
            done_bytes: counters.done_bytes.load(Relaxed),
            new_chunks: counters.new_chunks.load(Relaxed),
            new_bytes: counters.new_bytes.load(Relaxed),
            stored_bytes: counters.stored_bytes.load(Relaxed),
            awaited: counters.awaited.load(Relaxed),
        }
    }

    /// Let the work take no more than so many bytes a second from elsewhere, with all that shares its pace; may be changed
    /// while it goes on.
    pub fn set_rate(&self, bytes_a_second: Option<u64>) {
        self.0.pace.set(bytes_a_second);
    }

    /// How many things of `each` bytes may be asked for at once, `most` at the most: what comes in about a second.
    pub(crate) fn batch(&self, each: u64, most: usize) -> usize {
        match self.0.pace.rate() {
            Some(rate) => usize::try_from(rate / each).unwrap_or(most).clamp(1, most),
            None => most,
        }
    }

    /// Note what came from elsewhere, and wait until more may come, or the work is cancelled.
    pub(crate) fn give_way(&self, bytes: u64) {
        if let Some(due) = self.0.pace.note(bytes, now()) {
            self.0.pace.wait(due, &|| self.is_cancelled());
        }
    }

    /// Ask the work to stop at its next step.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Relaxed);
    }

    /// True once [`Progress::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Relaxed)
    }

    pub(crate) fn set_awaited(&self, writers: u64) {
        self.0.awaited.store(writers, Relaxed);
    }

    /// Let a moment pass before what others do is looked at again.
    pub(crate) fn rest(&self) {
        self.0.pace.wait(now() + LOOK, &|| self.is_cancelled());
    }

    pub(crate) fn set_total(&self, bytes: u64) {
        self.0.total_bytes.store(bytes, Relaxed);
    }

    pub(crate) fn add_done(&self, bytes: u64) {
        self.0.done_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn set_done(&self, bytes: u64) {
        self.0.done_bytes.store(bytes, Relaxed);
    }

    pub(crate) fn add_new(&self, plain_bytes: u64, stored_bytes: u64) {
        self.0.new_chunks.fetch_add(1, Relaxed);
        self.0.new_bytes.fetch_add(plain_bytes, Relaxed);
        self.0.stored_bytes.fetch_add(stored_bytes, Relaxed);
    }
}
