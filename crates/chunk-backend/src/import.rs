//! Import: a disk becomes a version.

use std::ops::Range;
use std::sync::Arc;

use chunk_store::{
    CHUNK_BYTES, ChunkName, MAXIMUM_IMAGE_BYTES, PageBuilder, RootHash, chunk_count,
};

use crate::ingest::{Keeper, Named, estimate};
use crate::pack_writer::Pending;
use crate::{DiskSource, ImportError, IoFailure, Progress, Store};

/// What an import made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The version.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks of the image.
    pub chunks: u64,
    /// Those of only zeros, which are not stored.
    pub zero_chunks: u64,
    /// Chunks that the store did not have before.
    pub new_chunks: u64,
    /// Their plain bytes.
    pub new_bytes: u64,
    /// Bytes written to packs, pages included.
    pub stored_bytes: u64,
}

pub(crate) fn import(
    store: &Store,
    source: &mut dyn DiskSource,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let size = source.size();
    if size == 0 {
        return Err(ImportError::Empty);
    }
    if size > MAXIMUM_IMAGE_BYTES {
        return Err(ImportError::BeyondMaximum { size_bytes: size });
    }
    let runs = data_runs(source)?;
    let data_bytes = runs
        .iter()
        .map(|run| run.end - run.start)
        .sum::<u64>()
        .saturating_mul(CHUNK_BYTES)
        .min(size);
    let capacity_bytes = store.capacity()?;
    if data_bytes > capacity_bytes {
        return Err(ImportError::LargerThanStore {
            store: store.path().to_owned(),
            data_bytes,
            capacity_bytes,
        });
    }
    progress.set_total(size);
    let pending = Pending::default();
    let mut keeper = Keeper::create(store, &pending)?;
    let mut names = Names::default();
    let result = keeper.ingest(source, runs, progress, &mut |keeper, named| {
        if let Named::Skipped(count) = named {
            progress.add_done(count * CHUNK_BYTES);
        }
        names.take(keeper, named)
    });
    let (done_bytes, stored_bytes) = keeper.done_and_stored();
    // Either way the keeper is gone after this, and with it what it did not publish: the space below is free again.
    let result = match result {
        Ok(()) => names.finish(keeper, size).map_err(ImportError::from),
        Err(error) => {
            drop(keeper);
            Err(error)
        }
    };
    result.map_err(|error| match error {
        ImportError::Io(error) if error.is_no_space() => {
            let free_bytes = store.free_space().unwrap_or(0);
            estimate(store, free_bytes, data_bytes, done_bytes, stored_bytes).into()
        }
        error => error,
    })
}

/// The names of the whole image, and the pages they make.
#[derive(Default)]
struct Names {
    pages: PageBuilder,
    zero_chunks: u64,
}

impl Names {
    fn take(&mut self, keeper: &mut Keeper<'_>, named: Named) -> Result<(), IoFailure> {
        let (name, count) = match named {
            // What an import does not read is holes.
            Named::Skipped(count) => (ChunkName::ZERO, count),
            Named::Chunk(name) => (name, 1),
        };
        for _ in 0..count {
            self.zero_chunks += u64::from(name.is_zero());
            self.pages
                .push(name, &mut |page, bytes| keeper.keep_page(page, bytes))?;
        }
        Ok(())
    }

    fn finish(self, mut keeper: Keeper<'_>, size: u64) -> Result<Imported, IoFailure> {
        let chunks = self.pages.chunks();
        let record = self
            .pages
            .finish(size, &mut |page, bytes| keeper.keep_page(page, bytes))?;
        let (_, stored_bytes) = keeper.done_and_stored();
        let imported = Imported {
            root: record.hash(),
            size_bytes: size,
            chunks,
            zero_chunks: self.zero_chunks,
            new_chunks: keeper.new_chunks,
            new_bytes: keeper.new_bytes,
            stored_bytes,
        };
        keeper.publish_version(&record)?;
        Ok(imported)
    }
}

/// The runs of chunks that hold data, in order and apart.
fn data_runs(source: &mut dyn DiskSource) -> Result<Vec<Range<u64>>, ImportError> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut offset = 0;
    loop {
        let next = source.next_data(offset);
        let next = next.map_err(|error| ImportError::Source {
            offset,
            source: Arc::new(error),
        })?;
        let Some((start, length)) = next else {
            return Ok(runs);
        };
        let end = start.saturating_add(length).min(source.size());
        if end <= offset {
            return Ok(runs);
        }
        offset = end;
        let run = start / CHUNK_BYTES..chunk_count(end);
        match runs.last_mut() {
            Some(last) if last.end >= run.start => last.end = run.end,
            _ => runs.push(run),
        }
    }
}
