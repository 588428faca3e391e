//! What operations on a store came to, as values for Python.

use pyo3::prelude::*;

/// What an import made.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct Imported {
    root: String,
    size_bytes: u64,
    chunks: u64,
    zero_chunks: u64,
    new_chunks: u64,
    new_bytes: u64,
    stored_bytes: u64,
}

impl From<chunk_backend::Imported> for Imported {
    fn from(imported: chunk_backend::Imported) -> Self {
        Self {
            root: imported.root.to_string(),
            size_bytes: imported.size_bytes,
            chunks: imported.chunks,
            zero_chunks: imported.zero_chunks,
            new_chunks: imported.new_chunks,
            new_bytes: imported.new_bytes,
            stored_bytes: imported.stored_bytes,
        }
    }
}

/// What a sealing made.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct Sealed {
    root: String,
    size_bytes: u64,
    read_chunks: u64,
    changed_chunks: u64,
    new_chunks: u64,
    new_bytes: u64,
    stored_bytes: u64,
}

impl From<chunk_backend::Sealed> for Sealed {
    fn from(sealed: chunk_backend::Sealed) -> Self {
        Self {
            root: sealed.root.to_string(),
            size_bytes: sealed.size_bytes,
            read_chunks: sealed.read_chunks,
            changed_chunks: sealed.changed_chunks,
            new_chunks: sealed.new_chunks,
            new_bytes: sealed.new_bytes,
            stored_bytes: sealed.stored_bytes,
        }
    }
}

/// What changed between two versions.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct Difference {
    changed_chunks: u64,
    changed_bytes: u64,
    zeroed_chunks: u64,
    removed_chunks: u64,
}

impl From<chunk_backend::Difference> for Difference {
    fn from(difference: chunk_backend::Difference) -> Self {
        Self {
            changed_chunks: difference.changed_chunks,
            changed_bytes: difference.changed_bytes,
            zeroed_chunks: difference.zeroed_chunks,
            removed_chunks: difference.removed_chunks,
        }
    }
}

/// What a verification found.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct VerifyReport {
    is_sound: bool,
    packs: u64,
    checked_chunks: u64,
    checked_bytes: u64,
    damaged_chunks: u64,
    unavailable_chunks: u64,
    damaged_packs: Vec<String>,
    affected_roots: Vec<String>,
}

impl From<chunk_backend::VerifyReport> for VerifyReport {
    fn from(report: chunk_backend::VerifyReport) -> Self {
        let in_packs: usize = report
            .damaged_packs
            .iter()
            .map(|pack| pack.damaged.len())
            .sum();
        let in_flats: usize = report
            .damaged_flats
            .iter()
            .map(|flat| flat.chunks.len())
            .sum();
        Self {
            is_sound: report.is_sound(),
            packs: report.packs,
            checked_chunks: report.checked_chunks,
            checked_bytes: report.checked_bytes,
            damaged_chunks: count(in_packs + in_flats + report.damaged_roots.len()),
            unavailable_chunks: count(report.unavailable.len()),
            damaged_packs: report
                .damaged_packs
                .into_iter()
                .map(|pack| pack.file)
                .collect(),
            affected_roots: report
                .affected_roots
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// What healing did.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct HealReport {
    is_sound: bool,
    healed_chunks: u64,
    healed_flat_chunks: u64,
    healed_roots: Vec<String>,
    fetched_chunks: u64,
    fetched_bytes: u64,
    unhealed_chunks: u64,
    affected_roots: Vec<String>,
}

impl From<chunk_backend::HealReport> for HealReport {
    fn from(report: chunk_backend::HealReport) -> Self {
        Self {
            is_sound: report.is_sound(),
            healed_chunks: report.healed_chunks,
            healed_flat_chunks: report.healed_flat_chunks,
            healed_roots: report
                .healed_roots
                .iter()
                .map(ToString::to_string)
                .collect(),
            fetched_chunks: report.fetched_chunks,
            fetched_bytes: report.fetched_bytes,
            unhealed_chunks: count(report.unhealed.len()),
            affected_roots: report
                .affected_roots
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// What a replication did.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct Replicated {
    root: String,
    size_bytes: u64,
    fetched_chunks: u64,
    fetched_bytes: u64,
    carried_chunks: u64,
    carried_bytes: u64,
    already_chunks: u64,
}

impl From<chunk_backend::Replicated> for Replicated {
    fn from(replicated: chunk_backend::Replicated) -> Self {
        Self {
            root: replicated.root.to_string(),
            size_bytes: replicated.size_bytes,
            fetched_chunks: replicated.fetched_chunks,
            fetched_bytes: replicated.fetched_bytes,
            carried_chunks: replicated.carried_chunks,
            carried_bytes: replicated.carried_bytes,
            already_chunks: replicated.already_chunks,
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
