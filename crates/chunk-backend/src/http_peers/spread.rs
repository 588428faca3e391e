//! Who is asked for what: all peers at once, each for another part of the names.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chunk_store::{ChunkName, Entry};

use super::Client;
use crate::pace::LOOK;
use crate::progress::is_called_off;
use crate::{MAXIMUM_BATCH_NAMES, PeerFailure, Progress};

/// The least that is worth a thread and a request of its own: 4 MiB of chunks.
const LEAST_NAMES: usize = 64;
/// Parts for each peer, so that a fast one does more of them and none waits long for a slow one's last.
const PARTS_FOR_EACH: usize = 4;
/// Entries that have come and are not taken yet: 4 MiB.
const ENTRIES_WAITING: usize = 64;

/// Names that are asked for in one request, and the peers that were asked already.
struct Part {
    names: Vec<ChunkName>,
    asked: HashSet<usize>,
}

/// Parts that wait for a peer.
struct Board(Mutex<Vec<Part>>);

impl Board {
    fn new(names: &[ChunkName], peers: usize) -> Self {
        let size = match peers {
            0 | 1 => MAXIMUM_BATCH_NAMES,
            _ => names
                .len()
                .div_ceil(peers * PARTS_FOR_EACH)
                .clamp(LEAST_NAMES, MAXIMUM_BATCH_NAMES),
        };
        let part = |names: &[ChunkName]| Part {
            names: names.to_vec(),
            asked: HashSet::new(),
        };
        Self(Mutex::new(names.chunks(size).map(part).collect()))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, peer: usize) -> Option<Part> {
        let mut waiting = self.waiting();
        let place = waiting
            .iter()
            .position(|part| !part.asked.contains(&peer))?;
        Some(waiting.remove(place))
    }
}

enum Message {
    Entry(usize, Entry),
    /// A part was asked of a peer, and what of it was accepted came before.
    Asked(Part, Option<PeerFailure>),
}

/// What has become of the names.
pub(super) struct Outcome {
    /// Those that nobody gave, or that were not waited for.
    pub(super) missing: usize,
    pub(super) last: Option<PeerFailure>,
}

/// Ask all peers for `names` at once, and for what one could not give every other, until `work` is called off; `accept` is
/// called here.
pub(super) fn spread(
    client: &Arc<Client>,
    names: &[ChunkName],
    work: Option<&Progress>,
    accept: &mut dyn FnMut(Entry) -> bool,
) -> Outcome {
    let first = client.next_turn();
    let board = Arc::new(Board::new(names, client.peers.len()));
    let mut hearing = Hearing {
        client,
        board: &board,
        accept,
        accepted: HashSet::new(),
        last: None,
    };
    // A part that comes back after a worker has found nothing more to do is for the next round. Each round asks at least
    // one peer more for at least one part, so there is an end.
    while !is_called_off(work) {
        let workers = workers(client, first, &board);
        match workers[..] {
            [] => break,
            // The common case, a chunk that a reader waits for: nothing to gain by a thread.
            [peer] if work.is_none() => work_alone(client, peer, &board, &mut hearing),
            _ => work_at_once(client, &workers, &board, work, &mut hearing),
        }
    }
    let Hearing { accepted, last, .. } = hearing;
    let wanted: HashSet<&ChunkName> = names.iter().collect();
    let missing = wanted
        .iter()
        .filter(|name| !accepted.contains(**name))
        .count();
    Outcome { missing, last }
}

/// What is sent next; `None` once nobody is left to send it, or when `work` is called off.
pub(super) fn next<T>(sent: &Receiver<T>, work: Option<&Progress>) -> Option<T> {
    if work.is_none() {
        return sent.recv().ok();
    }
    while !is_called_off(work) {
        match sent.recv_timeout(LOOK) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    None
}

/// Peers that have something to do, at most as many as there are parts.
fn workers(client: &Client, first: usize, board: &Board) -> Vec<usize> {
    let waiting = board.waiting();
    (0..client.peers.len())
        .map(|turn| (first + turn) % client.peers.len())
        .filter(|peer| waiting.iter().any(|part| !part.asked.contains(peer)))
        .take(waiting.len())
        .collect()
}

fn work_alone(client: &Client, peer: usize, board: &Board, hearing: &mut Hearing<'_, '_>) {
    if let Some(part) = board.take(peer) {
        let failure = client.batch(&client.peers[peer], &part.names, &mut |entry| {
            hearing.hear(Message::Entry(peer, entry));
            ControlFlow::Continue(())
        });
        hearing.hear(Message::Asked(asked(part, peer), failure.err()));
    }
}

fn work_at_once(
    client: &Arc<Client>,
    peers: &[usize],
    board: &Arc<Board>,
    work: Option<&Progress>,
    hearing: &mut Hearing<'_, '_>,
) {
    let (sender, receiver) = sync_channel(ENTRIES_WAITING);
    let start = |peer: &&usize| {
        let (client, peer, board, sender) = (
            Arc::clone(client),
            **peer,
            Arc::clone(board),
            sender.clone(),
        );
        let work = move || client.work(peer, &board, &sender);
        thread::Builder::new().spawn(work).is_ok()
    };
    let started = peers.iter().filter(start).count();
    // The receiver ends when the last worker has.
    drop(sender);
    while let Some(message) = next(&receiver, work) {
        hearing.hear(message);
    }
    // The system gives no more threads.
    if let (0, [peer, ..]) = (started, peers) {
        work_alone(client, *peer, board, hearing);
    }
}

impl Client {
    /// Ask one peer for part after part, until nobody listens. One that does not answer is left alone for this round.
    fn work(&self, peer: usize, board: &Board, heard: &SyncSender<Message>) {
        while let Some(part) = board.take(peer) {
            let failure = self.batch(&self.peers[peer], &part.names, &mut |entry| {
                // Sending fails only if nobody listens any more, and then nobody wants more.
                match heard.send(Message::Entry(peer, entry)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            let failure = failure.err();
            let goes_on = matches!(failure, None | Some(PeerFailure::Absent { .. }));
            if heard
                .send(Message::Asked(asked(part, peer), failure))
                .is_err()
                || !goes_on
            {
                return;
            }
        }
    }
}

fn asked(mut part: Part, peer: usize) -> Part {
    part.asked.insert(peer);
    part
}

/// The one that listens to all workers.
struct Hearing<'a, 'b> {
    client: &'a Client,
    board: &'a Board,
    accept: &'a mut (dyn FnMut(Entry) -> bool + 'b),
    accepted: HashSet<ChunkName>,
    last: Option<PeerFailure>,
}

impl Hearing<'_, '_> {
    fn hear(&mut self, message: Message) {
        match message {
            Message::Entry(peer, entry) => {
                let name = entry.header.name;
                if (self.accept)(entry) {
                    self.accepted.insert(name);
                } else {
                    self.last = Some(PeerFailure::Damaged {
                        url: self.client.peers[peer].url.clone(),
                    });
                }
            }
            Message::Asked(mut part, failure) => {
                part.names.retain(|name| !self.accepted.contains(name));
                if let Some(failure) = failure {
                    self.last = Some(failure);
                }
                if !part.names.is_empty() {
                    self.board.waiting().push(part);
                }
            }
        }
    }
}
