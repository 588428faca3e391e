//! Which requests a read-only export answers, and what it says to the others.

use crate::{Command, CommandFlags, ErrorCode, MAX_PAYLOAD_BYTES, Request};

use super::Negotiated;

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The code for the reply.
    pub code: ErrorCode,
    /// The reason, for people.
    pub message: &'static str,
}

impl Objection {
    const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message }
    }
}

impl Request {
    /// Whether a read-only export of `size_bytes` can carry this out for a client that `negotiated` so.
    ///
    /// # Errors
    /// The reason why not, to be sent as the reply; the connection goes on.
    pub fn check_read_only(
        &self,
        size_bytes: u64,
        negotiated: &Negotiated,
    ) -> Result<(), Objection> {
        let (allowed_flags, has_range) = match self.command {
            Command::Read if negotiated.structured_replies => (CommandFlags::DF, true),
            Command::Read | Command::Cache => (CommandFlags::empty(), true),
            Command::BlockStatus if negotiated.contexts.is_empty() => {
                return Err(Objection::new(
                    ErrorCode::Invalid,
                    "no metadata context was chosen in the handshake",
                ));
            }
            Command::BlockStatus => (CommandFlags::REQ_ONE, true),
            Command::Flush | Command::Disconnect => (CommandFlags::empty(), false),
            Command::Write | Command::Trim | Command::WriteZeroes => {
                return Err(Objection::new(
                    ErrorCode::NotPermitted,
                    "the export is read-only",
                ));
            }
            Command::Unknown(_) => {
                return Err(Objection::new(
                    ErrorCode::Invalid,
                    "the command is not known",
                ));
            }
        };
        if !allowed_flags.contains(self.flags) {
            return Err(Objection::new(
                ErrorCode::Invalid,
                "a flag does not belong to the command",
            ));
        }
        if !has_range {
            return if self.offset == 0 && self.length == 0 {
                Ok(())
            } else {
                Err(Objection::new(
                    ErrorCode::Invalid,
                    "the command takes neither offset nor length",
                ))
            };
        }
        if self.length == 0 {
            return Err(Objection::new(ErrorCode::Invalid, "the length is zero"));
        }
        if self
            .offset
            .checked_add(u64::from(self.length))
            .is_none_or(|end| end > size_bytes)
        {
            return Err(Objection::new(
                ErrorCode::Invalid,
                "the range ends behind the export",
            ));
        }
        if self.length > MAX_PAYLOAD_BYTES && self.command != Command::BlockStatus {
            return Err(Objection::new(
                ErrorCode::TooLarge,
                "the length is more than 32 MiB",
            ));
        }
        Ok(())
    }
}
