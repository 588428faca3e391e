//! Measures what a chunk size costs on two versions of an image: the evidence of ADR 0007.
//!
//! ```text
//! cargo run --release -p chunk-backend --example chunk_size -- version1.raw version2.raw [--json]
//! ```
//!
//! For each size: the bytes of version 1 that are not zeros and not there twice; the bytes of version 2 that version 1 has
//! not; the same compressed as a pack holds them; and the chunks of version 1, which is what manifests and indexes cost.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use chunk_backend::{DiskSource, RawFile};
use chunk_store::ChunkName;

const KIBIBYTE: usize = 1_024;
const SIZES: [usize; 9] = [4, 8, 16, 32, 64, 128, 256, 512, 1_024];
/// Bytes read at a time: whole chunks of every size.
const BLOCK: usize = 1_024 * KIBIBYTE;
const LEVEL: i32 = 3;
/// Bytes of an entry's header and of its index record.
const OVERHEAD: u64 = 48 + 40;

/// What one chunk size makes of the two images.
#[derive(Default, serde::Serialize)]
struct Row {
    chunk_bytes: usize,
    first_unique_bytes: u64,
    first_chunks: u64,
    second_new_bytes: u64,
    second_new_stored_bytes: u64,
    second_new_chunks: u64,
}

struct Measure {
    row: Row,
    seen: HashSet<ChunkName>,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Measure {
    fn new(chunk_bytes: usize) -> io::Result<Self> {
        let row = Row {
            chunk_bytes,
            ..Row::default()
        };
        Ok(Self {
            row,
            seen: HashSet::new(),
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
        })
    }

    fn first(&mut self, block: &[u8]) {
        for chunk in block.chunks(self.row.chunk_bytes) {
            let name = ChunkName::of(chunk);
            if !name.is_zero() && self.seen.insert(name) {
                self.row.first_unique_bytes += chunk.len() as u64;
                self.row.first_chunks += 1;
            }
        }
    }

    fn second(&mut self, block: &[u8]) -> io::Result<()> {
        for chunk in block.chunks(self.row.chunk_bytes) {
            let name = ChunkName::of(chunk);
            if !name.is_zero() && self.seen.insert(name) {
                let packed = self.compressor.compress(chunk)?.len();
                let stored = if packed < chunk.len() - chunk.len() / 20 {
                    packed
                } else {
                    chunk.len()
                };
                self.row.second_new_bytes += chunk.len() as u64;
                self.row.second_new_stored_bytes += stored as u64 + OVERHEAD;
                self.row.second_new_chunks += 1;
            }
        }
        Ok(())
    }
}

/// Give every block of a disk that may hold data to `visit`.
fn blocks(path: &Path, visit: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut disk = RawFile::open(path)?;
    let mut block = vec![0; BLOCK];
    let mut position = 0;
    while let Some((start, _)) = disk.next_data(position)? {
        position = start / BLOCK as u64 * BLOCK as u64;
        let length = (disk.size() - position).min(BLOCK as u64);
        let block = &mut block[..usize::try_from(length).unwrap_or(BLOCK)];
        disk.read_at(position, block)?;
        visit(block)?;
        position += length;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<_>, Vec<_>) = env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let [first, second] = &paths[..] else {
        return Err("give two raw images: version 1 and version 2".into());
    };
    let mut measures = SIZES
        .iter()
        .map(|size| Measure::new(size * KIBIBYTE))
        .collect::<io::Result<Vec<_>>>()?;
    blocks(Path::new(first), &mut |block| {
        for measure in &mut measures {
            measure.first(block);
        }
        Ok(())
    })?;
    blocks(Path::new(second), &mut |block| {
        measures
            .iter_mut()
            .try_for_each(|measure| measure.second(block))
    })?;
    let mut output = io::stdout().lock();
    if flags.iter().any(|flag| flag == "--json") {
        let rows: Vec<_> = measures.into_iter().map(|measure| measure.row).collect();
        serde_json::to_writer_pretty(&mut output, &rows)?;
        writeln!(output)?;
        return Ok(());
    }
    writeln!(
        output,
        "| chunk | v1 unique MiB | v1 chunks | v2 new MiB | v2 new stored MiB | v2 new chunks |"
    )?;
    writeln!(output, "|---|---|---|---|---|---|")?;
    for Measure { row, .. } in measures {
        writeln!(
            output,
            "| {}K | {:.1} | {} | {:.1} | {:.2} | {} |",
            row.chunk_bytes / KIBIBYTE,
            mebibytes(row.first_unique_bytes),
            row.first_chunks,
            mebibytes(row.second_new_bytes),
            mebibytes(row.second_new_stored_bytes),
            row.second_new_chunks
        )?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
