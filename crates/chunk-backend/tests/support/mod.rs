//! Images with known content, and stores to put them in.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test file uses its part, and a test may panic"
)]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chunk_backend::{ChunkSource, FarmId, FetchError, Imported, Progress, RawFile, Store};
use chunk_store::{CHUNK_SIZE, ChunkName, Entry, RootHash, RootHasher};

pub const FARM: FarmId = FarmId::from_bytes([7; 16]);

/// Keep the other tests of this file from being at work, for as long as the guard lives.
///
/// For a moment a process that is being started has every lock of the one that starts it, closed here or not. A test that
/// lets go of an overlay and takes it again must not be beside one that starts processes.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with stores and images, gone at the end.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self, name: &str) -> Store {
        Store::create(&self.path(name), FARM).unwrap()
    }

    /// A raw image of `size` bytes with chunks of content at `chunks`: (index, seed).
    pub fn image(&self, name: &str, size: u64, chunks: &[(u64, u64)]) -> PathBuf {
        let path = self.path(name);
        write_image(&path, size, chunks);
        path
    }
}

pub fn write_image(path: &Path, size: u64, chunks: &[(u64, u64)]) {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .unwrap();
    file.set_len(size).unwrap();
    for (index, seed) in chunks {
        let offset = index * CHUNK_SIZE as u64;
        let length = usize::try_from((size - offset).min(CHUNK_SIZE as u64)).unwrap();
        file.write_all_at(&content(*seed)[..length], offset)
            .unwrap();
    }
}

/// A chunk that only `seed` decides: half of it random, half text, so that zstd gains something.
pub fn content(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK_SIZE];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes[..CHUNK_SIZE / 2]);
    for (place, letter) in bytes[CHUNK_SIZE / 2..]
        .iter_mut()
        .zip(b"golden ".iter().cycle())
    {
        *place = *letter;
    }
    bytes
}

pub fn import(store: &Store, image: &Path) -> Imported {
    store
        .import(&mut RawFile::open(image).unwrap(), &Progress::new())
        .unwrap()
}

pub fn root_of(image: &Path) -> RootHash {
    let mut hasher = RootHasher::new();
    hasher.update(&std::fs::read(image).unwrap());
    hasher.finish()
}

/// The whole image as the store serves it.
pub fn read_all(store: &Store, root: RootHash, peers: std::sync::Arc<dyn ChunkSource>) -> Vec<u8> {
    let served = store.serve(root, peers).unwrap();
    let mut bytes = vec![0; usize::try_from(served.size()).unwrap()];
    served.read_at(0, &mut bytes).unwrap();
    bytes
}

/// All packs of a store.
pub fn packs(store: &Store) -> Vec<PathBuf> {
    files(&store.path().join("packs"))
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Give a file other content.
pub fn replace(path: &Path, bytes: &[u8]) {
    let file = File::create(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

pub fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

/// Damage the stored bytes of a chunk in whichever packs have it.
pub fn damage_in_packs(store: &Store, name: ChunkName) {
    let mut found = false;
    for pack in packs(store) {
        let bytes = std::fs::read(&pack).unwrap();
        let needle = [&b"CORE"[..]].concat();
        let mut position = 16;
        while let Ok(Some(entry)) = Entry::decode(&bytes[position..]) {
            assert_eq!(&bytes[position..position + 4], &needle[..]);
            if entry.header.name == name {
                flip(
                    &pack,
                    position as u64 + 48 + u64::from(entry.header.stored_length) / 2,
                );
                found = true;
            }
            position += entry.length();
        }
    }
    assert!(found, "the chunk is in a pack");
}

/// A peer that counts what it is asked for, and may send damaged chunks first.
pub struct CountingPeer {
    pub store: Store,
    pub asked: Mutex<Vec<ChunkName>>,
}

impl CountingPeer {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            asked: Mutex::default(),
        }
    }
}

impl ChunkSource for CountingPeer {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        self.asked.lock().unwrap().extend_from_slice(names);
        self.store.fetch(names, work, accept)
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        self.store.fetch_root(root, work)
    }
}

/// A peer whose every chunk is damaged on the way.
pub struct DamagingPeer(pub Store);

impl ChunkSource for DamagingPeer {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        self.0.fetch(names, work, &mut |mut entry| {
            let middle = entry.stored.len() / 2;
            entry.stored[middle] ^= 1;
            accept(entry)
        })
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        self.0.fetch_root(root, work)
    }
}

pub fn allocated_bytes(file: &File) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()) * 512
}

/// A small file system of its own, unmounted at the end.
pub struct Mounted {
    pub path: PathBuf,
}

impl Mounted {
    /// In memory. `None`, with the reason printed, where it cannot be mounted.
    pub fn tmpfs(path: PathBuf, bytes: u64) -> Option<Self> {
        Self::mount(
            path,
            &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"],
        )
    }

    /// One that can share blocks between files, in the file `device`. `None`, with the reason printed, where that cannot be.
    pub fn btrfs(path: PathBuf, device: &Path, bytes: u64) -> Option<Self> {
        File::create(device).unwrap().set_len(bytes).unwrap();
        let device = device.to_str().unwrap();
        run_or_skip(Command::new("mkfs.btrfs").args(["--quiet", device]))?;
        Self::mount(path, &["-o", "loop", device])
    }

    fn mount(path: PathBuf, arguments: &[&str]) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        run_or_skip(Command::new("mount").args(arguments).arg(&path))?;
        Some(Self { path })
    }
}

fn run_or_skip(command: &mut Command) -> Option<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            eprintln!("skipped: {program} failed: {}", said.trim());
            None
        }
        Err(error) => {
            eprintln!("skipped: cannot run {program}: {error}");
            None
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(&self.path).output();
    }
}
