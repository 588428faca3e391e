//! One connection from its first byte to its last: the handshake under a deadline, then the transmission.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nbd_proto::MAX_OPTION_BYTES;
use nbd_proto::server::{Event, Handshake, Negotiated, TlsOffer};

use crate::clock;
use crate::counters::{LoginRefusal, Tally, add};
use crate::login::{Admitted, Gate, ROOT_CONTEXT, Verdict};
use crate::seat::Seated;
use crate::session::SessionView;
use crate::settings::Access;
use crate::shared::Shared;
use crate::socket::{Accepted, Socket};
use crate::transmission::{End, Transmission};

/// Room for the longest option and its header.
const HANDSHAKE_BYTES: usize = MAX_OPTION_BYTES + 64;

/// A client that has just connected.
pub(crate) struct Arrival {
    pub(crate) socket: Accepted,
    pub(crate) access: Access,
    pub(crate) requires_tls: bool,
    pub(crate) address: String,
    pub(crate) place: Place,
}

/// A place among the connections that a server allows; given back when dropped.
pub(crate) struct Place(Arc<Shared>);

impl Place {
    /// `None` if there is none left.
    pub(crate) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let taken =
            shared
                .connections
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |connections| {
                    (connections < shared.limits.connections).then_some(connections + 1)
                });
        taken.ok().map(|_| Self(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A client that is in, and the first bytes it sent after its handshake.
struct LoggedIn {
    admitted: Admitted,
    /// Of a disk.
    seated: Option<Seated>,
    negotiated: Negotiated,
    received: Vec<u8>,
}

/// Serves a client until it or the server has had enough.
pub(crate) async fn run(arrival: Arrival, shared: Arc<Shared>, tally: Arc<Tally>) {
    let Arrival {
        socket,
        access,
        requires_tls,
        address,
        place: _place,
    } = arrival;
    let Ok(mut socket) = socket.register() else {
        return;
    };
    // In a box, so that its state does not lie in the connection for as long as that lives.
    let handshake = Box::pin(shared.admission.in_turn(
        shake_hands(&mut socket, access, requires_tls, &shared, &tally),
        &shared.limits,
        &tally,
    ));
    let logged_in = match tokio::time::timeout(shared.limits.handshake_for, handshake).await {
        Ok(Ok(Some(logged_in))) => logged_in,
        Ok(Ok(None) | Err(_)) => return,
        Err(_) => return tally.count_refusal(LoginRefusal::Timeout),
    };
    let LoggedIn {
        admitted,
        seated,
        negotiated,
        received,
    } = logged_in;
    let export = admitted.export;
    let facts = SessionView {
        id: 0,
        export: export.name.clone(),
        root: export.root,
        subject: admitted.subject,
        address,
        connected_at: clock::wall_clock(),
        is_corral_client: negotiated
            .contexts
            .iter()
            .any(|context| context.id == ROOT_CONTEXT),
        bytes: 0,
        written_bytes: 0,
        requests: 0,
    };
    let session = shared.sessions.begin(facts, export);
    if let Some(seated) = &seated {
        seated.is_held_by(&session);
    }
    // An export that was removed between the login and now would not have seen this session.
    if !shared.exports().still_has(&session.export) {
        session.end();
    }
    let transmission = Transmission::new(
        socket,
        seated,
        negotiated,
        &received,
        Arc::clone(&shared),
        Arc::clone(&tally),
        Arc::clone(&session),
    );
    drop(received);
    let end = transmission.run().await;
    shared.sessions.forget(&session);
    match end {
        End::Farewell | End::Ended => {}
        End::Lost => add(&tally.lost, 1),
        End::Protocol => add(&tally.protocol_errors, 1),
        End::Stalled => add(&tally.stalled, 1),
    }
}

/// `None` if the client did not come in; why not is counted.
async fn shake_hands(
    socket: &mut Socket,
    access: Access,
    requires_tls: bool,
    shared: &Shared,
    tally: &Tally,
) -> io::Result<Option<LoggedIn>> {
    let gate = Gate {
        shared,
        tally,
        access,
    };
    let mut output = Vec::new();
    let mut handshake = Handshake::new(&mut output);
    let certificate = if socket.is_unix() {
        None
    } else {
        shared.certificate.now()
    };
    handshake.offer_tls(match (requires_tls, &certificate) {
        (true, _) => TlsOffer::Required,
        (false, Some(_)) => TlsOffer::Optional,
        (false, None) => TlsOffer::None,
    });
    let mut received = vec![0; HANDSHAKE_BYTES];
    let mut filled = 0;
    loop {
        send_all(socket, &mut output).await?;
        let Some(count) = receive(socket, received.get_mut(filled..).unwrap_or_default()).await?
        else {
            return Ok(None);
        };
        filled += count;
        let mut input = received.get(..filled).unwrap_or_default();
        loop {
            let event = match handshake.next_event(&mut input, &mut output) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) => {
                    tally.count_refusal(LoginRefusal::Protocol);
                    // What was answered before may tell the client more than a closed connection.
                    send_all(socket, &mut output).await?;
                    return Ok(None);
                }
            };
            if event == Event::StartTls {
                send_all(socket, &mut output).await?;
                // A client that must speak TLS waits for who has a certificate; there is none before the farm has been asked.
                let Some(certificate) = certificate.clone() else {
                    return Ok(None);
                };
                if let Err(error) = socket.secure(certificate, input).await {
                    tally.count_refusal(LoginRefusal::Protocol);
                    return Err(error);
                }
                input = &[];
                handshake.secured();
                continue;
            }
            let now = clock::unix_seconds();
            // A disk's place is taken before the client hears that it is in, so that nothing it saw finished can be undone by what
            // is still being done for the connection before.
            let seated = match gate.seat_of(&event, now) {
                Some(seat) => match seat.take(tally).await {
                    Some(seated) => Some(seated),
                    None => return Ok(None),
                },
                None => None,
            };
            match gate.answer(&mut handshake, event, now, &mut output) {
                Verdict::GoOn => {}
                Verdict::Close => {
                    send_all(socket, &mut output).await?;
                    return Ok(None);
                }
                Verdict::In(admitted, negotiated) => {
                    send_all(socket, &mut output).await?;
                    return Ok(Some(LoggedIn {
                        admitted,
                        seated,
                        negotiated,
                        received: input.to_vec(),
                    }));
                }
            }
            // A client that pipelines options must take the answers before it gets more.
            send_all(socket, &mut output).await?;
        }
        let left = input.len();
        received.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

/// `None` at the end of the stream.
async fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match socket.receive(buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.readable().await?,
            Err(error) => return Err(error),
        }
    }
}

async fn send_all(socket: &Socket, output: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = output.as_slice();
    while !rest.is_empty() {
        socket.writable().await?;
        match socket.send(rest, false) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    loop {
        match socket.flush() {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    output.clear();
    Ok(())
}
