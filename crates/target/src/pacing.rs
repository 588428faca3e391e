//! What the two clients around a decision have in common: a timer, a size that is not known at first, a connection under way.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::connection::Connection;

/// Sleeps until the next instant at which something has to be decided.
#[derive(Default)]
pub(crate) struct Timer {
    /// The instant it sleeps until, and how to wake it for an earlier one.
    armed_for: Cell<Option<Instant>>,
    rearm: Notify,
}

impl Timer {
    /// To be called whenever `next` may have become earlier.
    pub(crate) fn arm(&self, next: Option<Instant>) {
        if next.is_some_and(|next| self.armed_for.get().is_none_or(|armed| next < armed)) {
            self.rearm.notify_one();
        }
    }

    /// Calls `tick` at each deadline, for ever.
    pub(crate) async fn run(&self, deadline: impl Fn() -> Option<Instant>, tick: impl Fn()) -> ! {
        loop {
            let next = deadline();
            self.armed_for.set(next);
            let until = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = until => tick(),
                () = self.rearm.notified() => {}
            }
        }
    }
}

/// A disk's size, which a server or the farm says at some time.
pub(crate) struct Size(watch::Sender<Option<u64>>);

impl Size {
    pub(crate) fn new(known: Option<u64>) -> Self {
        Self(watch::channel(known).0)
    }

    pub(crate) fn known(&self) -> Option<u64> {
        *self.0.borrow()
    }

    pub(crate) fn set(&self, size: u64) {
        self.0
            .send_if_modified(|known| known.replace(size) != Some(size));
    }

    /// Waits until it is known.
    pub(crate) async fn get(&self) -> u64 {
        let mut size = self.0.subscribe();
        loop {
            if let Some(size) = *size.borrow_and_update() {
                return size;
            }
            if size.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A connection, from the first attempt on; dropped, it is closed.
pub(crate) struct Link<Key> {
    /// What it is known by.
    pub(crate) key: Key,
    task: AbortHandle,
    /// Once the handshake is over.
    pub(crate) connection: Option<Rc<Connection>>,
    has_unsent: bool,
}

impl<Key> Link<Key> {
    pub(crate) fn new(key: Key, task: AbortHandle) -> Self {
        Self {
            key,
            task,
            connection: None,
            has_unsent: false,
        }
    }

    /// Puts something in its queue.
    pub(crate) fn ask(&mut self, ask: impl FnOnce(&Connection)) {
        self.has_unsent = true;
        if let Some(connection) = &self.connection {
            ask(connection);
        }
    }

    /// Sends what is in its queue.
    pub(crate) fn flush(&mut self) {
        if std::mem::take(&mut self.has_unsent)
            && let Some(connection) = &self.connection
        {
            connection.flush();
        }
    }
}

impl<Key> Drop for Link<Key> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
