//! The error numbers that the protocol allows in a reply.

/// Why a request failed, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not permitted: a write to a read-only export.
    NotPermitted,
    /// The bytes could not be read.
    InputOutput,
    /// No memory for it.
    NoMemory,
    /// The request makes no sense for this export.
    Invalid,
    /// No space left.
    NoSpace,
    /// Larger than the server answers in one piece.
    TooLarge,
    /// Not supported.
    NotSupported,
    /// The server is going away; reconnect elsewhere.
    Shutdown,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::NotPermitted => 1,
            Self::InputOutput => 5,
            Self::NoMemory => 12,
            Self::Invalid => 22,
            Self::NoSpace => 28,
            Self::TooLarge => 75,
            Self::NotSupported => 95,
            Self::Shutdown => 108,
        }
    }

    /// The code for a non-zero number; one that the protocol does not list counts as [`ErrorCode::Invalid`].
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::NotPermitted,
            5 => Self::InputOutput,
            12 => Self::NoMemory,
            28 => Self::NoSpace,
            75 => Self::TooLarge,
            95 => Self::NotSupported,
            108 => Self::Shutdown,
            _ => Self::Invalid,
        }
    }
}
