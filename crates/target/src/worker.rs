//! The part that does the work: logs in, keeps the servers, serves the disk.

use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::config::{Login, LoginAnswer, Source};
use crate::journal::note;
use crate::login::log_in;
use crate::renewal::{self, FIRST_RETRY, LONGEST_RETRY};
use crate::session::{self, Disk};
use crate::status;
use crate::upstream::{Settings, Upstream};

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
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, work))
}

/// Gets a login answer, however long that takes, and begins to connect.
pub(crate) async fn begin(
    source: &Source,
    settings: Settings,
    memory: Rc<dyn Memory>,
) -> (Upstream, LoginAnswer) {
    match source {
        Source::Given(answer) => (Upstream::start(answer, settings), (**answer).clone()),
        Source::Login(login) => {
            // A worker that follows another one has an answer already, and the API may be away.
            let answer = match memory.recall() {
                Some(answer) => answer,
                None => first_login(login).await,
            };
            memory.keep(&answer);
            let upstream = Upstream::start(&answer, settings);
            tokio::task::spawn_local(renewal::keep_logged_in(
                upstream.clone(),
                login.clone(),
                answer.clone(),
                memory,
            ));
            (upstream, answer)
        }
    }
}

async fn first_login(login: &Login) -> LoginAnswer {
    let mut delay = FIRST_RETRY;
    loop {
        if let Ok(answer) = log_in(login, None, None).await {
            return answer;
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
