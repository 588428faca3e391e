//! The last login answer, in memory that outlives a worker.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::config::LoginAnswer;
use crate::worker::Memory;

const SLOT_BYTES: u64 = 1024 * 1024;

/// Two slots in a nameless file. The older one is overwritten, so that a worker killed while it writes spoils nothing.
pub(crate) struct SharedMemory {
    file: File,
    sequence: Cell<u64>,
}

#[derive(Deserialize, Serialize)]
struct Record {
    sequence: u64,
    answer: LoginAnswer,
}

impl SharedMemory {
    pub(crate) fn new() -> io::Result<Self> {
        let file = memfd_create("corral-target-login", MemfdFlags::CLOEXEC)?;
        let file = File::from(file);
        file.set_len(2 * SLOT_BYTES)?;
        Ok(Self {
            file,
            sequence: Cell::new(0),
        })
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            sequence: Cell::new(0),
        })
    }

    fn read(&self, slot: u64) -> Option<Record> {
        let mut length = [0; 8];
        self.file
            .read_exact_at(&mut length, slot * SLOT_BYTES)
            .ok()?;
        let length = u64::from_be_bytes(length);
        if length == 0 || length > SLOT_BYTES - 8 {
            return None;
        }
        let mut text = vec![0; usize::try_from(length).ok()?];
        self.file
            .read_exact_at(&mut text, slot * SLOT_BYTES + 8)
            .ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl Memory for SharedMemory {
    fn recall(&self) -> Option<LoginAnswer> {
        let newest = (0..2)
            .filter_map(|slot| self.read(slot))
            .max_by_key(|record| record.sequence)?;
        self.sequence.set(newest.sequence);
        Some(newest.answer)
    }

    fn keep(&self, answer: &LoginAnswer) {
        let sequence = self.sequence.get() + 1;
        self.sequence.set(sequence);
        let Ok(text) = serde_json::to_vec(&Record {
            sequence,
            answer: answer.clone(),
        }) else {
            return;
        };
        let bytes = [&(text.len() as u64).to_be_bytes()[..], &text].concat();
        if bytes.len() as u64 <= SLOT_BYTES {
            let _ = self.file.write_all_at(&bytes, sequence % 2 * SLOT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(export: &str) -> LoginAnswer {
        let json = format!(r#"{{"format":1,"export":"{export}","servers":[]}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_newest_answer_is_recalled_and_a_spoilt_one_passed_over() {
        let memory = SharedMemory::new().unwrap();
        assert!(memory.recall().is_none());
        for export in ["debian/1", "debian/2", "debian/3"] {
            memory.keep(&answer(export));
            let next = memory.try_clone().unwrap();
            assert_eq!(next.recall().unwrap().export, export);
        }
        // As if the worker had been killed while it wrote the fourth.
        memory
            .file
            .write_all_at(&[0, 0, 0, 0, 0, 0, 0, 90, b'{'], 0)
            .unwrap();
        assert_eq!(memory.recall().unwrap().export, "debian/3");
    }
}
