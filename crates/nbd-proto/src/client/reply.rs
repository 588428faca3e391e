//! Decoding replies without holding them: data is given out as it arrives, extents one by one.

use alloc::string::String;

use crate::wire::{
    CHUNK_BLOCK_STATUS, CHUNK_ERROR_OFFSET, CHUNK_IS_ERROR, CHUNK_NONE, CHUNK_OFFSET_DATA,
    CHUNK_OFFSET_HOLE, REPLY_FLAG_DONE, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC, take_bytes,
    take_u16, take_u32, take_u64,
};
use crate::{Cookie, ErrorCode, Extent, MAX_ERROR_PAYLOAD_BYTES, MAX_NAME_BYTES};

const SIMPLE_HEADER_BYTES: usize = 16;
const CHUNK_HEADER_BYTES: usize = 20;

/// Which form of reply the handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyForm {
    /// Every reply is a simple one.
    Simple,
    /// Reads and block status have structured replies.
    Structured,
}

/// What the caller knows of a request that has no whole reply yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Where a read begins, in bytes of the export; zero for other requests.
    pub offset: u64,
    /// How many bytes a read asked for; zero for other requests.
    pub data_bytes: u32,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes of the export. One chunk of data may come as several of these.
    Data {
        /// The request.
        cookie: Cookie,
        /// Where in the export.
        offset: u64,
        /// As many as have arrived.
        bytes: &'a [u8],
    },
    /// A range of a read is zeroes.
    Hole {
        /// The request.
        cookie: Cookie,
        /// Where in the export.
        offset: u64,
        /// How many bytes; never zero.
        length: u32,
    },
    /// The next extent of a metadata context.
    Extent {
        /// The request.
        cookie: Cookie,
        /// The context's number.
        context: u32,
        /// The extent. Its length is not zero.
        extent: Extent,
    },
    /// The request failed, wholly or from `offset` on. [`Event::Done`] still comes.
    Failed {
        /// The request.
        cookie: Cookie,
        /// Why.
        code: ErrorCode,
        /// Why, in the server's words; may be empty.
        message: String,
        /// Where, if the server said so.
        offset: Option<u64>,
    },
    /// The reply is over.
    Done {
        /// The request, which is now answered.
        cookie: Cookie,
    },
}

/// Why no more replies can be understood. In every case the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The magic number is wrong: the stream is out of step.
    #[error("reply starts with {0:#010x} and not with a reply magic number")]
    BadMagic(u32),
    /// No request with this cookie waits for a reply.
    #[error("reply to cookie {:#x}, which no request waits for", .0.0)]
    UnknownCookie(Cookie),
    /// A read was answered in the form that was not agreed on.
    #[error("reply to cookie {:#x} is not in the form that was agreed on", .0.0)]
    WrongForm(Cookie),
    /// A chunk of a type that this client did not ask for.
    #[error("reply to cookie {:#x} has a chunk of unknown type {chunk_type}", .cookie.0)]
    UnknownChunk {
        /// The request.
        cookie: Cookie,
        /// The type.
        chunk_type: u16,
    },
    /// A chunk's length does not suit its type, or its content makes no sense.
    #[error("reply to cookie {:#x} has a malformed chunk of type {chunk_type}", .cookie.0)]
    MalformedChunk {
        /// The request.
        cookie: Cookie,
        /// The type.
        chunk_type: u16,
    },
    /// Data for a place that the request did not ask for.
    #[error("reply to cookie {:#x} has data outside of what was asked for", .0.0)]
    OutsideRequest(Cookie),
}

#[derive(Debug)]
enum State {
    Header,
    Data {
        cookie: Cookie,
        offset: u64,
        left: u32,
        is_last: bool,
    },
    Extents {
        cookie: Cookie,
        context: u32,
        left: u32,
        is_last: bool,
    },
    Done {
        cookie: Cookie,
    },
}

/// Takes replies from the received bytes of a connection.
#[derive(Debug)]
pub struct ReplyDecoder {
    form: ReplyForm,
    state: State,
}

impl ReplyDecoder {
    /// A decoder at the beginning of the transmission.
    pub fn new(form: ReplyForm) -> Self {
        Self {
            form,
            state: State::Header,
        }
    }

    /// Takes the next event from the front of `input`. `outstanding` says what the caller knows of a request.
    ///
    /// `Ok(None)` means that more bytes are needed: what is left in `input` must be given again with more behind it. It is
    /// never more than [`MAX_ERROR_PAYLOAD_BYTES`] and a header.
    ///
    /// # Errors
    /// When the connection must be closed; nothing more can be taken from it.
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        outstanding: impl FnOnce(Cookie) -> Option<Outstanding>,
    ) -> Result<Option<Event<'a>>, DecodeError> {
        if let State::Header = self.state {
            match self.take_header(input, outstanding)? {
                Header::Incomplete => return Ok(None),
                Header::Event(event) => return Ok(Some(event)),
                Header::Taken => {}
            }
        }
        match self.state {
            State::Header => Ok(None),
            State::Done { cookie } => {
                self.state = State::Header;
                Ok(Some(Event::Done { cookie }))
            }
            State::Data {
                cookie,
                offset,
                left,
                is_last,
            } => {
                let taken = u32::try_from(input.len()).unwrap_or(u32::MAX).min(left);
                if taken == 0 {
                    return Ok(None);
                }
                let bytes = take_bytes(input, usize::try_from(taken).unwrap_or(usize::MAX))
                    .unwrap_or_default();
                let left = left.saturating_sub(taken);
                self.state = if left > 0 {
                    State::Data {
                        cookie,
                        offset: offset.saturating_add(u64::from(taken)),
                        left,
                        is_last,
                    }
                } else {
                    after_chunk(cookie, is_last)
                };
                Ok(Some(Event::Data {
                    cookie,
                    offset,
                    bytes,
                }))
            }
            State::Extents {
                cookie,
                context,
                left,
                is_last,
            } => {
                let Some((descriptor, rest)) = input.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                *input = rest;
                let mut fields = descriptor.as_slice();
                let length = take_u32(&mut fields).unwrap_or_default();
                let flags = take_u32(&mut fields).unwrap_or_default();
                if length == 0 {
                    return Err(DecodeError::MalformedChunk {
                        cookie,
                        chunk_type: CHUNK_BLOCK_STATUS,
                    });
                }
                let left = left.saturating_sub(1);
                self.state = if left > 0 {
                    State::Extents {
                        cookie,
                        context,
                        left,
                        is_last,
                    }
                } else {
                    after_chunk(cookie, is_last)
                };
                Ok(Some(Event::Extent {
                    cookie,
                    context,
                    extent: Extent { length, flags },
                }))
            }
        }
    }

    fn take_header<'a>(
        &mut self,
        input: &mut &'a [u8],
        outstanding: impl FnOnce(Cookie) -> Option<Outstanding>,
    ) -> Result<Header<'a>, DecodeError> {
        let mut rest = *input;
        let Some(magic) = take_u32(&mut rest) else {
            return Ok(Header::Incomplete);
        };
        match (magic, self.form) {
            (SIMPLE_REPLY_MAGIC, _) => self.take_simple(input, outstanding),
            (STRUCTURED_REPLY_MAGIC, ReplyForm::Structured) => self.take_chunk(input, outstanding),
            _ => Err(DecodeError::BadMagic(magic)),
        }
    }

    fn take_simple<'a>(
        &mut self,
        input: &mut &'a [u8],
        outstanding: impl FnOnce(Cookie) -> Option<Outstanding>,
    ) -> Result<Header<'a>, DecodeError> {
        let Some((header, rest)) = input.split_first_chunk::<SIMPLE_HEADER_BYTES>() else {
            return Ok(Header::Incomplete);
        };
        let mut fields = header.get(4..).unwrap_or_default();
        let error = take_u32(&mut fields).unwrap_or_default();
        let cookie = Cookie(take_u64(&mut fields).unwrap_or_default());
        let request = outstanding(cookie).ok_or(DecodeError::UnknownCookie(cookie))?;
        if self.form == ReplyForm::Structured && request.data_bytes > 0 {
            return Err(DecodeError::WrongForm(cookie));
        }
        *input = rest;
        self.state = State::Done { cookie };
        if error != 0 {
            let code = ErrorCode::from_number(error);
            return Ok(Header::Event(Event::Failed {
                cookie,
                code,
                message: String::new(),
                offset: None,
            }));
        }
        if request.data_bytes > 0 {
            self.state = State::Data {
                cookie,
                offset: request.offset,
                left: request.data_bytes,
                is_last: true,
            };
        }
        Ok(Header::Taken)
    }

    fn take_chunk<'a>(
        &mut self,
        input: &mut &'a [u8],
        outstanding: impl FnOnce(Cookie) -> Option<Outstanding>,
    ) -> Result<Header<'a>, DecodeError> {
        let Some((header, mut rest)) = input.split_first_chunk::<CHUNK_HEADER_BYTES>() else {
            return Ok(Header::Incomplete);
        };
        let mut fields = header.get(4..).unwrap_or_default();
        let is_last = take_u16(&mut fields).unwrap_or_default() & REPLY_FLAG_DONE != 0;
        let chunk_type = take_u16(&mut fields).unwrap_or_default();
        let cookie = Cookie(take_u64(&mut fields).unwrap_or_default());
        let length = take_u32(&mut fields).unwrap_or_default();
        let request = outstanding(cookie).ok_or(DecodeError::UnknownCookie(cookie))?;
        let malformed = DecodeError::MalformedChunk { cookie, chunk_type };
        let taken = match chunk_type {
            CHUNK_NONE => {
                if length != 0 || !is_last {
                    return Err(malformed);
                }
                self.state = State::Done { cookie };
                Header::Taken
            }
            CHUNK_OFFSET_DATA => {
                let left = length
                    .checked_sub(8)
                    .filter(|left| *left > 0)
                    .ok_or(malformed)?;
                let Some(offset) = take_u64(&mut rest) else {
                    return Ok(Header::Incomplete);
                };
                check_inside(cookie, request, offset, left)?;
                self.state = State::Data {
                    cookie,
                    offset,
                    left,
                    is_last,
                };
                Header::Taken
            }
            CHUNK_OFFSET_HOLE => {
                if length != 12 {
                    return Err(malformed);
                }
                let Some((mut fields, behind)) = rest.split_at_checked(12) else {
                    return Ok(Header::Incomplete);
                };
                rest = behind;
                let offset = take_u64(&mut fields).unwrap_or_default();
                let length = take_u32(&mut fields)
                    .filter(|length| *length > 0)
                    .ok_or(malformed)?;
                check_inside(cookie, request, offset, length)?;
                self.state = after_chunk(cookie, is_last);
                Header::Event(Event::Hole {
                    cookie,
                    offset,
                    length,
                })
            }
            CHUNK_BLOCK_STATUS => {
                let bytes = length
                    .checked_sub(4)
                    .filter(|bytes| *bytes > 0 && bytes.is_multiple_of(8));
                let left = bytes
                    .and_then(|bytes| bytes.checked_div(8))
                    .ok_or(malformed)?;
                let Some(context) = take_u32(&mut rest) else {
                    return Ok(Header::Incomplete);
                };
                self.state = State::Extents {
                    cookie,
                    context,
                    left,
                    is_last,
                };
                Header::Taken
            }
            error if error & CHUNK_IS_ERROR != 0 => {
                if length > MAX_ERROR_PAYLOAD_BYTES {
                    return Err(malformed);
                }
                let Some(payload) =
                    take_bytes(&mut rest, usize::try_from(length).unwrap_or(usize::MAX))
                else {
                    return Ok(Header::Incomplete);
                };
                let event = parse_error(cookie, chunk_type, payload).ok_or(malformed)?;
                self.state = after_chunk(cookie, is_last);
                Header::Event(event)
            }
            _ => return Err(DecodeError::UnknownChunk { cookie, chunk_type }),
        };
        *input = rest;
        Ok(taken)
    }
}

enum Header<'a> {
    Incomplete,
    Taken,
    Event(Event<'a>),
}

fn after_chunk(cookie: Cookie, is_last: bool) -> State {
    if is_last {
        State::Done { cookie }
    } else {
        State::Header
    }
}

fn check_inside(
    cookie: Cookie,
    request: Outstanding,
    offset: u64,
    length: u32,
) -> Result<(), DecodeError> {
    let end = offset.checked_add(u64::from(length));
    let asked_end = request.offset.saturating_add(u64::from(request.data_bytes));
    if offset >= request.offset && end.is_some_and(|end| end <= asked_end) {
        Ok(())
    } else {
        Err(DecodeError::OutsideRequest(cookie))
    }
}

fn parse_error(cookie: Cookie, chunk_type: u16, mut payload: &[u8]) -> Option<Event<'static>> {
    let number = take_u32(&mut payload).filter(|number| *number != 0)?;
    let length = usize::from(take_u16(&mut payload)?);
    let message =
        take_bytes(&mut payload, length).filter(|message| message.len() <= MAX_NAME_BYTES)?;
    // An error chunk of a later protocol has fields here that this client does not know.
    let offset = if chunk_type == CHUNK_ERROR_OFFSET {
        Some(take_u64(&mut payload)?)
    } else {
        None
    };
    let message = String::from_utf8_lossy(message).into_owned();
    Some(Event::Failed {
        cookie,
        code: ErrorCode::from_number(number),
        message,
        offset,
    })
}
