//! Writing packs, so that a kill at any moment leaves nothing half-published.
//!
//! A writer has a folder of its own in `incoming/`, and holds the lock in it as long as it lives. A pack being written is
//! `N.part`; complete and synced it becomes `IDENTITY.pack`; when the whole work is done all packs move to `packs/`. A
//! folder whose lock is free was left by a killed writer: the next one takes over what is sound in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chunk_store::{
    ChunkName, Entry, MAXIMUM_PACK_BYTES, MAXIMUM_PACK_ENTRIES, PACK_HEADER_BYTES, PackIndex,
    PackRecord, check_pack_header, pack_header,
};
use uuid::Uuid;

use crate::IoFailure;
use crate::catalogue::{decode, is_pack, pack_file, read_entry};
use crate::folder::{Folder, file_names, mark_changed, sync_folder};

/// A pack is sealed at this many bytes.
const SEAL_BYTES: u64 = 64 << 20;
const BUFFER_BYTES: usize = 1 << 20;
/// The lock under which writers' folders come and go.
const WRITERS_LOCK: &str = "writers";
const LOCK_FILE: &str = "lock";

/// A folder in `incoming/` that is one writer's; removed with all that was not published.
#[derive(Debug)]
pub(crate) struct WorkArea {
    path: PathBuf,
    _lock: File,
}

impl WorkArea {
    pub(crate) fn create(folder: &Folder) -> Result<Self, IoFailure> {
        // Under the lock, so that nobody takes the new folder for a dead writer's before its own lock is held.
        let _writers = folder.lock(WRITERS_LOCK)?;
        let path = folder.incoming().join(Uuid::new_v4().simple().to_string());
        fs::create_dir(&path).map_err(|error| IoFailure::new("create", &path, error))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = || -> io::Result<File> {
            let lock = File::create_new(&lock_path)?;
            lock.lock()?;
            Ok(lock)
        };
        let lock = lock().map_err(|error| IoFailure::new("lock", &lock_path, error))?;
        Ok(Self { path, _lock: lock })
    }

    /// A path for a file that will be renamed to its place.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for WorkArea {
    fn drop(&mut self) {
        // If this fails the folder is a dead writer's, which the next writer deals with.
        _ = fs::remove_dir_all(&self.path);
    }
}

#[derive(Debug)]
struct OpenPack {
    path: PathBuf,
    file: BufWriter<File>,
    records: Vec<PackRecord>,
    end: u64,
}

/// Writes entries into packs that nobody sees before [`PackWriter::publish`].
#[derive(Debug)]
pub(crate) struct PackWriter {
    folder: Folder,
    area: WorkArea,
    open: Option<OpenPack>,
    sealed: Vec<PathBuf>,
    count: u64,
    stored_bytes: u64,
}

impl PackWriter {
    pub(crate) fn create(folder: &Folder) -> Result<Self, IoFailure> {
        let area = WorkArea::create(folder)?;
        Ok(Self {
            folder: folder.clone(),
            area,
            open: None,
            sealed: Vec::new(),
            count: 0,
            stored_bytes: 0,
        })
    }

    /// Bytes of all entries so far, headers included.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Where files may be written that are renamed into the store.
    pub(crate) fn area(&self) -> &WorkArea {
        &self.area
    }

    pub(crate) fn append(&mut self, entry: &Entry) -> Result<(), IoFailure> {
        let mut pack = match self.open.take() {
            Some(pack) => pack,
            None => self.start()?,
        };
        let written = pack.append(entry);
        written.map_err(|error| IoFailure::new("write", &pack.path, error))?;
        self.stored_bytes += entry.length() as u64;
        let is_full = pack.end >= SEAL_BYTES || pack.records.len() >= MAXIMUM_PACK_ENTRIES;
        self.open = Some(pack);
        if is_full { self.seal() } else { Ok(()) }
    }

    fn start(&mut self) -> Result<OpenPack, IoFailure> {
        self.count += 1;
        let path = self.area.file(&format!("{}.part", self.count));
        let create = || -> io::Result<OpenPack> {
            let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(&path)?);
            file.write_all(&pack_header())?;
            Ok(OpenPack {
                path: path.clone(),
                file,
                records: Vec::new(),
                end: PACK_HEADER_BYTES as u64,
            })
        };
        create().map_err(|error| IoFailure::new("create", &path, error))
    }

    /// Close the open pack and make it durable.
    fn seal(&mut self) -> Result<(), IoFailure> {
        let Some(mut pack) = self.open.take() else {
            return Ok(());
        };
        let (index, identity) = PackIndex::new(std::mem::take(&mut pack.records)).encode(pack.end);
        let mut finish = || -> io::Result<()> {
            pack.file.write_all(&index)?;
            pack.file.flush()?;
            pack.file.get_ref().sync_data()
        };
        finish().map_err(|error| IoFailure::new("write", &pack.path, error))?;
        let sealed = self.area.file(&pack_file(identity));
        fs::rename(&pack.path, &sealed)
            .map_err(|error| IoFailure::new("rename", &sealed, error))?;
        self.sealed.push(sealed);
        Ok(())
    }

    /// Everybody sees all entries from now on. What has to happen in the writer's folder after that, `finish` does.
    pub(crate) fn publish<T>(
        mut self,
        finish: impl FnOnce(&WorkArea) -> Result<T, IoFailure>,
    ) -> Result<T, IoFailure> {
        self.seal()?;
        self.publish_sealed()?;
        finish(&self.area)
    }

    /// [`PackWriter::publish`], for who wants to know the packs' file names.
    pub(crate) fn publish_names(mut self) -> Result<Vec<String>, IoFailure> {
        self.seal()?;
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        let names = self.sealed.iter().filter_map(name).collect();
        self.publish_sealed()?;
        Ok(names)
    }

    /// Publish the packs that are complete; an open one is lost with the writer.
    pub(crate) fn publish_sealed(&mut self) -> Result<(), IoFailure> {
        for path in self.sealed.drain(..) {
            move_to_packs(&self.folder, &path)?;
        }
        mark_changed(&self.folder.packs());
        sync_folder(&self.folder.packs())
    }
}

impl OpenPack {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a pack is sealed long before 4 GiB"
    )]
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.file.write_all(&entry.header.encode())?;
        self.file.write_all(&entry.stored)?;
        let offset = self.end as u32;
        self.records.push(PackRecord {
            name: entry.header.name,
            offset,
            stored_length: entry.header.stored_length,
        });
        self.end += entry.length() as u64;
        Ok(())
    }
}

fn move_to_packs(folder: &Folder, path: &Path) -> Result<(), IoFailure> {
    let Some(name) = path.file_name() else {
        return Ok(());
    };
    let target = folder.packs().join(name);
    fs::rename(path, &target).map_err(|error| IoFailure::new("rename", &target, error))
}

/// Take over what killed writers left: complete packs as they are, of the others the entries that are sound.
pub(crate) fn salvage(folder: &Folder) -> Result<(), IoFailure> {
    let _writers = folder.lock(WRITERS_LOCK)?;
    for name in file_names(&folder.incoming())? {
        let area = folder.incoming().join(name);
        let lock_path = area.join(LOCK_FILE);
        match OpenOptions::new().write(true).open(&lock_path) {
            Ok(lock) => match lock.try_lock() {
                // It is held until the folder is gone: `lock` lives as long as this arm.
                Ok(()) => salvage_area(folder, &area)?,
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(error)) => {
                    return Err(IoFailure::new("lock", &lock_path, error));
                }
            },
            // Killed between making the folder and its lock, or it has just gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => _ = fs::remove_dir_all(&area),
            Err(error) => return Err(IoFailure::new("open", &lock_path, error)),
        }
    }
    mark_changed(&folder.packs());
    sync_folder(&folder.packs())
}

/// Whether anybody writes.
#[derive(Debug)]
pub(crate) enum Writers {
    /// Nobody does, and nobody begins as long as this lives.
    ShutOut(File),
    /// So many do.
    Alive(u64),
}

/// Keep writers from beginning, if none is at work.
pub(crate) fn shut_out_writers(folder: &Folder) -> Result<Writers, IoFailure> {
    let writers = folder.lock(WRITERS_LOCK)?;
    let areas = areas(folder)?;
    let alive = areas.iter().filter(|(_, is_alive)| *is_alive).count();
    Ok(match alive {
        0 => Writers::ShutOut(writers),
        _ => Writers::Alive(alive as u64),
    })
}

/// Bytes that killed writers left.
pub(crate) fn abandoned_bytes(folder: &Folder) -> Result<u64, IoFailure> {
    let _writers = folder.lock(WRITERS_LOCK)?;
    let mut bytes = 0;
    for (area, _) in areas(folder)?.iter().filter(|(_, is_alive)| !is_alive) {
        for name in names_in(area)? {
            bytes += fs::metadata(area.join(name)).map_or(0, |found| found.len());
        }
    }
    Ok(bytes)
}

/// All writers' folders, with whether their writer lives. Under the lock of writers.
fn areas(folder: &Folder) -> Result<Vec<(PathBuf, bool)>, IoFailure> {
    let mut areas = Vec::new();
    for name in file_names(&folder.incoming())? {
        let area = folder.incoming().join(name);
        if !area.is_dir() {
            continue;
        }
        let lock_path = area.join(LOCK_FILE);
        let is_alive = match OpenOptions::new().write(true).open(&lock_path) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => false,
                Err(fs::TryLockError::WouldBlock) => true,
                Err(fs::TryLockError::Error(error)) => {
                    return Err(IoFailure::new("lock", &lock_path, error));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(IoFailure::new("open", &lock_path, error)),
        };
        areas.push((area, is_alive));
    }
    Ok(areas)
}

fn salvage_area(folder: &Folder, area: &Path) -> Result<(), IoFailure> {
    for name in names_in(area)? {
        let path = area.join(&name);
        if is_pack(&name) {
            move_to_packs(folder, &path)?;
        } else if name != LOCK_FILE
            // What cannot be completed (the disk may be full) is given up: its chunks were promised to nobody.
            // A file that is no pack is not completed either.
            && let Ok(Some(sealed)) = complete_part(&path)
        {
            move_to_packs(folder, &sealed)?;
        }
    }
    match fs::remove_dir_all(area) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(IoFailure::new("remove", area, error))
        }
        _ => Ok(()),
    }
}

/// The names in a writer's folder; none if it has just gone with its writer.
fn names_in(area: &Path) -> Result<Vec<String>, IoFailure> {
    match file_names(area) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names,
    }
}

/// Cut an unfinished pack behind its last sound entry and close it; `None` if it has none.
fn complete_part(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut records = Vec::new();
    let mut end = PACK_HEADER_BYTES as u64;
    visit_entries(&file, false, &mut |offset, entry| {
        records.push(PackRecord {
            name: entry.header.name,
            offset,
            stored_length: entry.header.stored_length,
        });
        end = u64::from(offset) + entry.length() as u64;
        Ok(())
    })?;
    if records.is_empty() {
        return Ok(None);
    }
    let (index, identity) = PackIndex::new(records).encode(end);
    file.set_len(end)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(end))?;
    file.write_all(&index)?;
    file.sync_data()?;
    let sealed = path.with_file_name(&*pack_file(identity));
    fs::rename(path, &sealed)?;
    Ok(Some(sealed))
}

/// Walk a pack without its index and give every sound entry with its offset. With `is_thorough` it goes on behind damage,
/// at the next place where an entry starts; without, it stops there (the torn end of an unfinished pack).
pub(crate) fn visit_entries(
    pack: &File,
    is_thorough: bool,
    visit: &mut dyn FnMut(u32, &Entry) -> io::Result<()>,
) -> io::Result<()> {
    let mut header = [0; PACK_HEADER_BYTES];
    let size = pack.metadata()?.len().min(MAXIMUM_PACK_BYTES);
    let read = std::os::unix::fs::FileExt::read_exact_at(pack, &mut header, 0);
    if !is_thorough && (read.is_err() || check_pack_header(&header).is_err()) {
        return Ok(());
    }
    let mut offset = PACK_HEADER_BYTES as u64;
    while offset < size {
        let entry = read_entry(pack, offset)?.filter(|entry| decode(entry).is_some());
        match entry {
            Some(entry) => {
                visit(u32::try_from(offset).unwrap_or(u32::MAX), &entry)?;
                offset += entry.length() as u64;
            }
            None if is_thorough => match next_magic(pack, offset + 1, size)? {
                Some(found) => offset = found,
                None => return Ok(()),
            },
            None => return Ok(()),
        }
    }
    Ok(())
}

/// The next place where an entry may start.
fn next_magic(pack: &File, from: u64, size: u64) -> io::Result<Option<u64>> {
    const WINDOW: usize = 1 << 20;
    let mut window = vec![0; WINDOW];
    let mut start = from;
    while start < size {
        let length = std::os::unix::fs::FileExt::read_at(pack, &mut window, start)?;
        if length < chunk_store::ENTRY_MAGIC.len() {
            return Ok(None);
        }
        let magic = window[..length].windows(chunk_store::ENTRY_MAGIC.len());
        if let Some(position) = magic
            .into_iter()
            .position(|bytes| bytes == chunk_store::ENTRY_MAGIC)
        {
            return Ok(Some(start + position as u64));
        }
        start += (length + 1 - chunk_store::ENTRY_MAGIC.len()) as u64;
    }
    Ok(None)
}

/// A name that the writer has given out already or that a pack has: nothing to write.
#[derive(Debug, Default)]
pub(crate) struct Pending(std::sync::Mutex<std::collections::HashSet<ChunkName>>);

impl Pending {
    /// True for the first one who asks for `name`.
    pub(crate) fn claim(&self, name: ChunkName) -> bool {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name)
    }
}
