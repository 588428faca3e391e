//! What a worker says before it answers anything.

/// Bytes of a [`Hello`].
pub(crate) const HELLO_BYTES: usize = 9;

/// What a worker says first: the disk that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) size_bytes: u64,
    pub(crate) is_writable: bool,
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let mut bytes = [u8::from(self.is_writable); HELLO_BYTES];
        if let Some(size) = bytes.first_chunk_mut::<8>() {
            *size = self.size_bytes.to_be_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; HELLO_BYTES]) -> Self {
        let [size @ .., writable] = bytes;
        Self {
            size_bytes: u64::from_be_bytes(size),
            is_writable: writable != 0,
        }
    }
}
