//! Pages: runs of 1,024 names, themselves chunks, in levels up to one top page.

use std::convert::Infallible;

use crate::{CHUNK_SIZE, ChunkName, HASH_BYTES, RootHash, RootRecord, chunk_count};

/// Names in a full page.
pub const PAGE_NAMES: usize = 1_024;

/// Bytes that should have been a page have the wrong length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page of {expected} names has {} bytes, not {found}", expected * HASH_BYTES)]
pub struct DecodePageError {
    /// Names that the page must have.
    pub expected: usize,
    /// Bytes that were found.
    pub found: usize,
}

/// A page in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page(Box<[u8]>);

impl Page {
    /// The page in `bytes`, which must hold exactly `names` names.
    ///
    /// # Errors
    /// The length is another.
    pub fn decode(bytes: Vec<u8>, names: usize) -> Result<Self, DecodePageError> {
        if bytes.len() == names * HASH_BYTES {
            Ok(Self(bytes.into_boxed_slice()))
        } else {
            Err(DecodePageError {
                expected: names,
                found: bytes.len(),
            })
        }
    }

    /// The page that the zero name stands for.
    pub fn zero(names: usize) -> Self {
        Self(vec![0; names * HASH_BYTES].into_boxed_slice())
    }

    /// How many names it has.
    pub fn len(&self) -> usize {
        self.0.len() / HASH_BYTES
    }

    /// True if it has no name at all (which no stored page is).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name at `index`, or `None` behind the end.
    pub fn name(&self, index: usize) -> Option<ChunkName> {
        self.0.chunks_exact(HASH_BYTES).nth(index).map(to_name)
    }

    /// All names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = ChunkName> + DoubleEndedIterator + '_ {
        self.0.chunks_exact(HASH_BYTES).map(to_name)
    }
}

fn to_name(bytes: &[u8]) -> ChunkName {
    let mut name = [0; HASH_BYTES];
    name.copy_from_slice(bytes);
    ChunkName::from_bytes(name)
}

/// Turns the names of an image's chunks, in order, into pages and a root record.
///
/// Every finished page goes to `keep` with its name, which is never the zero name: pages of zeros are implicit. It holds
/// one open page a level, so an image of any size takes some 100 KiB.
#[derive(Debug, Default)]
pub struct PageBuilder {
    levels: Vec<Vec<u8>>,
    chunks: u64,
}

impl PageBuilder {
    /// A builder that has seen no chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many names it was given.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Take the name of the next chunk.
    ///
    /// # Errors
    /// Those of `keep`.
    pub fn push<E>(
        &mut self,
        name: ChunkName,
        keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.chunks += 1;
        self.push_at(0, name, keep)
    }

    fn push_at<E>(
        &mut self,
        level: usize,
        name: ChunkName,
        keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.levels.len() == level {
            self.levels
                .push(Vec::with_capacity(PAGE_NAMES * HASH_BYTES));
        }
        // A full page is closed when the next name comes, not before: the last one of a level may be the top.
        if self.levels[level].len() == PAGE_NAMES * HASH_BYTES {
            let page = close(&mut self.levels[level], keep)?;
            self.push_at(level + 1, page, keep)?;
        }
        self.levels[level].extend_from_slice(name.as_bytes());
        Ok(())
    }

    /// Close all pages. `image_size` is in bytes and must agree with the number of names given.
    ///
    /// # Errors
    /// Those of `keep`.
    ///
    /// # Panics
    /// In debug builds, if the number of names does not fit `image_size`.
    pub fn finish<E>(
        mut self,
        image_size: u64,
        keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), E>,
    ) -> Result<RootRecord, E> {
        debug_assert_eq!(self.chunks, chunk_count(image_size));
        let mut top = ChunkName::ZERO;
        let mut level = 0;
        while level < self.levels.len() {
            top = close(&mut self.levels[level], keep)?;
            if level + 1 < self.levels.len() {
                self.push_at(level + 1, top, keep)?;
            }
            level += 1;
        }
        Ok(RootRecord::new(image_size, top))
    }
}

fn close<E>(
    page: &mut Vec<u8>,
    keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), E>,
) -> Result<ChunkName, E> {
    let name = ChunkName::of(page);
    if !name.is_zero() {
        keep(name, page)?;
    }
    page.clear();
    Ok(name)
}

/// Computes the root of an image from its bytes, given in order in pieces of any size: what a reader does that verifies a
/// whole disk.
#[derive(Debug, Default)]
pub struct RootHasher {
    pages: PageBuilder,
    chunk: Vec<u8>,
    size: u64,
}

impl RootHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take the next bytes of the image.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if !self.chunk.is_empty() {
            let taken = bytes.len().min(CHUNK_SIZE - self.chunk.len());
            self.chunk.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.chunk.len() < CHUNK_SIZE {
                return;
            }
            self.push(ChunkName::of(&self.chunk));
            self.chunk.clear();
        }
        let mut whole = bytes.chunks_exact(CHUNK_SIZE);
        for chunk in whole.by_ref() {
            self.push(ChunkName::of(chunk));
        }
        self.chunk.extend_from_slice(whole.remainder());
    }

    fn push(&mut self, name: ChunkName) {
        let Ok(()) = self.pages.push(name, &mut |_, _| Ok::<_, Infallible>(()));
    }

    /// The root of the image whose bytes were given.
    pub fn finish(mut self) -> RootHash {
        if !self.chunk.is_empty() {
            self.push(ChunkName::of(&self.chunk));
        }
        let Ok(record) = self
            .pages
            .finish(self.size, &mut |_, _| Ok::<_, Infallible>(()));
        record.hash()
    }
}
