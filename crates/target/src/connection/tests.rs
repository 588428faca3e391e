//! A peer that has gone, which a request finds out before the reactor says so.

use std::net::{TcpListener, TcpStream as StdTcpStream};
use std::sync::mpsc::channel;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::*;

/// Longer than anything here takes: what comes here is busy with itself.
const HANGS_AFTER: Duration = Duration::from_mins(1);

fn after_handshake(stream: TcpStream) -> Connection {
    Connection {
        wire: Wire::plain(stream),
        size_bytes: 1 << 20,
        disk: None,
        form: ReplyForm::Simple,
        session_context: None,
        outgoing: RefCell::default(),
        wake: Notify::new(),
        asked: RefCell::default(),
        received: RefCell::default(),
    }
}

/// Asks a peer whose reset has arrived, on a reactor that has not looked since.
async fn ask_who_has_reset() -> Loss {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let kernels_view = ours.try_clone().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = TcpStream::from_std(ours).unwrap();
    stream.writable().await.unwrap();
    let connection = after_handshake(stream);

    // As the kernel closes what a killed process had not read.
    SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
    let mut hang_up = [PollFd::new(&kernels_view, PollFlags::empty())];
    poll(&mut hang_up, None).unwrap();

    connection.ask_heartbeat(Cookie(1));
    connection.flush();
    connection.receive(|| (), |_| Ok(()), || ()).await
}

#[test]
fn a_reset_that_a_request_is_the_first_to_meet_ends_the_connection() {
    let (ended, loss) = channel();
    // On a thread of its own, because what keeps the reactor from its turn also keeps its timers from theirs.
    thread::spawn(move || {
        let _ = ended.send(crate::worker::run(ask_who_has_reset()).unwrap());
    });
    assert_eq!(loss.recv_timeout(HANGS_AFTER), Ok(Loss::Closed));
}
