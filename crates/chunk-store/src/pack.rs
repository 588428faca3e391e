//! Packs: many entries in one file, closed by a sorted index and a trailer that vouches for it.

use crate::{CHUNK_SIZE, ChunkName, ENTRY_HEADER_BYTES, HASH_BYTES};

/// Bytes before the first entry.
pub const PACK_HEADER_BYTES: usize = 16;
/// Bytes of one index record.
pub const PACK_RECORD_BYTES: usize = 40;
/// Bytes behind the index.
pub const PACK_TRAILER_BYTES: usize = 56;
/// The pack format number that this code reads and writes.
pub const PACK_FORMAT: u16 = 1;
/// Entries that one pack may have, so that an index is never larger than 2.5 MiB.
pub const MAXIMUM_PACK_ENTRIES: usize = 65_536;

/// Bytes that one pack may have; a writer closes it at half of that.
pub const MAXIMUM_PACK_BYTES: u64 = 128 << 20;

const MAGIC: [u8; 8] = *b"CORLPACK";
const TRAILER_MAGIC: [u8; 8] = *b"CORLPEND";

/// Bytes that should have been part of a pack are not, or are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodePackError {
    /// The file is no pack.
    #[error("not a pack")]
    NotAPack,
    /// Written by a later release.
    #[error("pack of format {found}, but this release reads format {PACK_FORMAT}; upgrade it")]
    NewerFormat {
        /// The format number in the file.
        found: u16,
    },
    /// No trailer: writing it was not finished, or its end was cut off.
    #[error("the pack has no end: it was not finished, or was cut off")]
    NoTrailer,
    /// The index is not the one that the trailer vouches for, or names places outside the pack.
    #[error("the pack's index is damaged")]
    DamagedIndex,
}

/// The first bytes of every pack.
pub fn pack_header() -> [u8; PACK_HEADER_BYTES] {
    let mut bytes = [0; PACK_HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&PACK_FORMAT.to_le_bytes());
    bytes
}

/// Refuse a file that does not start as a pack of a known format.
///
/// # Errors
/// Not a pack, or one of a later format.
pub fn check_pack_header(bytes: &[u8; PACK_HEADER_BYTES]) -> Result<(), DecodePackError> {
    if bytes[..8] != MAGIC {
        return Err(DecodePackError::NotAPack);
    }
    match u16::from_le_bytes([bytes[8], bytes[9]]) {
        PACK_FORMAT => Ok(()),
        found => Err(DecodePackError::NewerFormat { found }),
    }
}

/// Where a chunk lies in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackRecord {
    /// The chunk.
    pub name: ChunkName,
    /// Where its entry starts, in bytes from the start of the file.
    pub offset: u32,
    /// Bytes behind the entry's header.
    pub stored_length: u32,
}

/// The index of a pack: its records in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackIndex {
    records: Vec<PackRecord>,
}

impl PackIndex {
    /// The index over `records`, in any order.
    pub fn new(mut records: Vec<PackRecord>) -> Self {
        records.sort_unstable();
        Self { records }
    }

    /// The records in the order of their names.
    pub fn records(&self) -> &[PackRecord] {
        &self.records
    }

    /// Index and trailer: what follows the last entry, which ends at `end`, and the identity of the pack.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded by MAXIMUM_PACK_ENTRIES"
    )]
    pub fn encode(&self, end: u64) -> (Vec<u8>, [u8; HASH_BYTES]) {
        let mut bytes =
            Vec::with_capacity(self.records.len() * PACK_RECORD_BYTES + PACK_TRAILER_BYTES);
        for record in &self.records {
            bytes.extend_from_slice(record.name.as_bytes());
            bytes.extend_from_slice(&record.offset.to_le_bytes());
            bytes.extend_from_slice(&record.stored_length.to_le_bytes());
        }
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let identity = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&identity);
        bytes.extend_from_slice(&TRAILER_MAGIC);
        (bytes, identity)
    }

    /// The index in `bytes`: everything from [`PackTrailer::index_offset`] to the end of the file.
    ///
    /// # Errors
    /// It is not what the trailer vouches for.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodePackError> {
        let Some((body, trailer_bytes)) = bytes.split_last_chunk::<PACK_TRAILER_BYTES>() else {
            return Err(DecodePackError::NoTrailer);
        };
        let trailer = PackTrailer::decode(trailer_bytes)?;
        let hashed = &bytes[..bytes.len() - HASH_BYTES - TRAILER_MAGIC.len()];
        if body.len() != trailer.index_bytes()
            || *blake3::hash(hashed).as_bytes() != trailer.identity
        {
            return Err(DecodePackError::DamagedIndex);
        }
        let mut records = Vec::with_capacity(trailer.entries as usize);
        for record in body.chunks_exact(PACK_RECORD_BYTES) {
            let mut name = [0; HASH_BYTES];
            name.copy_from_slice(&record[..HASH_BYTES]);
            let offset = u32::from_le_bytes([record[32], record[33], record[34], record[35]]);
            let stored_length =
                u32::from_le_bytes([record[36], record[37], record[38], record[39]]);
            let end = u64::from(offset) + ENTRY_HEADER_BYTES as u64 + u64::from(stored_length);
            if stored_length as usize > CHUNK_SIZE || end > trailer.index_offset {
                return Err(DecodePackError::DamagedIndex);
            }
            records.push(PackRecord {
                name: ChunkName::from_bytes(name),
                offset,
                stored_length,
            });
        }
        if !records.is_sorted() {
            return Err(DecodePackError::DamagedIndex);
        }
        Ok(Self { records })
    }
}

/// The last bytes of a finished pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackTrailer {
    /// Where the index starts, in bytes from the start of the file.
    pub index_offset: u64,
    /// How many records it has.
    pub entries: u32,
    /// BLAKE3-256 of the index and of the two numbers above: the identity of the pack, and its file's name.
    pub identity: [u8; HASH_BYTES],
}

impl PackTrailer {
    /// The trailer in the last [`PACK_TRAILER_BYTES`] of a file.
    ///
    /// # Errors
    /// There is none, or it claims more entries than a pack may have.
    pub fn decode(bytes: &[u8; PACK_TRAILER_BYTES]) -> Result<Self, DecodePackError> {
        if bytes[48..] != TRAILER_MAGIC {
            return Err(DecodePackError::NoTrailer);
        }
        let mut offset = [0; 8];
        offset.copy_from_slice(&bytes[..8]);
        let entries = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let mut identity = [0; HASH_BYTES];
        identity.copy_from_slice(&bytes[16..48]);
        let index_offset = u64::from_le_bytes(offset);
        if entries as usize > MAXIMUM_PACK_ENTRIES || index_offset > MAXIMUM_PACK_BYTES {
            return Err(DecodePackError::DamagedIndex);
        }
        Ok(Self {
            index_offset,
            entries,
            identity,
        })
    }

    /// Bytes of the index, without the trailer.
    pub fn index_bytes(&self) -> usize {
        self.entries as usize * PACK_RECORD_BYTES
    }
}
