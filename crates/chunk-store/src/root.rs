//! The root record: the fixed bytes whose hash is the identity of a version.

use crate::{CHUNK_BYTES, CHUNK_SIZE, ChunkName, HASH_BYTES, PAGE_NAMES, RootHash};

/// Bytes of a root record.
pub const ROOT_RECORD_BYTES: usize = 56;
/// The root record's format number that this code reads and writes.
pub const ROOT_FORMAT: u16 = 1;
/// The tag of BLAKE3-256.
pub const HASH_ALGORITHM_BLAKE3: u8 = 1;
/// Bytes of the largest image: 16 TiB less a chunk, which is what a file on ext4 can hold.
pub const MAXIMUM_IMAGE_BYTES: u64 = (16 << 40) - CHUNK_BYTES;

const MAGIC: [u8; 8] = *b"CORLROOT";
const CHUNK_SIZE_FIELD: u32 = 65_536;
const _: () = assert!(CHUNK_SIZE_FIELD as usize == CHUNK_SIZE);

/// Bytes that should have been a root record are not one that this code can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeRootError {
    /// Wrong length or magic: something else, or damaged.
    #[error("not a root record")]
    NotARootRecord,
    /// Written by a later release.
    #[error(
        "root record of format {found}, but this release reads format {ROOT_FORMAT}; upgrade it"
    )]
    NewerFormat {
        /// The format number in the record.
        found: u16,
    },
    /// Hashed by an algorithm that this code does not have.
    #[error(
        "root record with hash algorithm {found}, but this release knows only {HASH_ALGORITHM_BLAKE3} (BLAKE3-256)"
    )]
    UnknownHash {
        /// The algorithm's tag.
        found: u8,
    },
    /// Cut at another size.
    #[error(
        "root record with chunks of {found} bytes, but this release reads only chunks of {CHUNK_SIZE} bytes"
    )]
    ChunkSize {
        /// The size in the record.
        found: u32,
    },
    /// Its numbers contradict one another.
    #[error(
        "root record with a depth of {depth} for an image of {image_size} bytes, which cannot be"
    )]
    Inconsistent {
        /// Levels of pages it claims.
        depth: u8,
        /// Bytes of the image it claims.
        image_size: u64,
    },
}

/// What a version is: the size of the image and the page that everything hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootRecord {
    image_size: u64,
    top: ChunkName,
}

/// How many chunks an image of `image_size` bytes has.
pub const fn chunk_count(image_size: u64) -> u64 {
    image_size.div_ceil(CHUNK_BYTES)
}

/// How many levels of pages name `chunks` chunks; at least one.
pub const fn depth_for(chunks: u64) -> u8 {
    let mut depth = 1;
    let mut reach = PAGE_NAMES as u64;
    while reach < chunks {
        depth += 1;
        reach = reach.saturating_mul(PAGE_NAMES as u64);
    }
    depth
}

impl RootRecord {
    /// The record of an image of `image_size` bytes under the page `top`.
    pub const fn new(image_size: u64, top: ChunkName) -> Self {
        Self { image_size, top }
    }

    /// Bytes of the image.
    pub const fn image_size(&self) -> u64 {
        self.image_size
    }

    /// The top page.
    pub const fn top(&self) -> ChunkName {
        self.top
    }

    /// How many chunks the image has, the short last one included.
    pub const fn chunks(&self) -> u64 {
        chunk_count(self.image_size)
    }

    /// Levels of pages; 1 if the top page names chunks.
    pub const fn depth(&self) -> u8 {
        depth_for(self.chunks())
    }

    /// Bytes of the chunk at `index`; zero behind the end of the image.
    pub fn chunk_length(&self, index: u64) -> usize {
        let behind = self
            .image_size
            .saturating_sub(index.saturating_mul(CHUNK_BYTES));
        usize::try_from(behind.min(CHUNK_BYTES)).unwrap_or(CHUNK_SIZE)
    }

    /// How many names the page at `position` of `level` has (level 0 names chunks).
    pub fn page_names(&self, level: u8, position: u64) -> usize {
        let fan = PAGE_NAMES as u64;
        let below = (0..level).fold(self.chunks(), |count, _| count.div_ceil(fan));
        usize::try_from(below.saturating_sub(position.saturating_mul(fan)).min(fan))
            .unwrap_or(PAGE_NAMES)
    }

    /// The record as it is stored, sent and hashed.
    pub fn encode(&self) -> [u8; ROOT_RECORD_BYTES] {
        let mut bytes = [0; ROOT_RECORD_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&ROOT_FORMAT.to_le_bytes());
        bytes[10] = HASH_ALGORITHM_BLAKE3;
        bytes[11] = self.depth();
        bytes[12..16].copy_from_slice(&CHUNK_SIZE_FIELD.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.image_size.to_le_bytes());
        bytes[24..].copy_from_slice(self.top.as_bytes());
        bytes
    }

    /// The record in `bytes`, checked in itself.
    ///
    /// # Errors
    /// Another thing, a later format, or numbers that contradict one another.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRootError> {
        let bytes: &[u8; ROOT_RECORD_BYTES] = bytes
            .try_into()
            .map_err(|_| DecodeRootError::NotARootRecord)?;
        if bytes[..8] != MAGIC {
            return Err(DecodeRootError::NotARootRecord);
        }
        let format = u16::from_le_bytes([bytes[8], bytes[9]]);
        if format != ROOT_FORMAT {
            return Err(DecodeRootError::NewerFormat { found: format });
        }
        if bytes[10] != HASH_ALGORITHM_BLAKE3 {
            return Err(DecodeRootError::UnknownHash { found: bytes[10] });
        }
        let chunk_size = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        if chunk_size != CHUNK_SIZE_FIELD {
            return Err(DecodeRootError::ChunkSize { found: chunk_size });
        }
        let mut size = [0; 8];
        size.copy_from_slice(&bytes[16..24]);
        let mut top = [0; HASH_BYTES];
        top.copy_from_slice(&bytes[24..]);
        let record = Self::new(u64::from_le_bytes(size), ChunkName::from_bytes(top));
        // A size beyond the maximum is refused here, so that nothing later computes with absurd numbers from a peer.
        if record.image_size == 0
            || record.image_size > MAXIMUM_IMAGE_BYTES
            || record.depth() != bytes[11]
        {
            return Err(DecodeRootError::Inconsistent {
                depth: bytes[11],
                image_size: record.image_size,
            });
        }
        Ok(record)
    }

    /// The identity of the version.
    pub fn hash(&self) -> RootHash {
        Self::hash_bytes(&self.encode())
    }

    /// The identity that `bytes`, claimed to be a root record, have.
    pub fn hash_bytes(bytes: &[u8]) -> RootHash {
        RootHash::from_bytes(*blake3::hash(bytes).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_grows_by_a_factor_of_1024() {
        assert_eq!(
            [1, 1024, 1025, 1 << 20, (1 << 20) + 1].map(depth_for),
            [1, 1, 2, 2, 3]
        );
    }

    #[test]
    fn the_bytes_are_as_drawn() {
        let record = RootRecord::new(100 << 20, ChunkName::of(b"top"));
        let bytes = record.encode();
        assert_eq!(&bytes[..16], b"CORLROOT\x01\x00\x01\x02\x00\x00\x01\x00");
        assert_eq!(&bytes[16..24], &(100_u64 << 20).to_le_bytes());
        assert_eq!(RootRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let good = RootRecord::new(1 << 20, ChunkName::ZERO).encode();
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            RootRecord::decode(&bytes)
        };
        assert_eq!(with(0, 0), Err(DecodeRootError::NotARootRecord));
        assert_eq!(with(8, 2), Err(DecodeRootError::NewerFormat { found: 2 }));
        assert_eq!(with(10, 9), Err(DecodeRootError::UnknownHash { found: 9 }));
        assert_eq!(
            with(13, 1),
            Err(DecodeRootError::ChunkSize {
                found: 65_536 + 256
            })
        );
        assert!(matches!(
            with(11, 3),
            Err(DecodeRootError::Inconsistent { .. })
        ));
        assert!(matches!(
            with(23, 0xff),
            Err(DecodeRootError::Inconsistent { .. })
        ));
        assert_eq!(
            RootRecord::decode(&good[1..]),
            Err(DecodeRootError::NotARootRecord)
        );
    }

    #[test]
    fn the_last_chunk_may_be_short() {
        let record = RootRecord::new(CHUNK_BYTES + 10, ChunkName::ZERO);
        assert_eq!(
            [0, 1, 2].map(|index| record.chunk_length(index)),
            [CHUNK_SIZE, 10, 0]
        );
    }
}
