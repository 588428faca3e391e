//! The process that holds the kernel's socket, and starts a worker whenever there is none.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::time::Timespec;

use crate::attach::relay::{HELLO_BYTES, Hello, Relay};
use crate::clock;
use crate::journal::note;

/// A worker that lived shorter than this is followed by the next one only after [`RESTART_DELAY`].
const SHORT_LIFE: Duration = Duration::from_secs(1);
const RESTART_DELAY: Duration = Duration::from_millis(500);
/// Request bytes that may wait for the worker: some thousand requests without payload, far more than the kernel's queue.
const REQUEST_BUFFER_BYTES: usize = 128 * 1024;
const CHUNK_BYTES: usize = 256 * 1024;

/// A worker and the keeper's end of its socket.
pub(crate) struct Worker {
    pub(crate) pid: Pid,
    pub(crate) socket: UnixStream,
    pub(crate) started_at: Instant,
}

impl Worker {
    /// Blocks until the worker knows the disk; an error when it died first.
    pub(crate) fn hello(&mut self) -> io::Result<Hello> {
        let mut hello = [0; HELLO_BYTES];
        self.socket.read_exact(&mut hello)?;
        Ok(Hello::from_bytes(hello))
    }

    /// Makes sure that it is gone, and takes its exit status from the kernel.
    pub(crate) fn bury(self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// Copies between the kernel and its workers until the kernel leaves.
///
/// `first` has said its hello already. `start` makes the next one, and in the new process lets go of the kernel's socket.
pub(crate) fn keep(
    kernel: UnixStream,
    hello: Hello,
    first: Worker,
    start: impl Fn(&mut Option<UnixStream>) -> io::Result<Worker>,
) -> io::Result<()> {
    kernel.set_nonblocking(true)?;
    let mut kernel = Some(kernel);
    let mut relay = Relay::new(hello);
    relay
        .take_answers(&hello.to_bytes())
        .map_err(io::Error::other)?;
    let mut worker = Some(first);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let Some(current) = &mut worker else {
            worker = next_worker(&start, &mut kernel);
            continue;
        };
        let Some(kernel) = &mut kernel else {
            return Ok(());
        };
        current.socket.set_nonblocking(true)?;
        let ended = copy(kernel, current, &mut relay, &mut buffer)?;
        if let Some(dead) = worker.take() {
            let lived = clock::now().saturating_duration_since(dead.started_at);
            dead.bury();
            match ended {
                Ended::Kernel => return Ok(()),
                Ended::Worker(why) => note!(
                    "worker ended ({why}) with {} requests unanswered",
                    relay.unanswered()
                ),
            }
            relay.worker_lost();
            if lived < SHORT_LIFE {
                pause(RESTART_DELAY);
            }
        }
    }
}

fn next_worker(
    start: &impl Fn(&mut Option<UnixStream>) -> io::Result<Worker>,
    kernel: &mut Option<UnixStream>,
) -> Option<Worker> {
    match start(kernel) {
        Ok(worker) => Some(worker),
        Err(error) => {
            note!("cannot start a worker: {error}");
            pause(RESTART_DELAY);
            None
        }
    }
}

enum Ended {
    Kernel,
    Worker(String),
}

fn copy(
    kernel: &mut UnixStream,
    worker: &mut Worker,
    relay: &mut Relay,
    buffer: &mut [u8],
) -> io::Result<Ended> {
    loop {
        if relay.is_disconnected() {
            return Ok(Ended::Kernel);
        }
        let of_kernel = interest(
            relay.to_worker.len() < REQUEST_BUFFER_BYTES,
            &relay.to_kernel,
        );
        let of_worker = interest(relay.wants_answers(), &relay.to_worker);
        let mut sockets = [
            PollFd::new(&*kernel, of_kernel),
            PollFd::new(&worker.socket, of_worker),
        ];
        match poll(&mut sockets, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [kernel_ready, worker_ready] = sockets.map(|socket| socket.revents());
        if kernel_ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match receive(kernel, buffer)? {
                Received::Bytes(bytes) => relay.take_requests(bytes).map_err(io::Error::other)?,
                Received::Nothing => {}
                Received::End => return Ok(Ended::Kernel),
            }
        }
        if worker_ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match receive(&mut worker.socket, buffer) {
                Ok(Received::Bytes(bytes)) => {
                    if let Err(error) = relay.take_answers(bytes) {
                        return Ok(Ended::Worker(error.to_string()));
                    }
                }
                Ok(Received::Nothing) => {}
                Ok(Received::End) => return Ok(Ended::Worker("it is gone".to_owned())),
                Err(error) => return Ok(Ended::Worker(error.to_string())),
            }
        }
        deliver(kernel, &mut relay.to_kernel)?;
        if let Err(error) = deliver(&mut worker.socket, &mut relay.to_worker) {
            return Ok(Ended::Worker(error.to_string()));
        }
    }
}

fn interest(takes: bool, outgoing: &VecDeque<u8>) -> PollFlags {
    let mut interest = PollFlags::empty();
    interest.set(PollFlags::IN, takes);
    interest.set(PollFlags::OUT, !outgoing.is_empty());
    interest
}

enum Received<'a> {
    Bytes(&'a [u8]),
    Nothing,
    End,
}

fn receive<'a>(socket: &mut UnixStream, buffer: &'a mut [u8]) -> io::Result<Received<'a>> {
    match socket.read(buffer) {
        Ok(0) => Ok(Received::End),
        Ok(count) => Ok(Received::Bytes(buffer.get(..count).unwrap_or_default())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(Received::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Writes what the socket takes.
fn deliver(socket: &mut UnixStream, outgoing: &mut VecDeque<u8>) -> io::Result<()> {
    while !outgoing.is_empty() {
        match socket.write(outgoing.as_slices().0) {
            Ok(sent) => {
                outgoing.drain(..sent);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn pause(time: Duration) {
    let time = Timespec::try_from(time).ok();
    let _ = poll(&mut [], time.as_ref());
}
