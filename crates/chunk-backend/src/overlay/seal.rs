//! Sealing: an overlay becomes a version, by what was written to it alone.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use chunk_store::{
    BLOCK_BYTES, BlockState, CHUNK_BYTES, ChunkName, RootHash, chunk_count, rewrite_names,
};

use super::Overlay;
use super::blocks::Blocks;
use crate::ingest::{Keeper, Named, estimate};
use crate::pack_writer::Pending;
use crate::{DiskSource, ImportError, ReadError, SealError, Store};

const CHUNK_BLOCKS: u64 = CHUNK_BYTES / BLOCK_BYTES;

/// What a sealing made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The version: the root that an import of the same bytes has.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks that were read and hashed: those in which a block was written.
    pub read_chunks: u64,
    /// Chunks of the new version that are not the old one's at their place.
    pub changed_chunks: u64,
    /// Chunks that the store did not have before.
    pub new_chunks: u64,
    /// Their plain bytes.
    pub new_bytes: u64,
    /// Bytes written to packs, pages included.
    pub stored_bytes: u64,
}

/// Takes no changes as long as it lives, and for ever if the sealing succeeds.
struct Frozen<'a> {
    overlay: &'a Overlay,
    is_final: bool,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if !self.is_final {
            self.overlay.cow.thaw();
        }
    }
}

/// See [`Store::seal`].
pub(crate) fn seal(
    store: &Store,
    overlay: &Overlay,
    progress: &crate::Progress,
) -> Result<Sealed, SealError> {
    let base = overlay.base().manifest();
    if overlay.locked.place.store().id() != store.id() {
        return Err(SealError::OtherStore {
            store: store.path().to_owned(),
        });
    }
    if !store.holds(base.root()) {
        return Err(SealError::BaseIncomplete {
            root: base.root(),
            store: store.path().to_owned(),
        });
    }
    if !overlay.cow.freeze() {
        return Err(overlay
            .sealed_root()
            .map_or(SealError::UnderWay, |root| SealError::Already { root }));
    }
    let mut frozen = Frozen {
        overlay,
        is_final: false,
    };
    overlay.flush()?;
    let sealed = publish(store, overlay, progress)?;
    overlay.mark_sealed(sealed.root)?;
    frozen.is_final = true;
    Ok(sealed)
}

fn publish(
    store: &Store,
    overlay: &Overlay,
    progress: &crate::Progress,
) -> Result<Sealed, SealError> {
    let base = overlay.base().manifest();
    let size = overlay.size();
    let written = Written::of(overlay.cow.blocks(), size);
    let read_bytes = written.read_bytes(size);
    progress.set_total(read_bytes);
    let pending = Pending::default();
    let mut keeper = Keeper::create(store, &pending)?;
    // Again, because only from now on no pack goes that the version below needs.
    if !store.holds(base.root()) {
        return Err(SealError::BaseIncomplete {
            root: base.root(),
            store: store.path().to_owned(),
        });
    }
    let mut names: Vec<(u64, ChunkName)> = Vec::new();
    let mut index = 0;
    let read = keeper.ingest(
        &mut Source(overlay),
        written.runs.clone(),
        progress,
        &mut |_, named| {
            match named {
                Named::Skipped(count) => index += count,
                Named::Chunk(name) => {
                    names.push((index, name));
                    index += 1;
                }
            }
            Ok(())
        },
    );
    let (done_bytes, stored_bytes) = keeper.done_and_stored();
    let finish = |mut keeper: Keeper<'_>| -> Result<Sealed, SealError> {
        let read_chunks = names.len() as u64;
        let zeros = written.zeros.into_iter().flatten();
        names.extend(zeros.map(|index| (index, ChunkName::ZERO)));
        names.sort_unstable_by_key(|(index, _)| *index);
        let mut changed = Vec::new();
        for (index, name) in names {
            if base.name(index)? != name {
                changed.push((index, name));
            }
        }
        let record = rewrite_names(
            base.record(),
            &mut base.clone(),
            &changed,
            &mut |page, bytes| keeper.keep_page(page, bytes).map_err(ReadError::from),
        )?;
        let sealed = Sealed {
            root: record.hash(),
            size_bytes: size,
            read_chunks,
            changed_chunks: changed.len() as u64,
            new_chunks: keeper.new_chunks,
            new_bytes: keeper.new_bytes,
            stored_bytes: keeper.done_and_stored().1,
        };
        keeper.publish_version(&record)?;
        Ok(sealed)
    };
    let result = match read {
        Ok(()) => finish(keeper),
        Err(error) => {
            // What it wrote and did not publish goes with it: the space below is free again.
            drop(keeper);
            Err(unread(error))
        }
    };
    result.map_err(|error| match error {
        SealError::Io(error) | SealError::Base(ReadError::Io(error)) if error.is_no_space() => {
            let free_bytes = store.free_space().unwrap_or(0);
            estimate(store, free_bytes, read_bytes, done_bytes, stored_bytes).into()
        }
        error => error,
    })
}

/// The same failure, of a sealing.
fn unread(error: ImportError) -> SealError {
    match error {
        ImportError::Cancelled => SealError::Cancelled,
        ImportError::NoSpace(error) => error.into(),
        ImportError::Io(error) => error.into(),
        ImportError::Source { offset, source } => SealError::Unreadable { offset, source },
        error => SealError::Unreadable {
            offset: 0,
            source: Arc::new(io::Error::other(error)),
        },
    }
}

/// Which chunks an overlay changed.
struct Written {
    /// Those that have to be read, in order and apart.
    runs: Vec<Range<u64>>,
    /// Those that are zeros from the first block to the last.
    zeros: Vec<Range<u64>>,
}

impl Written {
    fn of(blocks: &Blocks, size: u64) -> Self {
        let mut written = Self {
            runs: Vec::new(),
            zeros: Vec::new(),
        };
        let last = size.div_ceil(BLOCK_BYTES);
        for (state, run) in blocks.runs(0..last) {
            match state {
                BlockState::Base => {}
                BlockState::Data => written.read(&run),
                BlockState::Zero => {
                    let start = run.start.div_ceil(CHUNK_BLOCKS);
                    let end = if run.end == last {
                        chunk_count(size)
                    } else {
                        run.end / CHUNK_BLOCKS
                    };
                    if start < end {
                        written.read(&(run.start..start * CHUNK_BLOCKS));
                        written.zeros.push(start..end);
                        written.read(&(end * CHUNK_BLOCKS..run.end));
                    } else {
                        written.read(&run);
                    }
                }
            }
        }
        written
    }

    /// Have the chunks read that these blocks are in.
    fn read(&mut self, blocks: &Range<u64>) {
        if blocks.start >= blocks.end {
            return;
        }
        let run = blocks.start / CHUNK_BLOCKS..blocks.end.div_ceil(CHUNK_BLOCKS);
        match self.runs.last_mut() {
            Some(last) if last.end >= run.start => last.end = last.end.max(run.end),
            _ => self.runs.push(run),
        }
    }

    fn read_bytes(&self, size: u64) -> u64 {
        let bytes = |run: &Range<u64>| (run.end * CHUNK_BYTES).min(size) - run.start * CHUNK_BYTES;
        self.runs.iter().map(bytes).sum()
    }
}

/// The disk that is read. Which parts of it are is decided before.
struct Source<'a>(&'a Overlay);

impl DiskSource for Source<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        let size = self.size();
        Ok((from < size).then(|| (from, size - from)))
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn only_chunks_that_are_not_zeros_throughout_are_read() {
        let size = 20 * CHUNK_BYTES + 100;
        let last = size.div_ceil(BLOCK_BYTES);
        let blocks = Blocks::new(last);
        let set = |range: Range<u64>, state| {
            let Ok(()) = blocks.set(range, state, &mut |_, _, _| Ok::<_, Infallible>(()));
        };
        set(17..18, BlockState::Data);
        set(40..16 * 6 + 3, BlockState::Zero);
        set(16 * 8..16 * 10, BlockState::Data);
        set(16 * 10..16 * 11, BlockState::Zero);
        set(16 * 13 + 1..16 * 13 + 5, BlockState::Zero);
        set(16 * 19..last, BlockState::Zero);
        let written = Written::of(&blocks, size);
        assert_eq!(written.runs, [1..3, 6..7, 8..10, 13..14]);
        assert_eq!(written.zeros, [3..6, 10..11, 19..21]);
        assert_eq!(written.read_bytes(size), 6 * CHUNK_BYTES);
    }
}
