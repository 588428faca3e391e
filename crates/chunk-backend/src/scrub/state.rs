//! What is remembered of a scrub, in `scrub.json` of the store.

use std::fs;
use std::io;

use chunk_store::{ChunkName, RootHash};
use serde::{Deserialize, Serialize};

use crate::IoFailure;
use crate::folder::{Folder, write_whole};

/// The format of `scrub.json` that this code reads and writes.
const FORMAT: u64 = 1;

/// One reading of all that the store keeps. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubPass {
    /// When it began.
    pub started_at: u64,
    /// When it ended, if it did.
    pub finished_at: Option<u64>,
    /// Bytes of all files when it began.
    pub total_bytes: u64,
    /// Bytes of them that were checked. What came meanwhile may make them more.
    pub checked_bytes: u64,
    /// Chunks, pages, indexes and root records that were damaged or gone.
    pub damaged_chunks: u64,
    /// Those that were made good while it went on.
    pub healed_chunks: u64,
}

/// What is known of the scrub of a store, whichever process did it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubState {
    /// The one under way.
    pub pass: Option<ScrubPass>,
    /// The last one that ended.
    pub last: Option<ScrubPass>,
    /// Passes that ended, ever.
    pub passes: u64,
    /// Bytes that were checked, ever.
    pub checked_bytes: u64,
    /// What was found damaged, ever.
    pub damaged_chunks: u64,
    /// What was made good, ever.
    pub healed_chunks: u64,
    /// Chunks and pages that a version needs and nobody could give; asked for again and again.
    pub unhealed: Vec<ChunkName>,
    /// Versions whose root record is damaged and that nobody could give.
    pub unhealed_roots: Vec<RootHash>,
    /// Versions that cannot be read in full without a peer.
    pub affected_roots: Vec<RootHash>,
}

impl ScrubState {
    /// True if nothing is known that nobody could heal.
    pub fn is_sound(&self) -> bool {
        self.unhealed.is_empty() && self.unhealed_roots.is_empty() && self.affected_roots.is_empty()
    }

    /// What is damaged and could not be healed.
    pub fn outstanding(&self) -> u64 {
        (self.unhealed.len() + self.unhealed_roots.len()) as u64
    }
}

/// In which order a pass reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Part {
    #[default]
    Roots,
    Packs,
    Flats,
}

/// How far a pass is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) part: Part,
    /// The file that is, or was last, checked; empty before the first.
    pub(super) file: String,
    /// Where it goes on in the file: a byte of a pack, a chunk of a flat file; 0 if the file is done.
    pub(super) offset: u64,
}

impl Place {
    pub(super) fn set(&mut self, file: &str, offset: u64) {
        file.clone_into(&mut self.file);
        self.offset = offset;
    }

    /// Where to begin in `file`.
    pub(super) fn offset_in(&self, file: &str) -> u64 {
        if self.file == file { self.offset } else { 0 }
    }

    pub(super) fn next_part(&mut self, part: Part) {
        *self = Self {
            part,
            ..Self::default()
        };
    }
}

#[derive(Debug, Default, Deserialize)]
struct Numbered {
    format: u64,
}

/// `scrub.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    format: u64,
    pass: Option<ScrubPass>,
    place: Place,
    last: Option<ScrubPass>,
    passes: u64,
    checked_bytes: u64,
    damaged_chunks: u64,
    healed_chunks: u64,
    unhealed: Vec<String>,
    unhealed_roots: Vec<String>,
    affected_roots: Vec<String>,
}

/// The state and the position, as they are kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) state: ScrubState,
    pub(super) place: Place,
    /// By the clock of who wrote it last here.
    pub(super) written_at: u64,
    /// A later release scrubs this store: nothing of it is changed.
    pub(super) is_of_later_format: bool,
}

impl Kept {
    /// What was kept last. What cannot be read is forgotten: it costs a pass.
    pub(super) fn read(folder: &Folder) -> Result<Self, IoFailure> {
        let path = folder.scrub();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(IoFailure::new("read", &path, error)),
        };
        // Only the format is sure of a later one.
        let numbered: Numbered = serde_json::from_slice(&bytes).unwrap_or_default();
        let is_of_later_format = numbered.format > FORMAT;
        let Some(written) = (numbered.format == FORMAT)
            .then(|| serde_json::from_slice::<Written>(&bytes).ok())
            .flatten()
        else {
            return Ok(Self {
                is_of_later_format,
                ..Self::default()
            });
        };
        Ok(Self {
            state: ScrubState {
                pass: written.pass,
                last: written.last,
                passes: written.passes,
                checked_bytes: written.checked_bytes,
                damaged_chunks: written.damaged_chunks,
                healed_chunks: written.healed_chunks,
                unhealed: parsed(&written.unhealed),
                unhealed_roots: parsed(&written.unhealed_roots),
                affected_roots: parsed(&written.affected_roots),
            },
            place: written.place,
            written_at: 0,
            is_of_later_format,
        })
    }

    /// Keep it, whole or not at all.
    pub(super) fn write(&mut self, folder: &Folder, now: u64) -> Result<(), IoFailure> {
        let path = folder.scrub();
        let state = &self.state;
        let written = Written {
            format: FORMAT,
            pass: state.pass.clone(),
            place: self.place.clone(),
            last: state.last.clone(),
            passes: state.passes,
            checked_bytes: state.checked_bytes,
            damaged_chunks: state.damaged_chunks,
            healed_chunks: state.healed_chunks,
            unhealed: texts(&state.unhealed),
            unhealed_roots: texts(&state.unhealed_roots),
            affected_roots: texts(&state.affected_roots),
        };
        let text = serde_json::to_string(&written).map_err(io::Error::from);
        let text = text.map_err(|error| IoFailure::new("write", &path, error))? + "\n";
        self.written_at = now;
        match write_whole(&path.with_extension("json.new"), &path, text.as_bytes()) {
            // A full disk is scrubbed all the same; a kill costs more then.
            Err(error) if !error.is_no_space() => Err(error),
            _ => Ok(()),
        }
    }
}

fn parsed<T: std::str::FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
