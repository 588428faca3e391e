//! The part that does the work: logs in, keeps the servers, serves the disk.

use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::cache::Meter;
use crate::config::{Login, LoginAnswer, Source};
use crate::journal::note;
use crate::login::{Asking, log_in};
use crate::own_cache::{Kept, OwnCache, OwnCacheError};
use crate::renewal::{self, FIRST_RETRY, LONGEST_RETRY};
use crate::session::{self, Disk};
use crate::status;
use crate::upstream::{Settings, Upstream};

/// Requests that a cache disk works at together. Their threads stay: when memory is short is no time to start one.
const DISK_THREADS: usize = 4;

/// Where the last login answer is kept, so that it outlives a worker.
pub(crate) trait Memory {
    /// The answer kept last.
    fn recall(&self) -> Option<LoginAnswer>;
    /// Keeps an answer.
    fn keep(&self, answer: &LoginAnswer);
}

/// For a process that is not replaced.
pub(crate) struct NoMemory;

impl Memory for NoMemory {
    fn recall(&self) -> Option<LoginAnswer> {
        None
    }

    fn keep(&self, _: &LoginAnswer) {}
}

/// Runs `work` on one thread until it ends.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(DISK_THREADS)
        .thread_keep_alive(Duration::from_hours(24))
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, work))
}

/// Gets a login answer, however long that takes, sets the device's own write cache up if it keeps one, and begins to connect.
///
/// # Errors
///
/// That a given answer cannot be carried out.
pub(crate) async fn begin(
    source: &Source,
    settings: Settings,
    memory: Rc<dyn Memory>,
    own: Option<&OwnCache>,
) -> io::Result<(Upstream, LoginAnswer)> {
    match source {
        Source::Given(answer) => {
            let cache = own.map(|own| own.set_up(answer)).transpose();
            let cache = cache.map_err(io::Error::other)?.flatten();
            Ok((Upstream::start(answer, settings, cache), (**answer).clone()))
        }
        Source::Login(login) => {
            let (answer, cache) = first_login(login, &*memory, own).await;
            memory.keep(&answer);
            let upstream = Upstream::start(&answer, settings, cache);
            let folder = login.write_cache.clone().map(Meter::Folder);
            tokio::task::spawn_local(renewal::keep_logged_in(
                upstream.clone(),
                login.clone(),
                answer.clone(),
                memory,
                upstream.meter().or(folder),
            ));
            Ok((upstream, answer))
        }
    }
}

/// An answer that can be carried out.
async fn first_login(
    login: &Login,
    memory: &dyn Memory,
    own: Option<&OwnCache>,
) -> (LoginAnswer, Option<Kept>) {
    // A worker that follows another one has an answer already, and the API may be away.
    let mut known = memory.recall();
    let mut delay = FIRST_RETRY;
    loop {
        let asking = Asking {
            has_cache_disk: own.map(OwnCache::has_disk),
            ..Asking::default()
        };
        let answer = match known.take() {
            Some(answer) => Some(answer),
            None => log_in(login, asking).await.ok(),
        };
        if let Some(answer) = answer {
            match own.map(|own| own.set_up(&answer)).transpose() {
                Ok(cache) => return (answer, cache.flatten()),
                // The farm says what is to be done without.
                Err(OwnCacheError::Disk(problem)) => {
                    if let Some(own) = own {
                        own.give_up_disk(&problem);
                    }
                }
                Err(error) => note!("the write cache cannot be set up: {error}"),
            }
        }
        sleep(renewal::spread(delay)).await;
        delay = (delay * 2).min(LONGEST_RETRY);
    }
}

/// Serves everybody who connects to the unix socket.
pub(crate) async fn serve(
    listener: StdUnixListener,
    upstream: Upstream,
    export: &str,
) -> io::Result<()> {
    let disk = Disk {
        size_bytes: upstream.size_bytes().await,
        export: export.into(),
        upstream,
    };
    let listener = UnixListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let disk = disk.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = session::serve(stream, &disk).await {
                note!("a client of the socket was dropped: {error}");
            }
        });
    }
}

/// Answers on the control socket, if there is one.
pub(crate) fn answer_status(
    control: Option<StdUnixListener>,
    upstream: &Upstream,
) -> io::Result<()> {
    if let Some(control) = control {
        tokio::task::spawn_local(status::answer(
            UnixListener::from_std(control)?,
            upstream.clone(),
        ));
    }
    Ok(())
}

/// The kernel's requests, by way of the keeper. Ends when the keeper does.
pub(crate) async fn transmit(stream: UnixStream, disk: &Disk) -> io::Result<()> {
    session::transmit(
        stream,
        bytes::BytesMut::with_capacity(16 * 1024),
        disk,
        nbd_proto::server::Negotiated::default(),
    )
    .await
}
