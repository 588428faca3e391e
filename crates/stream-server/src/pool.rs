//! Buffers that a connection has only while it uses them, so that an idle one costs next to nothing.

use std::cell::RefCell;
use std::mem;
use std::ops::{Deref, DerefMut};

/// Bytes of every buffer: what is gathered before it is sent, with room for the largest reply that is copied.
pub(crate) const BUFFER_BYTES: usize = 128 * 1024;
/// Free buffers that a reactor keeps.
const KEPT: usize = 8;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`BUFFER_BYTES`] that goes back to its reactor's pool.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(crate) fn take() -> Self {
        let free = FREE.with_borrow_mut(Vec::pop);
        Self(free.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = mem::take(&mut self.0);
        // At the end of a thread its pool may be gone before its last buffer.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(buffer);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
