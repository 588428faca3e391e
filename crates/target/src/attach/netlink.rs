//! The kernel's nbd driver by generic netlink: give it a socket, or take the device away.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, send,
    socket_with,
};

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const NLA_F_NESTED: u16 = 1 << 15;
const NLA_TYPE_MASK: u16 = 0x3fff;

const NBD_CMD_CONNECT: u8 = 1;
const NBD_CMD_DISCONNECT: u8 = 2;
const NBD_CMD_RECONFIGURE: u8 = 3;
const NBD_ATTR_INDEX: u16 = 1;
const NBD_ATTR_SIZE_BYTES: u16 = 2;
const NBD_ATTR_BLOCK_SIZE_BYTES: u16 = 3;
const NBD_ATTR_TIMEOUT: u16 = 4;
const NBD_ATTR_SERVER_FLAGS: u16 = 5;
const NBD_ATTR_SOCKETS: u16 = 7;
const NBD_ATTR_DEAD_CONN_TIMEOUT: u16 = 8;
const NBD_SOCK_ITEM: u16 = 1;
const NBD_SOCK_FD: u16 = 1;

/// `HAS_FLAGS` and `READ_ONLY`. No FLUSH: nothing is ever written.
const READING_FLAGS: u64 = 0b11;
/// `HAS_FLAGS`, FLUSH, FUA, TRIM and `WRITE_ZEROES`; a kernel does not look at what it does not know.
const WRITING_FLAGS: u64 = 0b110_1101;
/// 0: the driver never gives a request up. How long to wait is decided behind the socket, by those who know why.
const REQUEST_TIMEOUT_SECONDS: u64 = 0;
/// Should the keeper die, requests wait this long for another one to take over.
const DEAD_CONNECTION_SECONDS: u64 = 7 * 24 * 3600;

/// Why the kernel did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    #[error("cannot talk to the kernel by netlink: {0}")]
    Socket(io::Error),
    #[error("the kernel has no nbd driver: load the module (modprobe nbd)")]
    NoDriver,
    #[error("the kernel's answer cannot be understood")]
    Malformed,
    #[error(
        "/dev/nbd{index} is in use: detach it first, or take it over with --take-over if its keeper died"
    )]
    InUse { index: u32 },
    #[error("the kernel refused to {verb} /dev/nbd{index}: {source}")]
    Refused {
        verb: &'static str,
        index: u32,
        source: io::Error,
    },
}

/// What the kernel is told of the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) size_bytes: u64,
    pub(crate) block_bytes: u32,
    pub(crate) is_writable: bool,
}

/// A socket to the driver.
pub(crate) struct Driver {
    socket: OwnedFd,
    family: u16,
}

impl Driver {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        let kind = (
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::GENERIC),
        );
        let socket = socket_with(kind.0, kind.1, kind.2, kind.3)
            .map_err(|error| NetlinkError::Socket(error.into()))?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))
            .map_err(|error| NetlinkError::Socket(error.into()))?;
        let mut driver = Self {
            socket,
            family: GENL_ID_CTRL,
        };
        let mut question = Message::new(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
        question.attribute(CTRL_ATTR_FAMILY_NAME, b"nbd\0");
        driver.family = match driver.ask(question) {
            Ok(Some(family)) => family,
            Ok(None) => return Err(NetlinkError::Malformed),
            Err(Asking::Refused(_)) => return Err(NetlinkError::NoDriver),
            Err(Asking::Failed(error)) => return Err(error),
        };
        Ok(driver)
    }

    /// Makes the device live on this socket. The driver keeps its own reference.
    pub(crate) fn connect(
        &self,
        index: u32,
        geometry: Geometry,
        socket: BorrowedFd<'_>,
    ) -> Result<(), NetlinkError> {
        let mut message = self.message(NBD_CMD_CONNECT, index);
        message.attribute(NBD_ATTR_SIZE_BYTES, &geometry.size_bytes.to_ne_bytes());
        message.attribute(
            NBD_ATTR_BLOCK_SIZE_BYTES,
            &u64::from(geometry.block_bytes).to_ne_bytes(),
        );
        let flags = if geometry.is_writable {
            WRITING_FLAGS
        } else {
            READING_FLAGS
        };
        message.attribute(NBD_ATTR_SERVER_FLAGS, &flags.to_ne_bytes());
        self.give(message, socket, "attach", index)
    }

    /// Gives a device whose socket died a new one. The driver sends again what was unanswered, at its next block timer.
    pub(crate) fn reconfigure(
        &self,
        index: u32,
        socket: BorrowedFd<'_>,
    ) -> Result<(), NetlinkError> {
        self.give(
            self.message(NBD_CMD_RECONFIGURE, index),
            socket,
            "take over",
            index,
        )
    }

    pub(crate) fn disconnect(&self, index: u32) -> Result<(), NetlinkError> {
        self.command(self.message(NBD_CMD_DISCONNECT, index), "detach", index)
    }

    fn message(&self, command: u8, index: u32) -> Message {
        let mut message = Message::new(self.family, command);
        message.attribute(NBD_ATTR_INDEX, &index.to_ne_bytes());
        message
    }

    fn give(
        &self,
        mut message: Message,
        socket: BorrowedFd<'_>,
        verb: &'static str,
        index: u32,
    ) -> Result<(), NetlinkError> {
        message.attribute(NBD_ATTR_TIMEOUT, &REQUEST_TIMEOUT_SECONDS.to_ne_bytes());
        message.attribute(
            NBD_ATTR_DEAD_CONN_TIMEOUT,
            &DEAD_CONNECTION_SECONDS.to_ne_bytes(),
        );
        let descriptor = attribute(NBD_SOCK_FD, &socket.as_raw_fd().to_ne_bytes());
        let item = attribute(NBD_SOCK_ITEM | NLA_F_NESTED, &descriptor);
        message.attribute(NBD_ATTR_SOCKETS | NLA_F_NESTED, &item);
        self.command(message, verb, index)
    }

    fn command(
        &self,
        message: Message,
        verb: &'static str,
        index: u32,
    ) -> Result<(), NetlinkError> {
        match self.ask(message) {
            Ok(_) => Ok(()),
            Err(Asking::Refused(source)) if source.raw_os_error() == Some(libc::EBUSY) => {
                Err(NetlinkError::InUse { index })
            }
            Err(Asking::Refused(source)) => Err(NetlinkError::Refused {
                verb,
                index,
                source,
            }),
            Err(Asking::Failed(error)) => Err(error),
        }
    }

    /// Sends, and waits for the acknowledgement. Gives out the family number if the answers hold one.
    fn ask(&self, message: Message) -> Result<Option<u16>, Asking> {
        send(self.socket.as_fd(), &message.finish(), SendFlags::empty()).map_err(Asking::io)?;
        let mut family = None;
        loop {
            let mut buffer = [0; 8192];
            let (count, _) = recv(self.socket.as_fd(), &mut buffer[..], RecvFlags::empty())
                .map_err(Asking::io)?;
            let mut rest = buffer.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                let (kind, body, next) =
                    take_message(rest).ok_or(Asking::Failed(NetlinkError::Malformed))?;
                rest = next;
                match kind {
                    NLMSG_ERROR => {
                        let code = body.first_chunk().map(|code| i32::from_ne_bytes(*code));
                        return match code.ok_or(Asking::Failed(NetlinkError::Malformed))? {
                            0 => Ok(family),
                            code => Err(Asking::Refused(io::Error::from_raw_os_error(-code))),
                        };
                    }
                    GENL_ID_CTRL => family = find_family(body.get(4..).unwrap_or_default()),
                    _ => {}
                }
            }
        }
    }
}

enum Asking {
    Refused(io::Error),
    Failed(NetlinkError),
}

impl Asking {
    fn io(error: rustix::io::Errno) -> Self {
        Self::Failed(NetlinkError::Socket(error.into()))
    }
}

struct Message(Vec<u8>);

impl Message {
    fn new(family: u16, command: u8) -> Self {
        let mut bytes = vec![0; 4]; // the length, at the end
        bytes.extend(family.to_ne_bytes());
        bytes.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        bytes.extend(1_u32.to_ne_bytes()); // sequence
        bytes.extend(0_u32.to_ne_bytes()); // the kernel fills in who we are
        bytes.extend([command, 1, 0, 0]);
        Self(bytes)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.extend(attribute(kind, value));
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.0.first_chunk_mut() {
            *place = length.to_ne_bytes();
        }
        self.0
    }
}

/// An attribute: length without padding, kind, value, padding to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Kind and body of the first message, and what follows it.
fn take_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(16..length)?;
    Some((
        kind,
        body,
        bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
    ))
}

fn find_family(mut attributes: &[u8]) -> Option<u16> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        if kind & NLA_TYPE_MASK == CTRL_ATTR_FAMILY_ID {
            return value.first_chunk().map(|id| u16::from_ne_bytes(*id));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_found_again() {
        let name = attribute(CTRL_ATTR_FAMILY_NAME, b"nbd\0");
        assert_eq!(name.len(), 8);
        let id = attribute(CTRL_ATTR_FAMILY_ID, &27_u16.to_ne_bytes());
        assert_eq!(id.len(), 8);
        assert_eq!(find_family(&[name, id].concat()), Some(27));
        assert_eq!(find_family(&[]), None);
        assert_eq!(find_family(&[255, 0, 1, 0]), None);
    }

    #[test]
    fn a_message_carries_its_length() {
        let mut message = Message::new(27, NBD_CMD_CONNECT);
        message.attribute(NBD_ATTR_INDEX, &3_u32.to_ne_bytes());
        let bytes = message.finish();
        let (kind, body, rest) = take_message(&bytes).unwrap();
        assert_eq!((kind, body.len(), rest.len()), (27, 12, 0));
        assert_eq!(body[0], NBD_CMD_CONNECT);
    }
}
