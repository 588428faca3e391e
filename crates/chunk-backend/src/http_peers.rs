//! Peers over HTTP, under TLS where their URLs say so.

mod secure;
mod spread;

use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use chunk_store::{
    ChunkName, ENTRY_HEADER_BYTES, Encoding, Entry, EntryHeader, HASH_BYTES, ROOT_RECORD_BYTES,
    RootHash, RootRecord,
};

use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use crate::progress::is_called_off;
use crate::{ChunkSource, FetchError, PeerFailure, Progress};

/// A peer that does not take a connection in this time is asked again at the next batch.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest silence in an answer. A batch as a whole has no limit: a thin line is slow, not dead.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A server with a chunk server.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpPeer {
    /// Where, e.g. `https://192.0.2.10:10901`, without a path. One that begins with `https` is never asked in the clear.
    pub url: String,
    /// The ticket that opens it (purpose: replicate or fetch).
    pub ticket: String,
}

impl std::fmt::Debug for HttpPeer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The ticket is a secret, and values in debug form end in logs.
        formatter
            .debug_struct("HttpPeer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Several chunk servers. They are asked at once, each for another part; what one cannot give is asked of the next.
///
/// Work that can be called off has threads ask for it, which are left behind if it is: they end when their peer says something,
/// or has said nothing for long enough.
#[derive(Debug)]
pub struct HttpPeers(Arc<Client>);

#[derive(Debug)]
struct Client {
    peers: Vec<HttpPeer>,
    agent: ureq::Agent,
    next: AtomicUsize,
    received_bytes: AtomicU64,
}

impl HttpPeers {
    /// Peers in no particular order; none is as good as [`crate::NoPeers`]. Those with https are not believed.
    pub fn new(peers: Vec<HttpPeer>) -> Self {
        Self::believed_by(peers, "")
    }

    /// Peers of which those with https are believed by the root certificate `authority`, in PEM, and by nothing else.
    pub fn believed_by(peers: Vec<HttpPeer>, authority: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(READ_TIMEOUT))
            .timeout_per_read(Some(READ_TIMEOUT))
            .timeout_per_write(Some(READ_TIMEOUT))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(secure::Securing::by(authority));
        let agent = ureq::Agent::with_parts(config, connector, DefaultResolver::default());
        Self(Arc::new(Client {
            peers,
            agent,
            next: AtomicUsize::new(0),
            received_bytes: AtomicU64::new(0),
        }))
    }

    /// Bytes of entries (headers included) and root records that came in, sound or not.
    pub fn received_bytes(&self) -> u64 {
        self.0.received_bytes.load(Ordering::Relaxed)
    }
}

impl Client {
    /// The place of the peer that is asked first: another one each time.
    fn next_turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.peers.len().max(1)
    }

    fn in_turn(&self) -> impl Iterator<Item = &HttpPeer> {
        let peers = self.peers.iter().cycle().skip(self.next_turn());
        peers.take(self.peers.len())
    }

    /// Ask `peer` for `names` and hand what it has to `take`, unverified, for as long as that wants more.
    ///
    /// # Errors
    /// What was wrong with the answer. What was taken before it is taken.
    fn batch(
        &self,
        peer: &HttpPeer,
        names: &[ChunkName],
        take: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), PeerFailure> {
        let body: Vec<u8> = names.iter().flat_map(|name| *name.as_bytes()).collect();
        debug_assert_eq!(body.len(), names.len() * HASH_BYTES);
        let request = self.agent.post(format!("{}/v1/chunks", peer.url));
        let answer = request
            .header("authorization", format!("Bearer {}", peer.ticket))
            .send(&body[..]);
        let answer = answer.map_err(|error| transport(peer, &error))?;
        if answer.status() != 200 {
            return Err(PeerFailure::Status {
                url: peer.url.clone(),
                status: answer.status().as_u16(),
            });
        }
        let mut reader = BufReader::with_capacity(128 << 10, answer.into_body().into_reader());
        let mut outcome = Ok(());
        for name in names {
            let entry = self.entry(peer, *name, &mut reader)?;
            if entry.header.encoding == Encoding::Missing {
                outcome = Err(PeerFailure::Absent {
                    url: peer.url.clone(),
                });
            } else if take(entry).is_break() {
                return Ok(());
            }
        }
        outcome
    }

    fn entry(
        &self,
        peer: &HttpPeer,
        name: ChunkName,
        reader: &mut impl Read,
    ) -> Result<Entry, PeerFailure> {
        let out_of_step = || PeerFailure::Garbage {
            url: peer.url.clone(),
        };
        let mut header = [0; ENTRY_HEADER_BYTES];
        reader
            .read_exact(&mut header)
            .map_err(|error| transport(peer, &error))?;
        let header = EntryHeader::decode(&header).map_err(|_| out_of_step())?;
        if header.name != name {
            return Err(out_of_step());
        }
        let mut stored = vec![0; header.stored_length as usize];
        reader
            .read_exact(&mut stored)
            .map_err(|error| transport(peer, &error))?;
        self.received_bytes.fetch_add(
            (ENTRY_HEADER_BYTES + stored.len()) as u64,
            Ordering::Relaxed,
        );
        Ok(Entry { header, stored })
    }

    fn root_record(&self, peer: &HttpPeer, root: RootHash) -> Result<Vec<u8>, PeerFailure> {
        let request = self.agent.get(format!("{}/v1/roots/{root}", peer.url));
        let answer = request
            .header("authorization", format!("Bearer {}", peer.ticket))
            .call();
        let answer = answer.map_err(|error| transport(peer, &error))?;
        match answer.status().as_u16() {
            200 => {}
            404 => {
                return Err(PeerFailure::Absent {
                    url: peer.url.clone(),
                });
            }
            status => {
                return Err(PeerFailure::Status {
                    url: peer.url.clone(),
                    status,
                });
            }
        }
        let mut record = Vec::with_capacity(ROOT_RECORD_BYTES);
        let mut reader = answer
            .into_body()
            .into_reader()
            .take(ROOT_RECORD_BYTES as u64 + 1);
        reader
            .read_to_end(&mut record)
            .map_err(|error| transport(peer, &error))?;
        self.received_bytes
            .fetch_add(record.len() as u64, Ordering::Relaxed);
        if RootRecord::hash_bytes(&record) == root {
            Ok(record)
        } else {
            Err(PeerFailure::Garbage {
                url: peer.url.clone(),
            })
        }
    }
}

impl ChunkSource for HttpPeers {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        let outcome = spread::spread(&self.0, names, work, accept);
        match outcome.last {
            _ if outcome.missing == 0 => Ok(()),
            _ if is_called_off(work) => Err(FetchError::Cancelled),
            None => Err(FetchError::NoPeers),
            Some(last) => Err(FetchError::Missing {
                missing: outcome.missing,
                asked: names.len(),
                peers: self.0.peers.len(),
                last,
            }),
        }
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        if work.is_none() {
            return self.0.first_root_record(root);
        }
        let (client, (answer, answered)) = (Arc::clone(&self.0), sync_channel(1));
        let ask = move || _ = answer.send(client.first_root_record(root));
        match thread::Builder::new().spawn(ask) {
            Ok(_) => spread::next(&answered, work).unwrap_or(Err(FetchError::Cancelled)),
            // The system gives no more threads.
            Err(_) => self.0.first_root_record(root),
        }
    }
}

impl Client {
    /// The record from whoever has it, one asked after the other.
    fn first_root_record(&self, root: RootHash) -> Result<Vec<u8>, FetchError> {
        let mut last = None;
        for peer in self.in_turn() {
            match self.root_record(peer, root) {
                Ok(record) => return Ok(record),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.map_or(FetchError::NoPeers, |last| FetchError::NoRoot {
            root,
            peers: self.peers.len(),
            last,
        }))
    }
}

fn transport(peer: &HttpPeer, error: &dyn std::error::Error) -> PeerFailure {
    PeerFailure::Transport {
        url: peer.url.clone(),
        reason: error.to_string(),
    }
}
