//! The server's half: answer a handshake, decode requests, encode replies.

mod check;
mod handshake;
mod question;
mod reply;
mod request;

pub use check::{Objection, Possible};
pub use handshake::{AfterRefusal, ExportFacts, Handshake, HandshakeError, Negotiated, TlsOffer};
pub use question::{ContextQuestion, Event, ListQuestion, OpenQuestion, Question};
pub use reply::{
    DATA_HEADER_BYTES, HOLE_BYTES, SIMPLE_REPLY_BYTES, block_status_chunk, data_header, done_chunk,
    error_chunk, hole_chunk, simple_reply,
};
pub use request::{DecodeError, Received, RequestDecoder};
