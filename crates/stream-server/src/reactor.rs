//! A thread with a single-threaded runtime. Its connections never leave it, so that none of them takes a lock of another.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

use crate::connection::{self, Arrival};
use crate::counters::{Tally, add};
use crate::listener::{self, Bound};
use crate::shared::Shared;

/// Turns of tasks between two looks at the sockets. A turn may send a mebibyte; the default of 61 would let new requests
/// wait for that many of them.
const TURNS_BETWEEN_LOOKS: u32 = 8;
/// How long threads that wait for disks and peers are waited for at the end.
const POOL_ENDS_WITHIN: Duration = Duration::from_millis(200);
/// How long a thread of the pool stays without work.
const POOL_IDLE_FOR: Duration = Duration::from_secs(10);

enum Message {
    Listen(Bound, Vec<Inbox>),
    Arrival(Arrival),
    Stop,
}

/// Where a reactor takes its work from.
#[derive(Clone)]
pub(crate) struct Inbox(UnboundedSender<Message>);

impl Inbox {
    /// Gives a connection to the reactor. One that has ended drops it.
    pub(crate) fn deliver(&self, arrival: Arrival) {
        let _ = self.0.send(Message::Arrival(arrival));
    }

    /// Has the reactor accept connections and give them to `inboxes` in turn.
    pub(crate) fn listen(&self, bound: Bound, inboxes: Vec<Inbox>) {
        let _ = self.0.send(Message::Listen(bound, inboxes));
    }
}

pub(crate) struct Reactor {
    pub(crate) inbox: Inbox,
    thread: JoinHandle<()>,
}

impl Reactor {
    /// Starts the reactor with this number; it counts in the tally of that number.
    pub(crate) fn start(
        number: usize,
        shared: Arc<Shared>,
        tally: Arc<Tally>,
        pool: usize,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .event_interval(TURNS_BETWEEN_LOOKS)
            .max_blocking_threads(pool.max(1))
            .thread_keep_alive(POOL_IDLE_FOR)
            .thread_name(format!("stream-pool-{number}"))
            .build()?;
        let (sender, receiver) = unbounded_channel();
        let thread = thread::Builder::new()
            .name(format!("stream-{number}"))
            .spawn(move || run(runtime, receiver, &shared, &tally))?;
        Ok(Self {
            inbox: Inbox(sender),
            thread,
        })
    }

    /// Tells the reactor to end. Its connections have been told that the server stops.
    pub(crate) fn stop(&self) {
        let _ = self.inbox.0.send(Message::Stop);
    }

    pub(crate) fn join(self) {
        let _ = self.thread.join();
    }
}

fn run(
    runtime: Runtime,
    inbox: UnboundedReceiver<Message>,
    shared: &Arc<Shared>,
    tally: &Arc<Tally>,
) {
    let tasks = LocalSet::new();
    runtime.block_on(tasks.run_until(take_work(inbox, shared, tally)));
    drop(tasks);
    runtime.shutdown_timeout(POOL_ENDS_WITHIN);
}

async fn take_work(
    mut inbox: UnboundedReceiver<Message>,
    shared: &Arc<Shared>,
    tally: &Arc<Tally>,
) {
    let mut listeners = JoinSet::new();
    let mut connections = JoinSet::new();
    loop {
        let message = tokio::select! {
            message = inbox.recv() => message,
            Some(_) = connections.join_next() => continue,
        };
        match message {
            Some(Message::Arrival(arrival)) => {
                add(&tally.connections, 1);
                connections.spawn_local(connection::run(
                    arrival,
                    Arc::clone(shared),
                    Arc::clone(tally),
                ));
            }
            Some(Message::Listen(bound, inboxes)) => {
                listeners.spawn_local(listener::accept(
                    bound,
                    inboxes,
                    Arc::clone(shared),
                    Arc::clone(tally),
                ));
            }
            Some(Message::Stop) | None => break,
        }
    }
    listeners.shutdown().await;
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(shared.limits.stop_for, all_ended).await;
}
