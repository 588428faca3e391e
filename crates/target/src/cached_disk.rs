//! A version with the device's own write cache above it: requests are answered from both.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use nbd_proto::{Command, CommandFlags, ErrorCode, Request};
use write_cache::{BLOCK_BYTES, Cache, CacheError};

use crate::cache::CacheUse;
use crate::client::Client;
use crate::journal::note;
use crate::own_cache::Kept;
use crate::ranges::{Ranges, Use};

/// Zeros written in one go.
const ZEROS_BYTES: u64 = 1 << 20;

/// Reads go to the servers unless the device wrote there; writes go nowhere else than to the cache.
pub(crate) struct CachedDisk {
    pub(crate) client: Rc<Client>,
    cache: Arc<Cache>,
    ranges: Ranges,
    problem: RefCell<String>,
}

impl CachedDisk {
    pub(crate) fn new(client: Rc<Client>, kept: Kept) -> Rc<Self> {
        let cache = kept.cache;
        note!(
            "writes go to {}, {} bytes at the most",
            cache.kind().name(),
            cache.limit_bytes()
        );
        Rc::new(Self {
            client,
            cache,
            ranges: Ranges::default(),
            problem: RefCell::new(kept.problem),
        })
    }

    /// What the farm should know of the cache.
    pub(crate) fn use_now(&self) -> CacheUse {
        CacheUse {
            used_bytes: self.cache.used_bytes(),
            limit_bytes: self.cache.limit_bytes(),
            kind: Some(self.cache.kind().name()),
            problem: self.problem.borrow().clone(),
        }
    }

    /// Carries a request out that was checked, with the bytes of a write; gives the bytes of a read.
    ///
    /// # Errors
    ///
    /// What is to be answered instead: no space for a write that finds no room, which changes nothing.
    pub(crate) async fn ask(
        self: &Rc<Self>,
        request: Request,
        payload: Bytes,
    ) -> Result<Vec<u8>, ErrorCode> {
        // On its own, for it must not stop half way when who asked goes away.
        let this = Rc::clone(self);
        let done = tokio::task::spawn_local(async move { this.carry_out(request, payload).await });
        done.await.unwrap_or(Err(ErrorCode::InputOutput))
    }

    async fn carry_out(&self, request: Request, payload: Bytes) -> Result<Vec<u8>, ErrorCode> {
        let (offset, length) = (request.offset, u64::from(request.length));
        let usage = if request.command == Command::Read {
            Use::Shared
        } else {
            Use::Alone
        };
        // A flush has no range and waits for nobody: it is for what was answered before it.
        let _held = self.ranges.hold(blocks(offset, length), usage).await;
        match request.command {
            Command::Read => return self.read(offset, request.length).await,
            Command::Write => self.write(offset, payload).await?,
            Command::Trim => {
                self.clear(offset, length).await?;
            }
            Command::WriteZeroes if request.flags.contains(CommandFlags::NO_HOLE) => {
                self.write_zeros(offset..offset + length).await?;
            }
            Command::WriteZeroes => {
                for part in self.clear(offset, length).await? {
                    self.write_zeros(part).await?;
                }
            }
            Command::Flush => self.on_cache(|cache| Ok(cache.flush()?)).await?,
            _ => {}
        }
        if request.flags.contains(CommandFlags::FUA) {
            self.on_cache(|cache| Ok(cache.flush()?)).await?;
        }
        Ok(Vec::new())
    }

    async fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, ErrorCode> {
        let below = self.noting(self.cache.below(offset, u64::from(length)))?;
        let mut bytes = match below {
            Some(range) if range == (offset..offset + u64::from(length)) => {
                self.client.read(offset, length).await?
            }
            below => {
                let mut bytes = vec![0; length as usize];
                if let Some(range) = below {
                    let found = self.read_below(&range).await?;
                    let at = usize::try_from(range.start - offset).unwrap_or(0);
                    if let Some(place) = bytes.get_mut(at..at + found.len()) {
                        place.copy_from_slice(&found);
                    }
                }
                bytes
            }
        };
        self.on_cache(move |cache| {
            cache.read(offset, &mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    async fn write(&self, offset: u64, payload: Bytes) -> Result<(), ErrorCode> {
        let ranges = self.noting(self.cache.edges(offset, payload.len() as u64))?;
        let mut edges = Vec::new();
        for range in ranges {
            edges.push((range.start, self.read_below(&range).await?));
        }
        self.on_cache(move |cache| cache.write(offset, &payload, &edges))
            .await
    }

    async fn write_zeros(&self, range: Range<u64>) -> Result<(), ErrorCode> {
        let mut offset = range.start;
        while offset < range.end {
            let length = ZEROS_BYTES.min(range.end - offset);
            let zeros = Bytes::from(vec![0; usize::try_from(length).unwrap_or(0)]);
            self.write(offset, zeros).await?;
            offset += length;
        }
        Ok(())
    }

    async fn clear(&self, offset: u64, length: u64) -> Result<Vec<Range<u64>>, ErrorCode> {
        self.on_cache(move |cache| Ok(cache.clear(offset, length)?))
            .await
    }

    async fn read_below(&self, range: &Range<u64>) -> Result<Vec<u8>, ErrorCode> {
        let length = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
        self.client.read(range.start, length).await
    }

    /// Where it does not keep the servers waiting: memory is fast, a disk is not.
    async fn on_cache<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cache) -> Result<T, CacheError> + Send + 'static,
    ) -> Result<T, ErrorCode> {
        let done = if self.cache.is_on_disk() {
            let cache = Arc::clone(&self.cache);
            let done = tokio::task::spawn_blocking(move || work(&cache)).await;
            done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
        } else {
            work(&self.cache)
        };
        match done {
            Err(CacheError::Full) => Err(ErrorCode::NoSpace),
            Err(CacheError::Io(error)) => self.noting(Err(error)),
            Err(_) => Err(ErrorCode::InputOutput),
            Ok(done) => Ok(done),
        }
    }

    /// That a cache fails is said once, and the farm hears of it.
    fn noting<T>(&self, done: io::Result<T>) -> Result<T, ErrorCode> {
        done.map_err(|error| {
            let problem = format!("the write cache fails: {error}");
            if *self.problem.borrow() != problem {
                note!("{problem}");
                *self.problem.borrow_mut() = problem;
            }
            ErrorCode::InputOutput
        })
    }
}

fn blocks(offset: u64, length: u64) -> Range<u64> {
    offset / BLOCK_BYTES..(offset + length).div_ceil(BLOCK_BYTES)
}
