//! The head: over which version an overlay lies, and how much it may hold.

use crate::{HASH_BYTES, MAXIMUM_IMAGE_BYTES, RootHash};

use super::is_zero;
use super::slot::BLOCK_BYTES;

/// Bytes of an overlay's head.
pub const OVERLAY_HEAD_BYTES: usize = 144;
/// The format of overlays that this code reads and writes; all files of one have the same.
pub const OVERLAY_FORMAT: u16 = 1;

const MAGIC: [u8; 8] = *b"CORLOVER";
const BLOCK_FIELD: u32 = 4_096;
const CHECKED: usize = OVERLAY_HEAD_BYTES - HASH_BYTES;

/// Bytes that should have been an overlay's head are not one that this code can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeHeadError {
    /// Wrong length, magic or checksum: something else, or damaged.
    #[error("it is not an overlay's head, or damaged")]
    Damaged,
    /// Written by a later release.
    #[error(
        "it has format {found}, but this release reads format {OVERLAY_FORMAT}; upgrade this server"
    )]
    NewerFormat {
        /// The format number in the head.
        found: u16,
    },
    /// Its numbers cannot be.
    #[error("it speaks of an image of {size} bytes in blocks of {block}, which cannot be")]
    Inconsistent {
        /// Bytes of the image it claims.
        size: u64,
        /// Bytes of a block it claims.
        block: u32,
    },
}

/// What an overlay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlayHead {
    /// Its identity: the bytes of a UUID.
    pub id: [u8; 16],
    /// The version below it.
    pub base: RootHash,
    /// Bytes of the disk, which are those of the version.
    pub size: u64,
    /// How many bytes of blocks it may hold.
    pub limit: u64,
    /// The version that it was sealed as; it does not change any more then.
    pub sealed: Option<RootHash>,
}

impl OverlayHead {
    /// The head as it is stored.
    pub fn encode(&self) -> [u8; OVERLAY_HEAD_BYTES] {
        let mut bytes = [0; OVERLAY_HEAD_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&OVERLAY_FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&BLOCK_FIELD.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.id);
        bytes[32..64].copy_from_slice(self.base.as_bytes());
        bytes[64..72].copy_from_slice(&self.size.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.limit.to_le_bytes());
        if let Some(sealed) = &self.sealed {
            bytes[80..112].copy_from_slice(sealed.as_bytes());
        }
        let checksum = blake3::hash(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(checksum.as_bytes());
        bytes
    }

    /// The head in `bytes`.
    ///
    /// # Errors
    /// Another thing, a later format, damage, or numbers that cannot be.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeHeadError> {
        // The format first: a later one may have another length and another checksum.
        if bytes.len() >= 10 && bytes[..8] == MAGIC {
            let found = u16::from_le_bytes([bytes[8], bytes[9]]);
            if found > OVERLAY_FORMAT {
                return Err(DecodeHeadError::NewerFormat { found });
            }
        }
        let bytes: &[u8; OVERLAY_HEAD_BYTES] =
            bytes.try_into().map_err(|_| DecodeHeadError::Damaged)?;
        let is_sound = bytes[..8] == MAGIC
            && u16::from_le_bytes([bytes[8], bytes[9]]) == OVERLAY_FORMAT
            && *blake3::hash(&bytes[..CHECKED]).as_bytes() == bytes[CHECKED..];
        if !is_sound {
            return Err(DecodeHeadError::Damaged);
        }
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let root = |at: usize| {
            let mut root = [0; HASH_BYTES];
            root.copy_from_slice(&bytes[at..at + HASH_BYTES]);
            RootHash::from_bytes(root)
        };
        let block = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[16..32]);
        let head = Self {
            id,
            base: root(32),
            size: number(64),
            limit: number(72),
            sealed: (!is_zero(&bytes[80..112])).then(|| root(80)),
        };
        if head.size == 0 || head.size > MAXIMUM_IMAGE_BYTES || u64::from(block) != BLOCK_BYTES {
            return Err(DecodeHeadError::Inconsistent {
                size: head.size,
                block,
            });
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> OverlayHead {
        OverlayHead {
            id: [7; 16],
            base: RootHash::from_bytes([1; 32]),
            size: 100 << 20,
            limit: 10 << 20,
            sealed: None,
        }
    }

    #[test]
    fn the_bytes_are_as_drawn() {
        let bytes = head().encode();
        assert_eq!(&bytes[..16], b"CORLOVER\x01\x00\x00\x00\x00\x10\x00\x00");
        assert_eq!(&bytes[16..32], &[7; 16]);
        assert_eq!(&bytes[32..64], &[1; 32]);
        assert_eq!(&bytes[64..72], &(100_u64 << 20).to_le_bytes());
        assert_eq!(&bytes[72..80], &(10_u64 << 20).to_le_bytes());
        assert_eq!(&bytes[80..112], &[0; 32]);
        assert_eq!(&bytes[112..], blake3::hash(&bytes[..112]).as_bytes());
    }

    #[test]
    fn a_head_comes_back_and_every_damaged_byte_is_noticed() {
        let sealed = OverlayHead {
            sealed: Some(RootHash::from_bytes([9; 32])),
            ..head()
        };
        for head in [head(), sealed] {
            let bytes = head.encode();
            assert_eq!(OverlayHead::decode(&bytes), Ok(head));
            for place in 0..bytes.len() {
                let mut bytes = bytes;
                bytes[place] ^= 0x40;
                assert!(OverlayHead::decode(&bytes).is_err(), "byte {place}");
            }
        }
        assert_eq!(
            OverlayHead::decode(&head().encode()[..143]),
            Err(DecodeHeadError::Damaged)
        );
    }

    #[test]
    fn a_later_format_is_told_from_damage_whatever_follows_it() {
        assert_eq!(
            OverlayHead::decode(b"CORLOVER\x02\x00 and more"),
            Err(DecodeHeadError::NewerFormat { found: 2 })
        );
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let impossible = OverlayHead { size: 0, ..head() };
        assert!(matches!(
            OverlayHead::decode(&impossible.encode()),
            Err(DecodeHeadError::Inconsistent { size: 0, .. })
        ));
    }
}
