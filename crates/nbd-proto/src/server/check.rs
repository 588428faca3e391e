//! Which requests an export answers, and what it says to the others.

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

/// What can be done with an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Possible {
    /// It never changes.
    Reading,
    /// It takes writes, trims and zeroes; FUA, FLUSH and `FAST_ZERO` were offered.
    Writing,
}

impl Request {
    /// Whether an export of `size_bytes` can carry this out for a client that `negotiated` so.
    ///
    /// # Errors
    /// The reason why not, to be sent as the reply; the connection goes on.
    pub fn check(
        &self,
        possible: Possible,
        size_bytes: u64,
        negotiated: &Negotiated,
    ) -> Result<(), Objection> {
        let Kind {
            mut flags,
            has_range,
            mut has_payload,
        } = self.kind(possible, negotiated)?;
        if possible == Possible::Writing {
            // Who offers FUA must take it with every command; what writes nothing has nothing to make safe.
            flags |= CommandFlags::FUA;
        }
        if !flags.contains(self.flags) {
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
            return Err(if self.command.is_bound_to_room() {
                Objection::new(
                    ErrorCode::NoSpace,
                    "the range ends behind the export, which cannot grow",
                )
            } else {
                Objection::new(ErrorCode::Invalid, "the range ends behind the export")
            });
        }
        // A cached range is read as a whole, even though it is not sent.
        has_payload |= self.command == Command::Cache;
        if self.length > MAX_PAYLOAD_BYTES && has_payload {
            return Err(Objection::new(
                ErrorCode::TooLarge,
                "the length is more than 32 MiB",
            ));
        }
        Ok(())
    }

    /// Whether a read-only export of `size_bytes` can carry this out for a client that `negotiated` so.
    ///
    /// # Errors
    /// As [`Request::check`].
    pub fn check_read_only(
        &self,
        size_bytes: u64,
        negotiated: &Negotiated,
    ) -> Result<(), Objection> {
        self.check(Possible::Reading, size_bytes, negotiated)
    }

    fn kind(&self, possible: Possible, negotiated: &Negotiated) -> Result<Kind, Objection> {
        let kind = match (self.command, possible) {
            (Command::Read, _) if negotiated.structured_replies => {
                Kind::of_payload(CommandFlags::DF)
            }
            (Command::Read, _) | (Command::Write, Possible::Writing) => {
                Kind::of_payload(CommandFlags::empty())
            }
            (Command::Cache, _) | (Command::Trim, Possible::Writing) => {
                Kind::of_range(CommandFlags::empty())
            }
            (Command::WriteZeroes, Possible::Writing) => {
                Kind::of_range(CommandFlags::NO_HOLE | CommandFlags::FAST_ZERO)
            }
            (Command::BlockStatus, _) if negotiated.contexts.is_empty() => {
                return Err(Objection::new(
                    ErrorCode::Invalid,
                    "no metadata context was chosen in the handshake",
                ));
            }
            (Command::BlockStatus, _) => Kind::of_range(CommandFlags::REQ_ONE),
            (Command::Flush | Command::Disconnect, _) => Kind {
                flags: CommandFlags::empty(),
                has_range: false,
                has_payload: false,
            },
            (Command::Write | Command::Trim | Command::WriteZeroes, Possible::Reading) => {
                return Err(Objection::new(
                    ErrorCode::NotPermitted,
                    "the export is read-only",
                ));
            }
            (Command::Unknown(_), _) => {
                return Err(Objection::new(
                    ErrorCode::Invalid,
                    "the command is not known",
                ));
            }
        };
        Ok(kind)
    }
}

/// What a command takes.
struct Kind {
    flags: CommandFlags,
    has_range: bool,
    /// Its range travels, in one direction or the other.
    has_payload: bool,
}

impl Kind {
    const fn of_payload(flags: CommandFlags) -> Self {
        Self {
            flags,
            has_range: true,
            has_payload: true,
        }
    }

    const fn of_range(flags: CommandFlags) -> Self {
        Self {
            flags,
            has_range: true,
            has_payload: false,
        }
    }
}
