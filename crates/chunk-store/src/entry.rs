//! Entries: a chunk as packs and the chunk server hold it, with a header that says everything about it.

use crate::{CHUNK_SIZE, ChunkName, HASH_BYTES};

/// Bytes of an entry's header.
pub const ENTRY_HEADER_BYTES: usize = 48;
/// Bytes of the largest entry, header included.
pub const MAXIMUM_ENTRY_BYTES: usize = ENTRY_HEADER_BYTES + CHUNK_SIZE;

/// How every entry starts: where to look for the next one behind damage.
pub const ENTRY_MAGIC: [u8; 4] = *b"CORE";

/// How the stored bytes of an entry were made from the plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// One zstd frame.
    Zstd,
    /// Not there: only in the chunk server's answers, where it says that the server has no sound copy.
    Missing,
}

impl Encoding {
    const fn tag(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
            Self::Missing => 255,
        }
    }
}

/// Bytes that should have been an entry are not a sound one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeEntryError {
    /// No entry starts here: the reader is out of step and must stop.
    #[error("no chunk entry starts here")]
    NotAnEntry,
    /// Made by a later release.
    #[error("chunk entry with encoding {found}, which this release does not know; upgrade it")]
    UnknownEncoding {
        /// The encoding's tag.
        found: u8,
    },
    /// The entry has a length that no entry has.
    #[error("chunk entry of {stored} stored and {plain} plain bytes, which cannot be")]
    Length {
        /// Bytes as stored.
        stored: u32,
        /// Bytes as used.
        plain: u32,
    },
    /// The content is not what the name stands for.
    #[error("chunk {name} is damaged: its bytes do not have that hash")]
    Damaged {
        /// The name in the header.
        name: ChunkName,
    },
}

/// What an entry says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHeader {
    /// How the bytes are stored.
    pub encoding: Encoding,
    /// Bytes of the chunk.
    pub plain_length: u32,
    /// Bytes behind the header.
    pub stored_length: u32,
    /// The chunk's name.
    pub name: ChunkName,
}

impl EntryHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; ENTRY_HEADER_BYTES] {
        let mut bytes = [0; ENTRY_HEADER_BYTES];
        bytes[..4].copy_from_slice(&ENTRY_MAGIC);
        bytes[4] = self.encoding.tag();
        bytes[8..12].copy_from_slice(&self.plain_length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.stored_length.to_le_bytes());
        bytes[16..].copy_from_slice(self.name.as_bytes());
        bytes
    }

    /// The header in `bytes`. Lengths are bounded here, so a reader may allocate what they say.
    ///
    /// # Errors
    /// No header, an unknown encoding, or impossible lengths.
    pub fn decode(bytes: &[u8; ENTRY_HEADER_BYTES]) -> Result<Self, DecodeEntryError> {
        if bytes[..4] != ENTRY_MAGIC || bytes[5..8] != [0; 3] {
            return Err(DecodeEntryError::NotAnEntry);
        }
        let encoding = match bytes[4] {
            0 => Encoding::Raw,
            1 => Encoding::Zstd,
            255 => Encoding::Missing,
            found => return Err(DecodeEntryError::UnknownEncoding { found }),
        };
        let plain = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let stored = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        let is_possible = match encoding {
            Encoding::Raw => plain == stored && plain > 0,
            Encoding::Zstd => stored < plain && stored > 0,
            Encoding::Missing => plain == 0 && stored == 0,
        };
        if !is_possible || plain as usize > CHUNK_SIZE {
            return Err(DecodeEntryError::Length { stored, plain });
        }
        let mut name = [0; HASH_BYTES];
        name.copy_from_slice(&bytes[16..]);
        Ok(Self {
            encoding,
            plain_length: plain,
            stored_length: stored,
            name: ChunkName::from_bytes(name),
        })
    }
}

/// A chunk as stored. Nothing says that its content is sound before a [`crate::ChunkDecoder`] took it apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The header.
    pub header: EntryHeader,
    /// The bytes behind it, `header.stored_length` of them.
    pub stored: Vec<u8>,
}

impl Entry {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both are at most a chunk's length"
    )]
    pub(crate) fn new(
        name: ChunkName,
        encoding: Encoding,
        plain_length: usize,
        stored: Vec<u8>,
    ) -> Self {
        debug_assert!(plain_length <= CHUNK_SIZE && stored.len() <= CHUNK_SIZE);
        let stored_length = stored.len() as u32;
        Self {
            header: EntryHeader {
                encoding,
                plain_length: plain_length as u32,
                stored_length,
                name,
            },
            stored,
        }
    }

    /// Bytes of the entry, header included.
    pub fn length(&self) -> usize {
        ENTRY_HEADER_BYTES + self.stored.len()
    }

    /// The entry at the start of `bytes`; `Ok(None)` while more bytes are needed.
    ///
    /// # Errors
    /// Those of [`EntryHeader::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeEntryError> {
        let Some((header, rest)) = bytes.split_first_chunk::<ENTRY_HEADER_BYTES>() else {
            return Ok(None);
        };
        let header = EntryHeader::decode(header)?;
        Ok(rest
            .get(..header.stored_length as usize)
            .map(|stored| Self {
                header,
                stored: stored.to_vec(),
            }))
    }

    /// Header and bytes, as they stand in a pack.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.header.encode());
        bytes.extend_from_slice(&self.stored);
    }
}

/// What the chunk server answers for a chunk that it cannot give.
pub fn encode_missing(name: ChunkName) -> [u8; ENTRY_HEADER_BYTES] {
    EntryHeader {
        encoding: Encoding::Missing,
        plain_length: 0,
        stored_length: 0,
        name,
    }
    .encode()
}
