//! What is under way on a connection.

use std::collections::HashMap;

use failover::{Answer, Cookie, Loss};
use nbd_proto::ErrorCode;
use nbd_proto::client::{AssembleError, Event, Outstanding, ReadAssembly};

const DRAINING: u32 = 1;
const MOVE: u32 = 2;

/// What was asked, and what has come of the answer.
pub(super) enum Asked {
    Read {
        outstanding: Outstanding,
        pieces: ReadAssembly,
    },
    /// A change or a flush: nothing comes but how it went.
    Change { failed: Option<ErrorCode> },
    SessionFlags {
        flags: Option<u32>,
        failed: Option<ErrorCode>,
    },
    HeartbeatRead {
        outstanding: Outstanding,
        failed: Option<ErrorCode>,
    },
}

/// An answer in full, with its bytes if it was a read.
pub(crate) struct Answered {
    pub(crate) cookie: Cookie,
    pub(crate) answer: Answer,
    pub(crate) bytes: Vec<u8>,
}

/// Takes what has come; gives the answer once all of it is there.
pub(super) fn note(
    all: &mut HashMap<u64, Asked>,
    session_context: Option<u32>,
    event: &Event<'_>,
) -> Result<Option<Answered>, Loss> {
    let unasked = Err(Loss::Protocol);
    match *event {
        Event::Data {
            cookie,
            offset,
            bytes,
        } => match all.get_mut(&cookie.0) {
            Some(Asked::Read { pieces, .. }) => {
                pieces.data(offset, bytes).map_err(|_| Loss::Protocol)?;
            }
            Some(Asked::HeartbeatRead { .. }) => {}
            _ => return unasked,
        },
        Event::Hole {
            cookie,
            offset,
            length,
        } => match all.get_mut(&cookie.0) {
            Some(Asked::Read { pieces, .. }) => {
                pieces.hole(offset, length).map_err(|_| Loss::Protocol)?;
            }
            Some(Asked::HeartbeatRead { .. }) => {}
            _ => return unasked,
        },
        Event::Extent {
            cookie,
            context,
            extent,
        } => match all.get_mut(&cookie.0) {
            Some(Asked::SessionFlags { flags, .. }) if session_context == Some(context) => {
                flags.get_or_insert(extent.flags);
            }
            Some(Asked::SessionFlags { .. }) => {}
            _ => return unasked,
        },
        Event::Failed { cookie, code, .. } => match all.get_mut(&cookie.0) {
            Some(Asked::Read { pieces, .. }) => pieces.failed(code),
            Some(
                Asked::Change { failed }
                | Asked::SessionFlags { failed, .. }
                | Asked::HeartbeatRead { failed, .. },
            ) => {
                failed.get_or_insert(code);
            }
            None => return unasked,
        },
        Event::Done { cookie } => {
            let Some(asked) = all.remove(&cookie.0) else {
                return unasked;
            };
            return asked.finish(Cookie(cookie.0)).map(Some);
        }
    }
    Ok(None)
}

impl Asked {
    pub(super) fn outstanding(&self) -> Outstanding {
        match self {
            Self::Read { outstanding, .. } | Self::HeartbeatRead { outstanding, .. } => {
                *outstanding
            }
            Self::Change { .. } | Self::SessionFlags { .. } => Outstanding {
                offset: 0,
                data_bytes: 0,
            },
        }
    }

    fn finish(self, cookie: Cookie) -> Result<Answered, Loss> {
        let (answer, bytes) = match self {
            Self::Read { pieces, .. } => match pieces.finish() {
                Ok(bytes) => (Answer::Data, bytes),
                Err(AssembleError::Failed(code)) => (failed(code), Vec::new()),
                Err(_) => return Err(Loss::Protocol),
            },
            Self::Change { failed: None } => (Answer::Data, Vec::new()),
            Self::Change { failed: Some(code) }
            | Self::SessionFlags {
                failed: Some(code), ..
            }
            | Self::HeartbeatRead {
                failed: Some(code), ..
            } => (failed(code), Vec::new()),
            Self::SessionFlags { flags, .. } => (
                Answer::Alive {
                    draining: flags.is_some_and(|flags| flags & DRAINING != 0),
                    asked_to_move: flags.is_some_and(|flags| flags & MOVE != 0),
                },
                Vec::new(),
            ),
            Self::HeartbeatRead { .. } => (
                Answer::Alive {
                    draining: false,
                    asked_to_move: false,
                },
                Vec::new(),
            ),
        };
        Ok(Answered {
            cookie,
            answer,
            bytes,
        })
    }
}

fn failed(code: ErrorCode) -> Answer {
    match code {
        ErrorCode::Shutdown => Answer::ShuttingDown,
        other => Answer::Failed {
            error: other.number(),
        },
    }
}
