//! How many handshakes go on at once. The others wait for their turn, in the order in which they came.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::timeout;

use crate::counters::{Tally, add};
use crate::settings::Limits;

/// A handshake costs more than a read. A room that comes at once, at its start or from a server that drains, would have all
/// that are served already wait for it, until they took this server for a silent one and moved on, too.
pub(crate) struct Admission {
    turns: Semaphore,
    under_way: AtomicU64,
    most: AtomicU64,
}

/// One of the handshakes under way, until dropped.
struct UnderWay<'a>(&'a AtomicU64);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            turns: Semaphore::new(limits.handshakes.clamp(1, Semaphore::MAX_PERMITS)),
            under_way: AtomicU64::new(0),
            most: AtomicU64::new(0),
        }
    }

    /// Shakes hands when it is this client's turn. Who takes too long over it goes on, and another one begins besides: a
    /// client that says nothing costs nothing, and keeps nobody out.
    pub(crate) async fn in_turn<T>(
        &self,
        handshake: impl Future<Output = T>,
        limits: &Limits,
        tally: &Tally,
    ) -> T {
        let turn = match self.turns.try_acquire() {
            Err(TryAcquireError::NoPermits) => {
                add(&tally.waited_handshakes, 1);
                self.turns.acquire().await.ok()
            }
            turn => turn.ok(),
        };
        let under_way = self.note();
        let mut handshake = pin!(handshake);
        if let Ok(done) = timeout(limits.handshake_turn, &mut handshake).await {
            return done;
        }
        drop((under_way, turn));
        handshake.await
    }

    fn note(&self) -> UnderWay<'_> {
        let now = self.under_way.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(now, Ordering::AcqRel);
        UnderWay(&self.under_way)
    }

    /// The most that have been under way at once, those aside that took longer than their turn.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::Acquire)
    }
}
