//! The client's half: ask in a handshake, encode requests ([`Request::encode`](crate::Request::encode)), decode replies.

mod handshake;
mod reading;
mod reply;

pub use handshake::{Handshake, HandshakeError, Negotiated, Wanted};
pub use reading::{AssembleError, ReadAssembly};
pub use reply::{DecodeError, Event, Outstanding, ReplyDecoder, ReplyForm};
