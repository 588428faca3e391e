//! Putting the pieces of one read together, whatever order they come in.

use alloc::{vec, vec::Vec};

use crate::ErrorCode;

/// Why a read's pieces do not make its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The server said that the read failed.
    #[error("server failed the read with {0:?}")]
    Failed(ErrorCode),
    /// The server ended the reply before every byte had come.
    #[error("server ended the reply with {missing_bytes} bytes missing")]
    Incomplete {
        /// How many did not come.
        missing_bytes: u32,
    },
    /// A piece lies outside of the read or on top of another: close the connection.
    #[error("server sent a piece outside of the read or on top of another piece")]
    Misplaced,
}

/// The bytes of one read while they arrive.
///
/// Pieces are counted exactly, so that a server that sends one place twice and another never is found out.
#[derive(Debug)]
pub struct ReadAssembly {
    offset: u64,
    bytes: Vec<u8>,
    /// What has come, as `[start, end)` in `bytes`, sorted, neighbours merged: one entry in every usual case.
    covered: Vec<(usize, usize)>,
    failure: Option<ErrorCode>,
}

impl ReadAssembly {
    /// For a read of `length` bytes at `offset`.
    pub fn new(offset: u64, length: u32) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Self {
            offset,
            bytes: vec![0; length],
            covered: Vec::new(),
            failure: None,
        }
    }

    /// Takes a piece of data.
    ///
    /// # Errors
    /// [`AssembleError::Misplaced`].
    pub fn data(&mut self, offset: u64, piece: &[u8]) -> Result<(), AssembleError> {
        let (start, end) = self.cover(offset, piece.len())?;
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(piece);
        }
        Ok(())
    }

    /// Takes a range of zeroes.
    ///
    /// # Errors
    /// [`AssembleError::Misplaced`].
    pub fn hole(&mut self, offset: u64, length: u32) -> Result<(), AssembleError> {
        self.cover(offset, usize::try_from(length).unwrap_or(usize::MAX))
            .map(|_| ())
    }

    /// Notes that the read failed. The first failure counts.
    pub fn failed(&mut self, code: ErrorCode) {
        self.failure.get_or_insert(code);
    }

    /// The bytes, once the reply is over.
    ///
    /// # Errors
    /// If the server failed the read or left some of it out.
    pub fn finish(self) -> Result<Vec<u8>, AssembleError> {
        if let Some(code) = self.failure {
            return Err(AssembleError::Failed(code));
        }
        let came = self
            .covered
            .iter()
            .map(|(start, end)| end.saturating_sub(*start))
            .fold(0, usize::saturating_add);
        if came != self.bytes.len() {
            let missing_bytes =
                u32::try_from(self.bytes.len().saturating_sub(came)).unwrap_or(u32::MAX);
            return Err(AssembleError::Incomplete { missing_bytes });
        }
        Ok(self.bytes)
    }

    fn cover(&mut self, offset: u64, length: usize) -> Result<(usize, usize), AssembleError> {
        let start = offset
            .checked_sub(self.offset)
            .and_then(|start| usize::try_from(start).ok());
        let start = start.ok_or(AssembleError::Misplaced)?;
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(AssembleError::Misplaced)?;
        let place = self
            .covered
            .partition_point(|(_, covered_end)| *covered_end <= start);
        if self
            .covered
            .get(place)
            .is_some_and(|(next_start, _)| *next_start < end)
        {
            return Err(AssembleError::Misplaced);
        }
        let touches_next = self
            .covered
            .get(place)
            .is_some_and(|(next_start, _)| *next_start == end);
        let before = place
            .checked_sub(1)
            .filter(|before| self.covered.get(*before).is_some_and(|(_, e)| *e == start));
        match (before, touches_next) {
            (Some(before), true) => {
                let (_, next_end) = self.covered.remove(place);
                if let Some(range) = self.covered.get_mut(before) {
                    range.1 = next_end;
                }
            }
            (Some(before), false) => {
                if let Some(range) = self.covered.get_mut(before) {
                    range.1 = end;
                }
            }
            (None, true) => {
                if let Some(range) = self.covered.get_mut(place) {
                    range.0 = start;
                }
            }
            (None, false) => self.covered.insert(place, (start, end)),
        }
        Ok((start, end))
    }
}
