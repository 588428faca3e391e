//! The server's side of the newstyle, fixed handshake.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::question::{ContextQuestion, Event, ListQuestion, OpenQuestion, Question};
use crate::option::{
    INFO_BLOCK_SIZE, INFO_DESCRIPTION, INFO_EXPORT, INFO_NAME, REPLY_ACK, REPLY_INFO,
    REPLY_META_CONTEXT, REPLY_SERVER,
};
use crate::wire::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, FLAG_FIXED_NEWSTYLE, FLAG_NO_ZEROES, GREETING_MAGIC,
    OPTION_MAGIC, OPTION_REPLY_MAGIC, fitting, length_field, skip, take_bytes, take_text, take_u16,
    take_u32, take_u64,
};
use crate::{
    BlockSizes, MAX_NAME_BYTES, MAX_OPTION_BYTES, MAX_OPTIONS, MAX_SKIPPED_BYTES, MetaContext,
    OptionCode, Refusal, TransmissionFlags,
};

const OPTION_HEADER_BYTES: usize = 16;
const EXPORT_NAME_PADDING: [u8; 124] = [0; 124];

/// What is said about an export that a client may open.
#[derive(Clone, Copy, Debug)]
pub struct ExportFacts<'a> {
    /// Its name without anything secret that the client put beside it.
    pub name: &'a str,
    /// One line for people; may be empty.
    pub description: &'a str,
    /// Its size.
    pub size_bytes: u64,
    /// What is offered. `SEND_DF` is added where structured replies were negotiated.
    pub flags: TransmissionFlags,
    /// The sizes that requests should keep to.
    pub block_sizes: BlockSizes,
}

/// What both sides agreed on when the transmission begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// Whether replies are structured.
    pub structured_replies: bool,
    /// The metadata contexts that block status reports on.
    pub contexts: Vec<MetaContext>,
}

/// Why the handshake cannot go on. In every case the connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client set flags that no server offered: it is no NBD client, or one of a later protocol.
    #[error("client flags {0:#010x} hold bits that were not offered")]
    UnknownClientFlags(u32),
    /// An option does not start as options do: the stream is out of step.
    #[error("option starts with {0:#018x} and not with the option magic number")]
    BadMagic(u64),
    /// A client that does not speak fixed newstyle can only open an export.
    #[error("option {0:?} needs the fixed newstyle handshake, which the client did not ask for")]
    NotFixedNewstyle(OptionCode),
    /// The name in `EXPORT_NAME` is too long or no text, and that option cannot be refused.
    #[error("export name of {length_bytes} bytes is too long or no text")]
    BadExportName {
        /// How long it said that it is.
        length_bytes: usize,
    },
    /// The client asks for an export in the clear, by an option that cannot be refused but by closing.
    #[error("an export is asked for in the clear, and there are none but under TLS")]
    NotSecured,
    /// The client haggles for ever.
    #[error("more than {MAX_OPTIONS} options in one handshake")]
    TooManyOptions,
    /// The client sends options that are too long, again and again.
    #[error("more than {MAX_SKIPPED_BYTES} bytes of over-long options in one handshake")]
    TooLong,
}

/// Whether a refused client may ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "EXPORT_NAME can only be refused by closing"]
pub enum AfterRefusal {
    /// It may.
    GoOn,
    /// The option has no way to say no: close.
    Close,
}

/// What the server wants of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsOffer {
    /// There is none.
    None,
    /// Whoever wants it may have it.
    Optional,
    /// Nothing is said in the clear.
    Required,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    ClientFlags,
    Options,
    /// The client was told to begin with TLS.
    AwaitsTls,
    Skipping {
        left: usize,
        option: OptionCode,
    },
    Ended,
}

/// A handshake as the server sees it.
///
/// Send what [`Handshake::new`] puts into the output, then give received bytes to [`Handshake::next_event`] and answer
/// each event. A question is a value that its answer consumes, so that nothing is answered twice.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    /// `None`: this is TLS.
    tls: Option<TlsOffer>,
    is_fixed: bool,
    omits_zeroes: bool,
    structured_replies: bool,
    /// The contexts last chosen, and the export they were chosen for.
    chosen: Option<(String, Vec<MetaContext>)>,
    options_seen: u32,
    skipped_bytes: usize,
}

impl Handshake {
    /// A handshake with a client that has just connected; its greeting is added to `output`.
    pub fn new(output: &mut Vec<u8>) -> Self {
        output.extend_from_slice(&GREETING_MAGIC.to_be_bytes());
        output.extend_from_slice(&OPTION_MAGIC.to_be_bytes());
        output.extend_from_slice(&(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES).to_be_bytes());
        Self {
            state: State::ClientFlags,
            tls: Some(TlsOffer::None),
            is_fixed: false,
            omits_zeroes: false,
            structured_replies: false,
            chosen: None,
            options_seen: 0,
            skipped_bytes: 0,
        }
    }

    /// Says what the server wants of TLS; without this there is none.
    pub fn offer_tls(&mut self, offer: TlsOffer) {
        self.tls = Some(offer);
    }

    /// Goes on under TLS, after [`Event::StartTls`]. Whatever was agreed before is forgotten: somebody between may have said it.
    pub fn secured(&mut self) {
        if self.state == State::AwaitsTls {
            self.state = State::Options;
            self.tls = None;
            self.structured_replies = false;
            self.chosen = None;
        }
    }

    /// Takes bytes from `input` until something needs the caller; answers by itself, into `output`, what it can.
    ///
    /// `Ok(None)` means that more bytes are needed: what is left in `input` must be given again with more behind it. It is
    /// never more than one option, [`MAX_OPTION_BYTES`] and a header. Send `output` whenever this returns.
    ///
    /// # Errors
    /// When the connection must be closed.
    pub fn next_event(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Event>, HandshakeError> {
        loop {
            match self.state {
                State::ClientFlags => {
                    let Some(flags) = take_u32(input) else {
                        return Ok(None);
                    };
                    if flags & !(CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES) != 0 {
                        return Err(HandshakeError::UnknownClientFlags(flags));
                    }
                    self.is_fixed = flags & CLIENT_FIXED_NEWSTYLE != 0;
                    self.omits_zeroes = flags & CLIENT_NO_ZEROES != 0;
                    self.state = State::Options;
                }
                State::Skipping { left, option } => {
                    let left = left.saturating_sub(skip(input, left));
                    if left > 0 {
                        self.state = State::Skipping { left, option };
                        return Ok(None);
                    }
                    self.state = State::Options;
                    write_refusal(
                        option,
                        Refusal::TooBig,
                        "the option's data is too long",
                        output,
                    );
                }
                State::Options => {
                    let Some((option, length)) = self.peek_option(input)? else {
                        return Ok(None);
                    };
                    if length > MAX_OPTION_BYTES {
                        self.begin_to_skip(option, length)?;
                        take_bytes(input, OPTION_HEADER_BYTES);
                        continue;
                    }
                    let end = OPTION_HEADER_BYTES.saturating_add(length);
                    let Some(data) = input.get(OPTION_HEADER_BYTES..end) else {
                        return Ok(None);
                    };
                    take_bytes(input, end);
                    self.count_option()?;
                    if let Some(event) = self.take_option(option, data, output)? {
                        return Ok(Some(event));
                    }
                }
                State::AwaitsTls | State::Ended => return Ok(None),
            }
        }
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "the answer consumes the question"
    )]
    /// Opens the export, or describes it. `Some` begins the transmission: what is left in the input are requests.
    pub fn accept(
        &mut self,
        question: OpenQuestion,
        facts: &ExportFacts<'_>,
        output: &mut Vec<u8>,
    ) -> Option<Negotiated> {
        let mut flags = facts.flags | TransmissionFlags::HAS_FLAGS;
        flags.set(TransmissionFlags::SEND_DF, self.structured_replies);
        if question.option == OptionCode::ExportName {
            output.extend_from_slice(&facts.size_bytes.to_be_bytes());
            output.extend_from_slice(&flags.bits().to_be_bytes());
            if !self.omits_zeroes {
                output.extend_from_slice(&EXPORT_NAME_PADDING);
            }
        } else {
            let option = question.option;
            let size = facts.size_bytes.to_be_bytes();
            write_info(
                option,
                INFO_EXPORT,
                &[&size, &flags.bits().to_be_bytes()],
                output,
            );
            let sizes = [
                facts.block_sizes.minimum,
                facts.block_sizes.preferred,
                facts.block_sizes.maximum_payload,
            ]
            .map(u32::to_be_bytes);
            write_info(option, INFO_BLOCK_SIZE, &[sizes.as_flattened()], output);
            if question.wants_name {
                write_info(option, INFO_NAME, &[fitting(facts.name).as_bytes()], output);
            }
            if question.wants_description && !facts.description.is_empty() {
                write_info(
                    option,
                    INFO_DESCRIPTION,
                    &[fitting(facts.description).as_bytes()],
                    output,
                );
            }
            write_reply(option, REPLY_ACK, &[], output);
        }
        if !question.begins_transmission() {
            return None;
        }
        self.state = State::Ended;
        let chosen = self
            .chosen
            .take()
            .filter(|(export, _)| *export == question.export);
        Some(Negotiated {
            structured_replies: self.structured_replies,
            contexts: chosen.map(|(_, contexts)| contexts).unwrap_or_default(),
        })
    }

    /// Names the exports.
    pub fn list<'a>(
        &mut self,
        _question: ListQuestion,
        exports: impl IntoIterator<Item = &'a str>,
        output: &mut Vec<u8>,
    ) {
        for name in exports {
            let name = fitting(name).as_bytes();
            write_reply(
                OptionCode::List,
                REPLY_SERVER,
                &[&length_field(name.len()).to_be_bytes(), name],
                output,
            );
        }
        write_reply(OptionCode::List, REPLY_ACK, &[], output);
    }

    /// Lists `contexts`, or makes them the connection's, as the question asks.
    pub fn contexts(
        &mut self,
        question: ContextQuestion,
        contexts: Vec<MetaContext>,
        output: &mut Vec<u8>,
    ) {
        for context in &contexts {
            // When listing, the number has no meaning yet and stays zero.
            let id = if question.chooses() { context.id } else { 0 };
            let name = fitting(&context.name).as_bytes();
            write_reply(
                question.option,
                REPLY_META_CONTEXT,
                &[&id.to_be_bytes(), name],
                output,
            );
        }
        write_reply(question.option, REPLY_ACK, &[], output);
        if question.chooses() {
            self.chosen = Some((question.export, contexts));
        }
    }

    /// Says no, with a reason for people.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the answer consumes the question"
    )]
    pub fn refuse(
        &mut self,
        question: impl Question,
        refusal: Refusal,
        message: &str,
        output: &mut Vec<u8>,
    ) -> AfterRefusal {
        if question.option() == OptionCode::ExportName {
            self.state = State::Ended;
            return AfterRefusal::Close;
        }
        write_refusal(question.option(), refusal, message, output);
        AfterRefusal::GoOn
    }

    fn peek_option(&self, mut input: &[u8]) -> Result<Option<(OptionCode, usize)>, HandshakeError> {
        // The magic number is checked as soon as it is there, so that garbage need not be 16 bytes long.
        let Some(magic) = take_u64(&mut input) else {
            return Ok(None);
        };
        if magic != OPTION_MAGIC {
            return Err(HandshakeError::BadMagic(magic));
        }
        let Some(option) = take_u32(&mut input).map(OptionCode::from_number) else {
            return Ok(None);
        };
        let Some(length) = take_u32(&mut input) else {
            return Ok(None);
        };
        if !self.is_fixed && option != OptionCode::ExportName {
            return Err(HandshakeError::NotFixedNewstyle(option));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if option == OptionCode::ExportName && length > MAX_NAME_BYTES {
            return Err(HandshakeError::BadExportName {
                length_bytes: length,
            });
        }
        Ok(Some((option, length)))
    }

    fn begin_to_skip(&mut self, option: OptionCode, length: usize) -> Result<(), HandshakeError> {
        self.count_option()?;
        self.skipped_bytes = self.skipped_bytes.saturating_add(length);
        if self.skipped_bytes > MAX_SKIPPED_BYTES {
            return Err(HandshakeError::TooLong);
        }
        self.state = State::Skipping {
            left: length,
            option,
        };
        Ok(())
    }

    fn count_option(&mut self) -> Result<(), HandshakeError> {
        self.options_seen = self.options_seen.saturating_add(1);
        if self.options_seen > MAX_OPTIONS {
            Err(HandshakeError::TooManyOptions)
        } else {
            Ok(())
        }
    }

    fn take_option(
        &mut self,
        option: OptionCode,
        data: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Event>, HandshakeError> {
        let is_forbidden = self.tls == Some(TlsOffer::Required);
        match option {
            OptionCode::ExportName if is_forbidden => return Err(HandshakeError::NotSecured),
            OptionCode::StartTls => return Ok(self.start_tls(data, output)),
            _ if is_forbidden && option != OptionCode::Abort => {
                let message = "only under TLS here: ask your client to use it (nbds://)";
                write_refusal(option, Refusal::TlsRequired, message, output);
            }
            OptionCode::ExportName => {
                let export = take_text(&mut &*data, length_field(data.len()))
                    .ok_or(HandshakeError::BadExportName {
                        length_bytes: data.len(),
                    })?
                    .to_owned();
                let question = OpenQuestion {
                    option,
                    export,
                    wants_name: false,
                    wants_description: false,
                };
                return Ok(Some(Event::Open(question)));
            }
            OptionCode::Abort => {
                write_reply(option, REPLY_ACK, &[], output);
                self.state = State::Ended;
                return Ok(Some(Event::Abort));
            }
            OptionCode::List if data.is_empty() => {
                return Ok(Some(Event::List(ListQuestion { _private: () })));
            }
            OptionCode::Info | OptionCode::Go => {
                if let Some(question) = parse_open(option, data) {
                    return Ok(Some(Event::Open(question)));
                }
                write_refusal(
                    option,
                    Refusal::Invalid,
                    "the request for an export is malformed",
                    output,
                );
            }
            OptionCode::StructuredReply if data.is_empty() => {
                self.structured_replies = true;
                write_reply(option, REPLY_ACK, &[], output);
            }
            OptionCode::ListMetaContext | OptionCode::SetMetaContext => {
                if option == OptionCode::SetMetaContext {
                    // Even a failing choice replaces the last one.
                    self.chosen = None;
                }
                if !self.structured_replies {
                    let message =
                        "metadata contexts need structured replies, which were not negotiated";
                    write_refusal(option, Refusal::Invalid, message, output);
                } else if let Some(question) = parse_contexts(option, data) {
                    return Ok(Some(Event::Contexts(question)));
                } else {
                    write_refusal(
                        option,
                        Refusal::Invalid,
                        "the request for metadata contexts is malformed",
                        output,
                    );
                }
            }
            OptionCode::List | OptionCode::StructuredReply => {
                write_refusal(option, Refusal::Invalid, "the option takes no data", output);
            }
            OptionCode::Unknown(_) => {
                write_refusal(
                    option,
                    Refusal::Unsupported,
                    "the option is not supported",
                    output,
                );
            }
        }
        Ok(None)
    }

    fn start_tls(&mut self, data: &[u8], output: &mut Vec<u8>) -> Option<Event> {
        let option = OptionCode::StartTls;
        let (refusal, message) = if self.tls == Some(TlsOffer::None) {
            (Refusal::Unsupported, "the option is not supported")
        } else if !data.is_empty() {
            (Refusal::Invalid, "the option takes no data")
        } else if self.tls.is_none() {
            (Refusal::Invalid, "this is TLS already")
        } else {
            write_reply(option, REPLY_ACK, &[], output);
            self.state = State::AwaitsTls;
            return Some(Event::StartTls);
        };
        write_refusal(option, refusal, message, output);
        None
    }
}

fn parse_open(option: OptionCode, mut data: &[u8]) -> Option<OpenQuestion> {
    let length = take_u32(&mut data)?;
    let export = take_text(&mut data, length)?.to_owned();
    let wanted = take_u16(&mut data)?;
    if data.len() != usize::from(wanted).checked_mul(2)? {
        return None;
    }
    let (mut wants_name, mut wants_description) = (false, false);
    while let Some(information) = take_u16(&mut data) {
        wants_name |= information == INFO_NAME;
        wants_description |= information == INFO_DESCRIPTION;
    }
    Some(OpenQuestion {
        option,
        export,
        wants_name,
        wants_description,
    })
}

fn parse_contexts(option: OptionCode, mut data: &[u8]) -> Option<ContextQuestion> {
    let length = take_u32(&mut data)?;
    let export = take_text(&mut data, length)?.to_owned();
    let count = take_u32(&mut data)?;
    let mut queries = Vec::new();
    for _ in 0..count {
        let length = take_u32(&mut data)?;
        queries.push(take_text(&mut data, length)?.to_owned());
    }
    data.is_empty().then_some(ContextQuestion {
        option,
        export,
        queries,
    })
}

fn write_reply(option: OptionCode, reply_type: u32, data: &[&[u8]], output: &mut Vec<u8>) {
    let length = data
        .iter()
        .map(|part| part.len())
        .fold(0, usize::saturating_add);
    output.extend_from_slice(&OPTION_REPLY_MAGIC.to_be_bytes());
    output.extend_from_slice(&option.number().to_be_bytes());
    output.extend_from_slice(&reply_type.to_be_bytes());
    output.extend_from_slice(&length_field(length).to_be_bytes());
    for part in data {
        output.extend_from_slice(part);
    }
}

fn write_refusal(option: OptionCode, refusal: Refusal, message: &str, output: &mut Vec<u8>) {
    write_reply(
        option,
        refusal.number(),
        &[fitting(message).as_bytes()],
        output,
    );
}

fn write_info(option: OptionCode, information: u16, data: &[&[u8]], output: &mut Vec<u8>) {
    let information = information.to_be_bytes();
    let parts: Vec<&[u8]> = core::iter::once(information.as_slice())
        .chain(data.iter().copied())
        .collect();
    write_reply(option, REPLY_INFO, &parts, output);
}
