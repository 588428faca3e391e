//! The client's side of the newstyle, fixed handshake: structured replies, metadata contexts, then the export.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::option::{INFO_BLOCK_SIZE, INFO_EXPORT, REPLY_ACK, REPLY_INFO, REPLY_META_CONTEXT};
use crate::wire::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, FLAG_FIXED_NEWSTYLE, FLAG_NO_ZEROES, GREETING_MAGIC,
    OPTION_MAGIC, OPTION_REPLY_MAGIC, length_field, take_bytes, take_text, take_u16, take_u32,
    take_u64,
};
use crate::{
    BlockSizes, MAX_NAME_BYTES, MAX_OPTION_BYTES, MetaContext, OptionCode, Refusal,
    TransmissionFlags,
};

const GREETING_BYTES: usize = 18;
const OPTION_REPLY_HEADER_BYTES: usize = 20;
/// Replies to one option. The only ones of any number are metadata contexts, and no more can come than were asked for.
const MAX_REPLIES: u32 = 256;

/// What the client wants of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The export's name, as the server is to see it; at most [`MAX_NAME_BYTES`].
    pub export: String,
    /// Metadata contexts to choose. A server need not grant them; without any, none are asked for.
    pub contexts: Vec<String>,
    /// Whether to ask for structured replies. Contexts need them.
    pub structured_replies: bool,
}

/// What the server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The export's size.
    pub size_bytes: u64,
    /// What the server offers.
    pub flags: TransmissionFlags,
    /// Whether replies are structured.
    pub structured_replies: bool,
    /// The contexts that were granted.
    pub contexts: Vec<MetaContext>,
    /// The sizes to keep to, if the server named any.
    pub block_sizes: Option<BlockSizes>,
}

/// Why there is no export. In every case the connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// What wants to be opened does not fit into an option.
    #[error(
        "the export name or a metadata context is longer than {MAX_NAME_BYTES} bytes, or they are too many"
    )]
    NameTooLong,
    /// The other side is no NBD server.
    #[error("greeting starts with {0:#018x} and not as an NBD server's")]
    NotNbd(u64),
    /// The server speaks a protocol of before 2010.
    #[error("server does not speak the fixed newstyle handshake")]
    NotFixedNewstyle,
    /// The stream is out of step.
    #[error("option reply starts with {0:#018x} and not with the reply magic number")]
    BadMagic(u64),
    /// The server answers something that was not asked.
    #[error("server answered {got:?} when {asked:?} was asked")]
    WrongOption {
        /// What it answered.
        got: OptionCode,
        /// What was asked.
        asked: OptionCode,
    },
    /// The answer cannot be understood.
    #[error("server's answer to {0:?} is malformed")]
    Malformed(OptionCode),
    /// The answer is longer, or comes in more pieces, than any sensible one.
    #[error("server's answer to {0:?} is too long")]
    TooLong(OptionCode),
    /// The server will not open the export. The farewell is in the output.
    #[error("server refused {option:?} with {refusal:?}: {message}")]
    Refused {
        /// What it refused.
        option: OptionCode,
        /// Why.
        refusal: Refusal,
        /// Why, in its own words; may be empty.
        message: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Greeting,
    StartTls,
    /// TLS begins; nothing of NBD's is expected.
    AwaitsTls,
    StructuredReply,
    SetMetaContext,
    Go,
    Ended,
}

/// A handshake as the client sees it. Nothing is sent before the server's greeting is there.
#[derive(Debug)]
pub struct Handshake {
    wanted: Wanted,
    /// Nothing but this is said in the clear.
    demands_tls: bool,
    state: State,
    replies_seen: u32,
    structured_replies: bool,
    contexts: Vec<MetaContext>,
    export: Option<(u64, TransmissionFlags)>,
    block_sizes: Option<BlockSizes>,
}

impl Handshake {
    /// A handshake that has not begun.
    ///
    /// # Errors
    /// [`HandshakeError::NameTooLong`] if what is wanted cannot be said.
    pub fn new(wanted: Wanted) -> Result<Self, HandshakeError> {
        let names = wanted
            .contexts
            .iter()
            .chain(core::iter::once(&wanted.export));
        let too_long = names.clone().any(|name| name.len() > MAX_NAME_BYTES);
        let total = names
            .map(|name| name.len().saturating_add(8))
            .fold(0, usize::saturating_add);
        if too_long || total > MAX_OPTION_BYTES {
            return Err(HandshakeError::NameTooLong);
        }
        Ok(Self {
            wanted,
            demands_tls: false,
            state: State::Greeting,
            replies_seen: 0,
            structured_replies: false,
            contexts: Vec::new(),
            export: None,
            block_sizes: None,
        })
    }

    /// Demands TLS before anything is said that matters. A server that refuses it is left.
    ///
    /// When [`Handshake::awaits_tls`] becomes true, send the output, shake hands as TLS does, and call [`Handshake::secured`].
    #[must_use]
    pub fn under_tls(mut self) -> Self {
        self.demands_tls = true;
        self
    }

    /// Whether TLS is to begin now.
    pub fn awaits_tls(&self) -> bool {
        self.state == State::AwaitsTls
    }

    /// Goes on under TLS: `output` is to be sent there.
    pub fn secured(&mut self, output: &mut Vec<u8>) {
        if self.state == State::AwaitsTls {
            self.begin(output);
        }
    }

    /// Takes bytes from `input`, adds to `output` what is to be sent, and gives what was agreed when the transmission begins.
    ///
    /// `Ok(None)` means that `output` is to be sent and more bytes are needed: what is left in `input` must be given again
    /// with more behind it. It is never more than one option reply, [`MAX_OPTION_BYTES`] and a header.
    ///
    /// # Errors
    /// When there will be no export. Send `output` all the same, then close.
    pub fn advance(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Negotiated>, HandshakeError> {
        if self.state == State::Greeting && !self.take_greeting(input, output)? {
            return Ok(None);
        }
        while !matches!(self.state, State::Ended | State::AwaitsTls) {
            let Some(OptionReply {
                option,
                reply_type,
                data,
            }) = take_option_reply(input, self.asked())?
            else {
                return Ok(None);
            };
            self.replies_seen = self.replies_seen.saturating_add(1);
            if self.replies_seen > MAX_REPLIES {
                return Err(HandshakeError::TooLong(option));
            }
            if let Some(refusal) = Refusal::from_number(reply_type) {
                self.refused(option, refusal, data, output)?;
            } else if let Some(negotiated) = self.granted(option, reply_type, data, output)? {
                return Ok(Some(negotiated));
            }
        }
        Ok(None)
    }

    fn asked(&self) -> OptionCode {
        match self.state {
            State::StartTls | State::AwaitsTls => OptionCode::StartTls,
            State::StructuredReply => OptionCode::StructuredReply,
            State::SetMetaContext => OptionCode::SetMetaContext,
            State::Greeting | State::Go | State::Ended => OptionCode::Go,
        }
    }

    fn take_greeting(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<bool, HandshakeError> {
        let mut greeting = *input;
        let Some(first) = take_u64(&mut greeting) else {
            return Ok(false);
        };
        if first != GREETING_MAGIC {
            return Err(HandshakeError::NotNbd(first));
        }
        let Some(second) = take_u64(&mut greeting) else {
            return Ok(false);
        };
        if second != OPTION_MAGIC {
            return Err(HandshakeError::NotFixedNewstyle);
        }
        let Some(flags) = take_u16(&mut greeting) else {
            return Ok(false);
        };
        if flags & FLAG_FIXED_NEWSTYLE == 0 {
            return Err(HandshakeError::NotFixedNewstyle);
        }
        take_bytes(input, GREETING_BYTES);
        let no_zeroes = if flags & FLAG_NO_ZEROES == 0 {
            0
        } else {
            CLIENT_NO_ZEROES
        };
        output.extend_from_slice(&(CLIENT_FIXED_NEWSTYLE | no_zeroes).to_be_bytes());
        if self.demands_tls {
            self.state = State::StartTls;
            write_option(OptionCode::StartTls, &[], output);
        } else {
            self.begin(output);
        }
        Ok(true)
    }

    fn begin(&mut self, output: &mut Vec<u8>) {
        if self.wanted.structured_replies {
            self.state = State::StructuredReply;
            write_option(OptionCode::StructuredReply, &[], output);
        } else {
            self.ask_for_export(output);
        }
    }

    fn granted(
        &mut self,
        option: OptionCode,
        reply_type: u32,
        mut data: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Negotiated>, HandshakeError> {
        match (&self.state, reply_type) {
            // What came with it in the clear may be somebody else's: it is not looked at.
            (State::StartTls, REPLY_ACK) => self.state = State::AwaitsTls,
            (State::StructuredReply, REPLY_ACK) => {
                self.structured_replies = true;
                self.ask_for_contexts(output);
            }
            (State::SetMetaContext, REPLY_META_CONTEXT) => {
                let id = take_u32(&mut data).ok_or(HandshakeError::Malformed(option))?;
                let length = length_field(data.len());
                let name = take_text(&mut data, length).ok_or(HandshakeError::Malformed(option))?;
                self.contexts.push(MetaContext {
                    id,
                    name: name.to_owned(),
                });
            }
            (State::SetMetaContext, REPLY_ACK) => self.ask_for_export(output),
            (State::Go, REPLY_INFO) => self
                .take_information(data)
                .ok_or(HandshakeError::Malformed(option))?,
            (State::Go, REPLY_ACK) => {
                let (size_bytes, flags) = self.export.ok_or(HandshakeError::Malformed(option))?;
                self.state = State::Ended;
                return Ok(Some(Negotiated {
                    size_bytes,
                    flags,
                    structured_replies: self.structured_replies,
                    contexts: core::mem::take(&mut self.contexts),
                    block_sizes: self.block_sizes,
                }));
            }
            _ => return Err(HandshakeError::Malformed(option)),
        }
        Ok(None)
    }

    /// Structured replies and contexts can be done without; the export cannot.
    fn refused(
        &mut self,
        option: OptionCode,
        refusal: Refusal,
        data: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), HandshakeError> {
        let is_farewell = matches!(refusal, Refusal::Shutdown | Refusal::TlsRequired);
        match self.state {
            State::StructuredReply | State::SetMetaContext if !is_farewell => {
                self.contexts.clear();
                self.ask_for_export(output);
                Ok(())
            }
            _ => {
                self.state = State::Ended;
                write_option(OptionCode::Abort, &[], output);
                let message = String::from_utf8_lossy(data.get(..MAX_NAME_BYTES).unwrap_or(data))
                    .into_owned();
                Err(HandshakeError::Refused {
                    option,
                    refusal,
                    message,
                })
            }
        }
    }

    fn take_information(&mut self, mut data: &[u8]) -> Option<()> {
        match take_u16(&mut data)? {
            INFO_EXPORT => {
                let size_bytes = take_u64(&mut data)?;
                let flags = TransmissionFlags::from_bits_retain(take_u16(&mut data)?);
                self.export = Some((size_bytes, flags));
            }
            INFO_BLOCK_SIZE => {
                let minimum = take_u32(&mut data)?;
                let preferred = take_u32(&mut data)?;
                let maximum_payload = take_u32(&mut data)?;
                let is_sensible = minimum.is_power_of_two()
                    && minimum <= 65_536
                    && preferred.is_power_of_two()
                    && preferred >= minimum
                    && maximum_payload >= preferred;
                if !is_sensible {
                    return None;
                }
                self.block_sizes = Some(BlockSizes {
                    minimum,
                    preferred,
                    maximum_payload,
                });
            }
            _ => return Some(()),
        }
        data.is_empty().then_some(())
    }

    fn ask_for_contexts(&mut self, output: &mut Vec<u8>) {
        if self.wanted.contexts.is_empty() {
            self.ask_for_export(output);
            return;
        }
        let mut data = with_length(&self.wanted.export);
        data.extend_from_slice(&length_field(self.wanted.contexts.len()).to_be_bytes());
        for context in &self.wanted.contexts {
            data.extend_from_slice(&with_length(context));
        }
        write_option(OptionCode::SetMetaContext, &data, output);
        self.state = State::SetMetaContext;
        self.replies_seen = 0;
    }

    fn ask_for_export(&mut self, output: &mut Vec<u8>) {
        let mut data = with_length(&self.wanted.export);
        data.extend_from_slice(&1_u16.to_be_bytes());
        data.extend_from_slice(&INFO_BLOCK_SIZE.to_be_bytes());
        write_option(OptionCode::Go, &data, output);
        self.state = State::Go;
        self.replies_seen = 0;
    }
}

fn with_length(text: &str) -> Vec<u8> {
    let mut data = length_field(text.len()).to_be_bytes().to_vec();
    data.extend_from_slice(text.as_bytes());
    data
}

fn write_option(option: OptionCode, data: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(&OPTION_MAGIC.to_be_bytes());
    output.extend_from_slice(&option.number().to_be_bytes());
    output.extend_from_slice(&length_field(data.len()).to_be_bytes());
    output.extend_from_slice(data);
}

struct OptionReply<'a> {
    option: OptionCode,
    reply_type: u32,
    data: &'a [u8],
}

/// The next whole reply to `asked`.
fn take_option_reply<'a>(
    input: &mut &'a [u8],
    asked: OptionCode,
) -> Result<Option<OptionReply<'a>>, HandshakeError> {
    let mut rest = *input;
    let Some(magic) = take_u64(&mut rest) else {
        return Ok(None);
    };
    if magic != OPTION_REPLY_MAGIC {
        return Err(HandshakeError::BadMagic(magic));
    }
    let Some(got) = take_u32(&mut rest).map(OptionCode::from_number) else {
        return Ok(None);
    };
    if got != asked {
        return Err(HandshakeError::WrongOption { got, asked });
    }
    let Some(reply_type) = take_u32(&mut rest) else {
        return Ok(None);
    };
    let Some(length) = take_u32(&mut rest) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_OPTION_BYTES {
        return Err(HandshakeError::TooLong(got));
    }
    let Some(data) = take_bytes(&mut rest, length) else {
        return Ok(None);
    };
    take_bytes(input, OPTION_REPLY_HEADER_BYTES.saturating_add(length));
    Ok(Some(OptionReply {
        option: got,
        reply_type,
        data,
    }))
}
