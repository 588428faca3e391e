//! From plain bytes to an entry and back: zstd level 3, or raw where that gains too little.

use crate::{CHUNK_SIZE, ChunkName, DecodeEntryError, Encoding, Entry};

/// zstd's level: measured in ADR 0007 (level 9 costs five times the CPU for 4 %).
const LEVEL: i32 = 3;

/// Makes entries; keeps the compressor's tables between chunks. One a thread.
pub struct ChunkEncoder {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkEncoder {
    /// An encoder.
    pub fn new() -> Self {
        // No compressor (its tables could not be allocated) means raw entries, which are always right.
        Self {
            compressor: zstd::bulk::Compressor::new(LEVEL).ok(),
            buffer: vec![0; CHUNK_SIZE + 1_024],
        }
    }

    /// The entry of `plain` (at most a chunk's length), whose name the caller has computed already.
    pub fn encode(&mut self, name: ChunkName, plain: &[u8]) -> Entry {
        if let Some(compressor) = &mut self.compressor
            && let Ok(length) = compressor.compress_to_buffer(plain, self.buffer.as_mut_slice())
            && length < plain.len() - plain.len() / 20
        {
            return Entry::new(
                name,
                Encoding::Zstd,
                plain.len(),
                self.buffer[..length].to_vec(),
            );
        }
        Entry::new(name, Encoding::Raw, plain.len(), plain.to_vec())
    }
}

/// Takes entries apart and checks them; keeps the decompressor's tables between chunks. One a thread.
pub struct ChunkDecoder {
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkDecoder {
    /// A decoder.
    pub fn new() -> Self {
        Self {
            decompressor: zstd::bulk::Decompressor::new().ok(),
        }
    }

    /// The plain bytes of `entry`, checked against its own name.
    ///
    /// # Errors
    /// The bytes do not unpack, or are not those that the name stands for.
    pub fn decode(&mut self, entry: &Entry) -> Result<Vec<u8>, DecodeEntryError> {
        let name = entry.header.name;
        let plain_length = entry.header.plain_length as usize;
        let plain = match entry.header.encoding {
            Encoding::Raw => entry.stored.clone(),
            Encoding::Zstd => {
                let mut plain = vec![0; plain_length];
                let length = match &mut self.decompressor {
                    Some(decompressor) => {
                        decompressor.decompress_to_buffer(&entry.stored, plain.as_mut_slice())
                    }
                    None => zstd::bulk::decompress_to_buffer(&entry.stored, plain.as_mut_slice()),
                };
                if !matches!(length, Ok(length) if length == plain_length) {
                    return Err(DecodeEntryError::Damaged { name });
                }
                plain
            }
            Encoding::Missing => return Err(DecodeEntryError::Damaged { name }),
        };
        if plain.len() == plain_length && ChunkName::of(&plain) == name {
            Ok(plain)
        } else {
            Err(DecodeEntryError::Damaged { name })
        }
    }
}

/// [`ChunkEncoder::encode`] for one chunk.
pub fn encode_chunk(plain: &[u8]) -> Entry {
    ChunkEncoder::new().encode(ChunkName::of(plain), plain)
}

/// [`ChunkDecoder::decode`] for one chunk.
///
/// # Errors
/// The bytes do not unpack, or are not those that the name stands for.
pub fn decode_chunk(entry: &Entry) -> Result<Vec<u8>, DecodeEntryError> {
    ChunkDecoder::new().decode(entry)
}
