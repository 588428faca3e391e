//! The first sector of a cache disk.

/// Written and read as one, so that it is whole or not there.
pub(crate) const HEADER_BYTES: usize = 512;
const MAGIC: [u8; 16] = *b"corral-cache\n\x1a\0\0";
const FORMAT: u32 = 1;
const PERSISTENT: u32 = 1;
const CHECKED_BYTES: usize = 80;

/// Whose writes are on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Another one each time that the cache begins anew.
    pub(crate) epoch: u64,
    pub(crate) root: [u8; 32],
    pub(crate) size_bytes: u64,
    pub(crate) slots: u32,
    /// Whether what is kept is for the next start too.
    pub(crate) is_persistent: bool,
}

/// What the first sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing but zeros.
    Blank,
    Header(Header),
    /// Of a cache, but not readable: it was being written when the power went.
    Torn,
    /// Of a release that is newer than this one.
    Newer {
        format: u32,
    },
    /// Something else.
    Foreign,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut text = Vec::with_capacity(HEADER_BYTES);
        text.extend_from_slice(&MAGIC);
        text.extend_from_slice(&FORMAT.to_le_bytes());
        text.extend_from_slice(&u32::from(self.is_persistent).to_le_bytes());
        text.extend_from_slice(&self.epoch.to_le_bytes());
        text.extend_from_slice(&self.size_bytes.to_le_bytes());
        text.extend_from_slice(&u64::from(self.slots).to_le_bytes());
        text.extend_from_slice(&self.root);
        text.extend_from_slice(blake3::hash(&text).as_bytes());
        text.resize(HEADER_BYTES, 0);
        text.try_into().unwrap_or([0; HEADER_BYTES])
    }

    pub(crate) fn find(bytes: &[u8]) -> Found {
        if bytes.iter().all(|byte| *byte == 0) {
            return Found::Blank;
        }
        if !bytes.starts_with(&MAGIC) {
            return Found::Foreign;
        }
        let (Some(format), Some(checked)) = (number32(bytes, 16), bytes.get(..CHECKED_BYTES))
        else {
            return Found::Torn;
        };
        if format > FORMAT {
            return Found::Newer { format };
        }
        let sum = bytes.get(CHECKED_BYTES..CHECKED_BYTES + 32);
        if sum != Some(blake3::hash(checked).as_bytes()) {
            return Found::Torn;
        }
        let fields = || {
            Some(Header {
                is_persistent: number32(bytes, 20)? == PERSISTENT,
                epoch: number64(bytes, 24)?,
                size_bytes: number64(bytes, 32)?,
                slots: number64(bytes, 40)?.try_into().ok()?,
                root: bytes.get(48..80)?.try_into().ok()?,
            })
        };
        fields().map_or(Found::Torn, Found::Header)
    }
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        epoch: 0x0123_4567_89ab_cdef,
        root: [7; 32],
        size_bytes: 1 << 40,
        slots: 77,
        is_persistent: true,
    };

    #[test]
    fn a_header_is_read_as_it_was_written() {
        assert_eq!(Header::find(&HEADER.to_bytes()), Found::Header(HEADER));
        let volatile = Header {
            is_persistent: false,
            ..HEADER
        };
        assert_eq!(Header::find(&volatile.to_bytes()), Found::Header(volatile));
    }

    #[test]
    fn tells_a_blank_disk_from_a_foreign_a_torn_and_a_newer_one() {
        assert_eq!(Header::find(&[0; HEADER_BYTES]), Found::Blank);
        assert_eq!(Header::find(b"\xeb\x3c\x90mkfs.fat"), Found::Foreign);
        let mut newer = HEADER.to_bytes();
        newer[16] = 2;
        assert_eq!(Header::find(&newer), Found::Newer { format: 2 });
        for at in 24..CHECKED_BYTES + 32 {
            let mut torn = HEADER.to_bytes();
            torn[at] ^= 1;
            assert_eq!(Header::find(&torn), Found::Torn, "byte {at}");
        }
    }
}
