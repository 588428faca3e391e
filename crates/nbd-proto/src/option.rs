//! The numbers of the handshake: options, reply types, information types.

/// An option of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionCode {
    /// Open an export, old form: cannot be refused but by closing.
    ExportName,
    /// Give up.
    Abort,
    /// Name the exports.
    List,
    /// Go on under TLS.
    StartTls,
    /// Describe an export.
    Info,
    /// Describe and open an export.
    Go,
    /// Use structured replies.
    StructuredReply,
    /// Name the metadata contexts of an export.
    ListMetaContext,
    /// Choose metadata contexts of an export.
    SetMetaContext,
    /// An option that this crate does not know.
    Unknown(u32),
}

impl OptionCode {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::ExportName => 1,
            Self::Abort => 2,
            Self::List => 3,
            Self::StartTls => 5,
            Self::Info => 6,
            Self::Go => 7,
            Self::StructuredReply => 8,
            Self::ListMetaContext => 9,
            Self::SetMetaContext => 10,
            Self::Unknown(number) => number,
        }
    }

    /// The option with this number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::ExportName,
            2 => Self::Abort,
            3 => Self::List,
            5 => Self::StartTls,
            6 => Self::Info,
            7 => Self::Go,
            8 => Self::StructuredReply,
            9 => Self::ListMetaContext,
            10 => Self::SetMetaContext,
            other => Self::Unknown(other),
        }
    }
}

/// Why a server does not do what an option asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The option is not known.
    Unsupported,
    /// Known, but not allowed here.
    Policy,
    /// Malformed, or out of place.
    Invalid,
    /// Not on this platform.
    Platform,
    /// Only under TLS.
    TlsRequired,
    /// No such export, as far as this client may know.
    UnknownExport,
    /// The server is going away; try another.
    Shutdown,
    /// Only for clients that ask for block sizes.
    BlockSizeRequired,
    /// Too much was asked at once.
    TooBig,
    /// An error that this crate does not know.
    Other(u32),
}

const ERROR_BIT: u32 = 1 << 31;

impl Refusal {
    /// The reply type on the wire.
    pub const fn number(self) -> u32 {
        ERROR_BIT
            | match self {
                Self::Unsupported => 1,
                Self::Policy => 2,
                Self::Invalid => 3,
                Self::Platform => 4,
                Self::TlsRequired => 5,
                Self::UnknownExport => 6,
                Self::Shutdown => 7,
                Self::BlockSizeRequired => 8,
                Self::TooBig => 9,
                Self::Other(number) => number,
            }
    }

    /// The refusal with this reply type; `None` if the reply type is no error.
    pub const fn from_number(number: u32) -> Option<Self> {
        if number & ERROR_BIT == 0 {
            return None;
        }
        Some(match number & !ERROR_BIT {
            1 => Self::Unsupported,
            2 => Self::Policy,
            3 => Self::Invalid,
            4 => Self::Platform,
            5 => Self::TlsRequired,
            6 => Self::UnknownExport,
            7 => Self::Shutdown,
            8 => Self::BlockSizeRequired,
            9 => Self::TooBig,
            other => Self::Other(other),
        })
    }
}

pub(crate) const REPLY_ACK: u32 = 1;
pub(crate) const REPLY_SERVER: u32 = 2;
pub(crate) const REPLY_INFO: u32 = 3;
pub(crate) const REPLY_META_CONTEXT: u32 = 4;

pub(crate) const INFO_EXPORT: u16 = 0;
pub(crate) const INFO_NAME: u16 = 1;
pub(crate) const INFO_DESCRIPTION: u16 = 2;
pub(crate) const INFO_BLOCK_SIZE: u16 = 3;
