//! What a client may ask in the handshake that only the caller can answer.

use alloc::{string::String, vec::Vec};

use crate::OptionCode;

/// Something that happened in the handshake.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the answer"]
pub enum Event {
    /// The client wants to open an export, or to know about it.
    Open(OpenQuestion),
    /// The client wants the names of the exports.
    List(ListQuestion),
    /// The client wants metadata contexts.
    Contexts(ContextQuestion),
    /// The client wants to go on under TLS, and was told that it may. Send what is in the output, shake hands as TLS does, and
    /// call `Handshake::secured`. What is left in the input is the beginning of TLS already, and nothing that NBD may look at.
    StartTls,
    /// The client gives up. Send what is in the output and close.
    Abort,
}

/// `EXPORT_NAME`, `INFO` or `GO`. To be answered by `Handshake::accept` or `Handshake::refuse`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the answer"]
pub struct OpenQuestion {
    pub(super) option: OptionCode,
    pub(super) export: String,
    pub(super) wants_name: bool,
    pub(super) wants_description: bool,
}

impl OpenQuestion {
    /// The export's name, exactly as the client sent it.
    pub fn export(&self) -> &str {
        &self.export
    }

    /// Whether an accepting answer begins the transmission.
    pub fn begins_transmission(&self) -> bool {
        self.option != OptionCode::Info
    }
}

/// `LIST`. To be answered by `Handshake::list` or `Handshake::refuse`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the answer"]
pub struct ListQuestion {
    pub(super) _private: (),
}

/// `LIST_META_CONTEXT` or `SET_META_CONTEXT`. To be answered by `Handshake::contexts` or `Handshake::refuse`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the answer"]
pub struct ContextQuestion {
    pub(super) option: OptionCode,
    pub(super) export: String,
    pub(super) queries: Vec<String>,
}

impl ContextQuestion {
    /// The export's name, exactly as the client sent it.
    pub fn export(&self) -> &str {
        &self.export
    }

    /// What the client looks for. When choosing, each names a context; when listing, an empty list means all of them.
    pub fn queries(&self) -> &[String] {
        &self.queries
    }

    /// Whether the contexts in the answer are chosen for the transmission, not only listed.
    pub fn chooses(&self) -> bool {
        self.option == OptionCode::SetMetaContext
    }
}

/// What can be refused.
pub trait Question: sealed::Sealed {}
impl Question for OpenQuestion {}
impl Question for ListQuestion {}
impl Question for ContextQuestion {}

pub(super) mod sealed {
    use crate::OptionCode;

    pub trait Sealed {
        fn option(&self) -> OptionCode;
    }

    impl Sealed for super::OpenQuestion {
        fn option(&self) -> OptionCode {
            self.option
        }
    }

    impl Sealed for super::ListQuestion {
        fn option(&self) -> OptionCode {
            OptionCode::List
        }
    }

    impl Sealed for super::ContextQuestion {
        fn option(&self) -> OptionCode {
            self.option
        }
    }
}
