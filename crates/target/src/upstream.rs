//! Where a disk's bytes come from and go to: servers that all have the same version, or the one that has this device's disk.

use std::rc::Rc;

use bytes::Bytes;
use nbd_proto::{Command, ErrorCode, Request};

use crate::client::Client;
use crate::config::LoginAnswer;
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
    /// A disk that changes, on one server.
    Disk(Rc<Writer>),
}

impl Upstream {
    /// Begins to connect. Must run inside a `LocalSet`.
    pub(crate) fn start(answer: &LoginAnswer, settings: Settings) -> Self {
        if answer.writable {
            Self::Disk(Writer::start(answer, settings.writing))
        } else {
            Self::Version(Client::start(answer, settings.reading))
        }
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self, Self::Disk(_))
    }

    /// Takes a new login answer for the same disk.
    pub(crate) fn follow(&self, answer: &LoginAnswer) {
        match self {
            Self::Version(client) => client.follow(answer),
            Self::Disk(writer) => writer.follow(answer),
        }
    }

    /// The disk's size, when a server or the farm has said it.
    pub(crate) async fn size_bytes(&self) -> u64 {
        match self {
            Self::Version(client) => client.size_bytes().await,
            Self::Disk(writer) => writer.size_bytes().await,
        }
    }

    /// Waits until a new login would help.
    pub(crate) async fn login_wanted(&self) {
        match self {
            Self::Version(client) => client.login_wanted().await,
            Self::Disk(writer) => writer.login_wanted().await,
        }
    }

    /// Waits until a server asks this device to move. A disk that is written has nowhere to move to.
    pub(crate) async fn move_wanted(&self) {
        match self {
            Self::Version(client) => client.move_wanted().await,
            Self::Disk(_) => std::future::pending().await,
        }
    }

    /// Moves to the first server of the last answer.
    pub(crate) fn move_to_first(&self) {
        if let Self::Version(client) = self {
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
            (Self::Version(_), _) | (Self::Disk(_), Command::Cache) => Ok(Vec::new()),
            (Self::Disk(writer), _) => writer.ask(request, payload).await,
        }
    }
}
