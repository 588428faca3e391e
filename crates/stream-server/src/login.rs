//! Who may open what: the answers to a handshake's questions. No sockets here.

use std::sync::Arc;

use nbd_proto::server::{AfterRefusal, Event, ExportFacts, Handshake, Negotiated};
use nbd_proto::{BlockSizes, MAX_PAYLOAD_BYTES, MetaContext, Refusal, TransmissionFlags};

use crate::counters::{LoginRefusal, Tally, add};
use crate::export::{OpenContent, OpenExport};
use crate::seat::Seat;
use crate::settings::Access;
use crate::shared::{Mood, Shared};
use crate::ticket::{Purpose, Ticket, TicketError};

/// The context that reports holes.
pub(crate) const ALLOCATION_CONTEXT: u32 = 1;
/// The context whose grant says that the root is right and whose flags speak to Corral clients.
pub(crate) const ROOT_CONTEXT: u32 = 2;
/// The context whose name says which disk this is.
pub(crate) const DISK_CONTEXT: u32 = 3;
/// In front of the disk's identity. As a query by itself it selects the context, whatever the identity is.
const DISK_PREFIX: &str = "corral:disk/";
const ALLOCATION_NAME: &str = "base:allocation";
const ROOT_PREFIX: &str = "corral:root/";

/// What a version offers: it never changes, so that any number of connections see the same.
const READING: TransmissionFlags = TransmissionFlags::HAS_FLAGS
    .union(TransmissionFlags::READ_ONLY)
    .union(TransmissionFlags::SEND_FLUSH)
    .union(TransmissionFlags::CAN_MULTI_CONN)
    .union(TransmissionFlags::SEND_CACHE);

/// What a disk offers. It has one client, on one connection.
const WRITING: TransmissionFlags = TransmissionFlags::HAS_FLAGS
    .union(TransmissionFlags::SEND_FLUSH)
    .union(TransmissionFlags::SEND_FUA)
    .union(TransmissionFlags::SEND_TRIM)
    .union(TransmissionFlags::SEND_WRITE_ZEROES)
    .union(TransmissionFlags::SEND_FAST_ZERO)
    .union(TransmissionFlags::SEND_CACHE);

/// Any byte can be read; a chunk at a time is best.
const BLOCK_SIZES: BlockSizes = BlockSizes {
    minimum: 1,
    preferred: 65_536,
    maximum_payload: MAX_PAYLOAD_BYTES,
};

/// A client that is let in.
pub(crate) struct Admitted {
    pub(crate) export: Arc<OpenExport>,
    pub(crate) subject: Option<[u8; 16]>,
}

/// What follows from an answer.
pub(crate) enum Verdict {
    /// The handshake goes on.
    GoOn,
    /// The client is in; requests follow.
    In(Admitted, Negotiated),
    /// Close.
    Close,
}

/// One client's way in.
pub(crate) struct Gate<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) tally: &'a Tally,
    pub(crate) access: Access,
}

impl Gate<'_> {
    /// Answers a question of `handshake`, as of `now` in seconds since 1970.
    pub(crate) fn answer(
        &self,
        handshake: &mut Handshake,
        event: Event,
        now: u64,
        output: &mut Vec<u8>,
    ) -> Verdict {
        match event {
            // The connection sees to TLS before it asks here.
            Event::Abort | Event::StartTls => Verdict::Close,
            Event::List(question) => {
                if self.access == Access::Open {
                    handshake.list(question, self.shared.exports().names(), output);
                } else {
                    let message = "exports are not listed here; ask for one by name";
                    let _ = handshake.refuse(question, Refusal::Policy, message, output);
                }
                Verdict::GoOn
            }
            Event::Contexts(question) => {
                match self.admit(question.export(), now) {
                    Ok(admitted) => {
                        let contexts =
                            contexts(&admitted.export, question.queries(), question.chooses());
                        handshake.contexts(question, contexts, output);
                    }
                    Err(refusal) => {
                        self.tally.count_refusal(refusal);
                        let (refusal, message) = spoken(refusal);
                        let _ = handshake.refuse(question, refusal, message, output);
                    }
                }
                Verdict::GoOn
            }
            Event::Open(question) => match self.admit(question.export(), now) {
                Ok(admitted) => {
                    let root = admitted.export.root.to_string();
                    let facts = ExportFacts {
                        name: &admitted.export.name,
                        description: &root,
                        size_bytes: admitted.export.size_bytes(),
                        flags: match admitted.export.content {
                            OpenContent::Version(_) => READING,
                            OpenContent::Disk(_) => WRITING,
                        },
                        block_sizes: BLOCK_SIZES,
                    };
                    match handshake.accept(question, &facts, output) {
                        Some(negotiated) => {
                            add(&self.tally.logins, 1);
                            Verdict::In(admitted, negotiated)
                        }
                        None => Verdict::GoOn,
                    }
                }
                Err(refusal) => {
                    self.tally.count_refusal(refusal);
                    let (refusal, message) = spoken(refusal);
                    match handshake.refuse(question, refusal, message, output) {
                        AfterRefusal::GoOn => Verdict::GoOn,
                        AfterRefusal::Close => Verdict::Close,
                    }
                }
            },
        }
    }

    /// The place that must be taken before `event` is answered: it would begin a transmission with a disk.
    pub(crate) fn seat_of(&self, event: &Event, now: u64) -> Option<Arc<Seat>> {
        let Event::Open(question) = event else {
            return None;
        };
        if !question.begins_transmission() {
            return None;
        }
        let admitted = self.admit(question.export(), now).ok()?;
        match &admitted.export.content {
            OpenContent::Version(_) => None,
            OpenContent::Disk(open) => Some(Arc::clone(&open.seat)),
        }
    }

    /// Whether a client that asks for `NAME` or `NAME;TICKET` is let in.
    fn admit(&self, asked: &str, now: u64) -> Result<Admitted, LoginRefusal> {
        let mood = self.shared.mood();
        if mood == Mood::Stopping {
            return Err(LoginRefusal::Draining);
        }
        let (name, ticket) = asked
            .split_once(';')
            .map_or((asked, None), |(name, ticket)| (name, Some(ticket)));
        // The ticket is looked at before the name, so that a stranger cannot tell by time which names there are.
        let ticket = match (ticket, self.access) {
            (Some(text), _) => match self.shared.key.read(text, now) {
                Ok(ticket) => Some(ticket),
                Err(_) if self.access == Access::Open => None,
                Err(TicketError::Expired) => return Err(LoginRefusal::ExpiredTicket),
                Err(_) => return Err(LoginRefusal::BadTicket),
            },
            (None, Access::Open) => None,
            (None, Access::Ticket) => return Err(LoginRefusal::NoTicket),
        };
        let exports = self.shared.exports();
        let Some(export) = exports.get(name) else {
            return Err(match mood {
                Mood::Serving => LoginRefusal::UnknownExport,
                Mood::Draining | Mood::Stopping => LoginRefusal::Draining,
            });
        };
        // A version is elsewhere too; what was written to a disk is only here, so that its device must come back here.
        // Who tries the server does so before devices come back.
        let tries = ticket
            .as_ref()
            .is_some_and(|one| one.purpose == Purpose::Try);
        if mood == Mood::Draining && matches!(export.content, OpenContent::Version(_)) && !tries {
            return Err(LoginRefusal::Draining);
        }
        if self.access == Access::Ticket && !ticket.as_ref().is_some_and(|one| opens(one, export)) {
            return Err(LoginRefusal::WrongTicket);
        }
        Ok(Admitted {
            export: Arc::clone(export),
            subject: ticket.map(|ticket| ticket.subject),
        })
    }
}

/// Whether the ticket is for this export.
fn opens(ticket: &Ticket, export: &OpenExport) -> bool {
    ticket.root == export.root
        && match &export.content {
            OpenContent::Version(_) => matches!(ticket.purpose, Purpose::Stream | Purpose::Try),
            OpenContent::Disk(disk) => {
                ticket.purpose == Purpose::Write && ticket.subject == disk.subject
            }
        }
}

/// What a refused client hears. Whatever is wrong with its name or ticket sounds the same.
fn spoken(refusal: LoginRefusal) -> (Refusal, &'static str) {
    match refusal {
        LoginRefusal::Draining => (Refusal::Shutdown, "the server is draining; use another one"),
        _ => (
            Refusal::UnknownExport,
            "there is no such export, or not for this client",
        ),
    }
}

/// Which contexts of `export` the queries select. Without any, all are listed and none chosen.
fn contexts(export: &OpenExport, queries: &[String], chooses: bool) -> Vec<MetaContext> {
    let root = format!("{ROOT_PREFIX}{}", export.root);
    let lists_all = !chooses && queries.is_empty();
    let selects = |name: &str, namespace: &str| {
        lists_all
            || queries
                .iter()
                .any(|query| query == name || (!chooses && query == namespace))
    };
    let mut contexts = Vec::new();
    if selects(ALLOCATION_NAME, "base:") {
        contexts.push(MetaContext {
            id: ALLOCATION_CONTEXT,
            name: ALLOCATION_NAME.to_owned(),
        });
    }
    if selects(&root, "corral:") {
        contexts.push(MetaContext {
            id: ROOT_CONTEXT,
            name: root,
        });
    }
    if let OpenContent::Disk(open) = &export.content {
        let identity = u128::from_be_bytes(open.disk.identity());
        let disk = format!("{DISK_PREFIX}{identity:032x}");
        if selects(&disk, "corral:") || queries.iter().any(|query| query == DISK_PREFIX) {
            contexts.push(MetaContext {
                id: DISK_CONTEXT,
                name: disk,
            });
        }
    }
    contexts
}
