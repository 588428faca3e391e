//! The part that does the work: logs in, keeps the servers, serves the disk.

use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::time::Duration;

use failover::Settings;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::client::Client;
use crate::clock;
use crate::config::{Login, LoginAnswer, Source};
use crate::journal::note;
use crate::login::log_in;
use crate::session::{self, Disk};
use crate::status;

/// Log in again when this much of the ticket's life is left.
const RENEW_BEFORE_SECONDS: u64 = 24 * 3600;
/// Losing every server is usual while they restart; the farm is asked only after this.
const LOGIN_AFTER_LOSS: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_mins(1);

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
) -> (Rc<Client>, LoginAnswer) {
    match source {
        Source::Given(answer) => (Client::start(answer, settings), (**answer).clone()),
        Source::Login(login) => {
            // A worker that follows another one has an answer already, and the API may be away.
            let answer = match memory.recall() {
                Some(answer) => answer,
                None => first_login(login).await,
            };
            memory.keep(&answer);
            let client = Client::start(&answer, settings);
            tokio::task::spawn_local(keep_logged_in(
                Rc::clone(&client),
                login.clone(),
                answer.clone(),
                memory,
            ));
            (client, answer)
        }
    }
}

async fn first_login(login: &Login) -> LoginAnswer {
    let mut delay = FIRST_RETRY;
    loop {
        if let Ok(answer) = log_in(login).await {
            return answer;
        }
        sleep(delay).await;
        delay = (delay * 2).min(LONGEST_RETRY);
    }
}

async fn keep_logged_in(
    client: Rc<Client>,
    login: Login,
    mut answer: LoginAnswer,
    memory: Rc<dyn Memory>,
) {
    loop {
        tokio::select! {
            () = sleep(until_renewal(&answer)) => {}
            () = client.login_wanted() => sleep(LOGIN_AFTER_LOSS).await,
        }
        let mut delay = FIRST_RETRY;
        answer = loop {
            match log_in(&login).await {
                // The disk under a running system never changes; a new version is for the next start.
                Ok(new) if new.root != answer.root => {
                    note!(
                        "the farm assigned {}; it is used from the next start on",
                        new.export
                    );
                    break LoginAnswer {
                        servers: new.servers,
                        ..answer
                    };
                }
                Ok(new) => break new,
                Err(_) => sleep(delay).await,
            }
            delay = (delay * 2).min(LONGEST_RETRY);
        };
        memory.keep(&answer);
        client.follow(&answer);
    }
}

fn until_renewal(answer: &LoginAnswer) -> Duration {
    match answer.expires_at {
        Some(at) => {
            let left = at
                .saturating_sub(clock::unix_seconds())
                .saturating_sub(RENEW_BEFORE_SECONDS);
            Duration::from_secs(left).max(LONGEST_RETRY)
        }
        None => Duration::MAX / 4,
    }
}

/// Serves everybody who connects to the unix socket.
pub(crate) async fn serve(
    listener: StdUnixListener,
    client: Rc<Client>,
    export: &str,
) -> io::Result<()> {
    let disk = Disk {
        size_bytes: client.size_bytes().await,
        export: export.into(),
        client,
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
    client: &Rc<Client>,
) -> io::Result<()> {
    if let Some(control) = control {
        tokio::task::spawn_local(status::answer(
            UnixListener::from_std(control)?,
            Rc::clone(client),
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
