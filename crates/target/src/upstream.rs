//! Where a disk's bytes come from and go to: servers that all have the same version, or the one that has this device's disk.

use std::rc::Rc;

use bytes::Bytes;
use failover::Footing;
use nbd_proto::{Command, ErrorCode, Request};

use crate::cache::Meter;
use crate::cached_disk::CachedDisk;
use crate::client::Client;
use crate::config::LoginAnswer;
use crate::own_cache::Kept;
use crate::writer::Writer;

/// How the failover clients are to behave.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) reading: failover::Settings,
    pub(crate) writing: failover::writable::Settings,
}

/// A disk, whoever has it.
#[derive(Clone)]
pub(crate) enum Upstream {
    /// A version, on any server of the list.
    Version(Rc<Client>),
    /// A version, with this device's own writes above it.
    Cached(Rc<CachedDisk>),
    /// A disk that changes, on one server.
    Disk(Rc<Writer>),
}

impl Upstream {
    /// Begins to connect. Must run inside a `LocalSet`.
    pub(crate) fn start(answer: &LoginAnswer, settings: Settings, cache: Option<Kept>) -> Self {
        if answer.writable {
            return Self::Disk(Writer::start(answer, settings.writing));
        }
        let client = Client::start(answer, settings.reading);
        match cache {
            Some(cache) => Self::Cached(CachedDisk::new(client, cache)),
            None => Self::Version(client),
        }
    }

    /// Where it is seen how full the device's own cache is, if this program keeps it.
    pub(crate) fn meter(&self) -> Option<Meter> {
        match self {
            Self::Cached(disk) => Some(Meter::Disk(Rc::clone(disk))),
            _ => None,
        }
    }

    /// What reads from any server, if this does.
    fn client(&self) -> Option<&Rc<Client>> {
        match self {
            Self::Version(client) => Some(client),
            Self::Cached(disk) => Some(&disk.client),
            Self::Disk(_) => None,
        }
    }

    pub(crate) fn is_writable(&self) -> bool {
        !matches!(self, Self::Version(_))
    }

    /// Takes a new login answer for the same disk.
    pub(crate) fn follow(&self, answer: &LoginAnswer) {
        match self {
            Self::Version(client) => client.follow(answer),
            Self::Cached(disk) => disk.client.follow(answer),
            Self::Disk(writer) => writer.follow(answer),
        }
    }

    /// The disk's size, when a server or the farm has said it.
    pub(crate) async fn size_bytes(&self) -> u64 {
        match self {
            Self::Version(client) => client.size_bytes().await,
            Self::Cached(disk) => disk.client.size_bytes().await,
            Self::Disk(writer) => writer.size_bytes().await,
        }
    }

    /// How well it is served now. A disk that is written is on one server only, and needs no spare.
    pub(crate) fn footing(&self) -> Footing {
        match self {
            Self::Version(client) => client.footing(),
            Self::Cached(disk) => disk.client.footing(),
            Self::Disk(writer) if writer.away_for().is_some() => Footing::Lost,
            Self::Disk(_) => Footing::Firm,
        }
    }

    /// Waits until a new login would help.
    pub(crate) async fn login_wanted(&self) {
        match self {
            Self::Version(client) => client.login_wanted().await,
            Self::Cached(disk) => disk.client.login_wanted().await,
            Self::Disk(writer) => writer.login_wanted().await,
        }
    }

    /// Waits until a server asks this device to move. A disk that is written has nowhere to move to.
    pub(crate) async fn move_wanted(&self) {
        match self.client() {
            Some(client) => client.move_wanted().await,
            None => std::future::pending().await,
        }
    }

    /// Moves to the first server of the last answer.
    pub(crate) fn move_to_first(&self) {
        if let Some(client) = self.client() {
            client.move_to_first();
        }
    }

    /// Carries out a request that was checked, with the bytes of a write; gives the bytes of a read.
    ///
    /// # Errors
    ///
    /// What is to be answered instead.
    pub(crate) async fn ask(&self, request: Request, payload: Bytes) -> Result<Vec<u8>, ErrorCode> {
        match (self, request.command) {
            (Self::Version(client), Command::Read) => {
                client.read(request.offset, request.length).await
            }
            // Nothing is ever unwritten, and nothing is kept here.
            (Self::Version(_), _) | (_, Command::Cache) => Ok(Vec::new()),
            (Self::Cached(disk), _) => disk.ask(request, payload).await,
            (Self::Disk(writer), _) => writer.ask(request, payload).await,
        }
    }
}
