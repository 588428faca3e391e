//! The request of the transmission phase: one fixed header, encoded by clients and decoded by servers.

use crate::wire::{Fields, REQUEST_MAGIC, take_u16, take_u32, take_u64};

/// Bytes of a request header.
pub const REQUEST_BYTES: usize = 28;

/// The client's own name for a request; the reply carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Bytes of the export.
    Read,
    /// Bytes follow that go into the export.
    Write,
    /// The client is about to close; no reply.
    Disconnect,
    /// What was written must be safe.
    Flush,
    /// The range is no longer needed.
    Trim,
    /// The range will be read soon.
    Cache,
    /// The range becomes zeroes.
    WriteZeroes,
    /// The state of the range in the chosen metadata contexts.
    BlockStatus,
    /// A command that this crate does not know; answered EINVAL.
    Unknown(u16),
}

impl Command {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Disconnect => 2,
            Self::Flush => 3,
            Self::Trim => 4,
            Self::Cache => 5,
            Self::WriteZeroes => 6,
            Self::BlockStatus => 7,
            Self::Unknown(number) => number,
        }
    }

    /// The command with this number.
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Disconnect,
            3 => Self::Flush,
            4 => Self::Trim,
            5 => Self::Cache,
            6 => Self::WriteZeroes,
            7 => Self::BlockStatus,
            other => Self::Unknown(other),
        }
    }

    /// Whether a range of it that ends behind the export is a lack of space rather than nonsense.
    pub(crate) const fn is_bound_to_room(self) -> bool {
        matches!(self, Self::Write | Self::WriteZeroes)
    }

    /// Whether it changes the export.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Write | Self::Trim | Self::WriteZeroes)
    }
}

bitflags::bitflags! {
    /// Flags of one request. A bit that this crate does not name is kept, so that the server can refuse it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct CommandFlags: u16 {
        /// The write must be safe before the reply.
        const FUA = 1 << 0;
        /// Do not make a hole.
        const NO_HOLE = 1 << 1;
        /// At most one content chunk in the reply.
        const DF = 1 << 2;
        /// One extent for each metadata context, no longer than asked for.
        const REQ_ONE = 1 << 3;
        /// Zeroes only if that is fast.
        const FAST_ZERO = 1 << 4;
        const _ = !0;
    }
}

/// One request. For a write, its payload follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The client's name for it.
    pub cookie: Cookie,
    /// What is asked.
    pub command: Command,
    /// How.
    pub flags: CommandFlags,
    /// Where in the export, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u32,
}

impl Request {
    /// A read of `length` bytes at `offset`.
    pub const fn read(cookie: Cookie, offset: u64, length: u32) -> Self {
        Self {
            cookie,
            command: Command::Read,
            flags: CommandFlags::empty(),
            offset,
            length,
        }
    }

    /// The farewell; the server closes without a reply.
    pub const fn disconnect() -> Self {
        Self {
            cookie: Cookie(0),
            command: Command::Disconnect,
            flags: CommandFlags::empty(),
            offset: 0,
            length: 0,
        }
    }

    /// The header as it travels.
    pub fn encode(&self) -> [u8; REQUEST_BYTES] {
        Fields::new()
            .with(REQUEST_MAGIC.to_be_bytes())
            .with(self.flags.bits().to_be_bytes())
            .with(self.command.number().to_be_bytes())
            .with(self.cookie.0.to_be_bytes())
            .with(self.offset.to_be_bytes())
            .with(self.length.to_be_bytes())
            .finish()
    }

    /// The request in a header, or the number that stands where the magic number should.
    pub(crate) fn decode(header: &[u8; REQUEST_BYTES]) -> Result<Self, u32> {
        let mut fields = header.as_slice();
        let magic = take_u32(&mut fields).unwrap_or_default();
        if magic != REQUEST_MAGIC {
            return Err(magic);
        }
        Ok(Self {
            flags: CommandFlags::from_bits_retain(take_u16(&mut fields).unwrap_or_default()),
            command: Command::from_number(take_u16(&mut fields).unwrap_or_default()),
            cookie: Cookie(take_u64(&mut fields).unwrap_or_default()),
            offset: take_u64(&mut fields).unwrap_or_default(),
            length: take_u32(&mut fields).unwrap_or_default(),
        })
    }
}
