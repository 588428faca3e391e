//! The transmission phase of one connection: requests in, replies out, as one hand-polled task.
//!
//! A read that is verified and in the page cache is answered on the spot. Everything that may wait goes to the pool and is
//! answered when it is done, whatever was asked after it. Nothing is read from the socket while the client takes too little
//! or too much of its own waits, so that what a connection holds is bounded.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use nbd_proto::server::{
    DATA_HEADER_BYTES, Negotiated, RequestDecoder, SIMPLE_REPLY_BYTES, block_status_chunk,
    data_header, done_chunk, error_chunk, simple_reply,
};
use nbd_proto::{Command, Cookie, ErrorCode, Extent, Request};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::clock;
use crate::cold::{self, Finished, Outcome};
use crate::counters::{Tally, add};
use crate::export::OpenExport;
use crate::flat::{self, Copied};
use crate::input::Input;
use crate::login::{ALLOCATION_CONTEXT, ROOT_CONTEXT};
use crate::output::{Output, Progress};
use crate::session::Session;
use crate::shared::{Mood, Shared};
use crate::socket::Socket;

/// Reads up to this length are copied and gathered; longer ones go from the file to the socket by themselves.
const COPIED_BYTES: u32 = 32 * 1024;
/// What a connection may send before others of its reactor get a turn.
const TURN_BYTES: usize = 1024 * 1024;
/// In the context `corral:root/…`: please move to another server.
const FLAG_DRAINING: u32 = 1;

/// Why a transmission is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client said goodbye.
    Farewell,
    /// The server ended it: the export is gone, or it stops.
    Ended,
    /// The connection broke.
    Lost,
    /// The client is out of step.
    Protocol,
    /// The client took nothing for too long.
    Stalled,
}

enum Turn {
    /// Nothing can be done before something happens.
    Wait,
    /// There is more to do, but others wait.
    Yield,
}

pub(crate) struct Transmission {
    socket: Socket,
    export: Arc<OpenExport>,
    negotiated: Negotiated,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    session: Arc<Session>,
    decoder: RequestDecoder,
    input: Input,
    output: Output,
    /// Cold requests that nobody works on yet.
    queued: VecDeque<(Request, Instant)>,
    jobs: JoinSet<Finished>,
    finished: VecDeque<Finished>,
    /// Requests in the three above, and their bytes.
    waiting_requests: usize,
    waiting_bytes: u64,
    received_at: Instant,
    /// Replies in the output to requests of the last receipt, and to earlier ones with their times.
    replies: u64,
    late_replies: Vec<Instant>,
    progress_at: Instant,
    stall_timer: Option<Pin<Box<Sleep>>>,
    says_goodbye: bool,
}

impl Transmission {
    pub(crate) fn new(
        socket: Socket,
        export: Arc<OpenExport>,
        negotiated: Negotiated,
        received: &[u8],
        shared: Arc<Shared>,
        tally: Arc<Tally>,
        session: Arc<Session>,
    ) -> Self {
        let now = clock::now();
        Self {
            socket,
            export,
            negotiated,
            shared,
            tally,
            session,
            decoder: RequestDecoder::new(),
            input: Input::holding(received),
            output: Output::default(),
            queued: VecDeque::new(),
            jobs: JoinSet::new(),
            finished: VecDeque::new(),
            waiting_requests: 0,
            waiting_bytes: 0,
            received_at: now,
            replies: 0,
            late_replies: Vec::new(),
            progress_at: now,
            stall_timer: None,
            says_goodbye: false,
        }
    }

    pub(crate) async fn run(mut self) -> End {
        let mut is_known = false;
        poll_fn(|context| {
            if !mem::replace(&mut is_known, true) {
                self.session.set_waker(context.waker());
            }
            self.poll(context).map(|end| end.unwrap_or_else(|end| end))
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<End, End>> {
        loop {
            if self.session.is_ended() {
                return Poll::Ready(Ok(End::Ended));
            }
            if let Turn::Yield = self.turn()? {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.is_idle() && self.shared.mood() == Mood::Stopping {
                return Poll::Ready(Ok(End::Ended));
            }
            // After the turn, because it may have started jobs that are to wake this task.
            if self.poll_jobs(context)? {
                continue;
            }
            let is_readable = self.wants_input()
                && matches!(self.socket.poll_readable(context), Poll::Ready(Ok(())));
            let is_writable = !self.output.is_empty()
                && matches!(self.socket.poll_writable(context), Poll::Ready(Ok(())));
            if !is_readable && !is_writable {
                ready!(self.poll_stall(context));
                return Poll::Ready(Ok(End::Stalled));
            }
        }
    }

    /// Takes the jobs that are done, and says whether there were any.
    fn poll_jobs(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut took_some = false;
        while let Poll::Ready(Some(finished)) = self.jobs.poll_join_next(context) {
            // A job that panicked takes its cookie with it: the client must ask somebody else.
            self.finished.push_back(finished.map_err(|_| End::Lost)?);
            took_some = true;
        }
        Ok(took_some)
    }

    /// Ready if the client took nothing of what is ready for it for too long.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.output.is_empty() {
            self.stall_timer = None;
            return Poll::Pending;
        }
        loop {
            let deadline = self.progress_at + self.shared.limits.stalled_for;
            let timer = self
                .stall_timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
            ready!(timer.as_mut().poll(context));
            if clock::now() >= deadline {
                return Poll::Ready(());
            }
            self.stall_timer = None;
        }
    }

    /// Works until the socket is full, nothing is left to do, or others should have a turn.
    fn turn(&mut self) -> Result<Turn, End> {
        let bytes_before = self.session.bytes.load(Ordering::Relaxed);
        loop {
            self.gather()?;
            if self.output.is_empty() {
                if self.says_goodbye && self.is_idle() {
                    return Err(End::Farewell);
                }
                if !self.wants_input() || !self.receive()? {
                    return Ok(Turn::Wait);
                }
                continue;
            }
            match self.output.send(&self.socket, self.export.version.file()) {
                Ok(Progress::Everything) => self.count_sent(),
                Ok(Progress::Blocked { took_some }) => {
                    if took_some || self.stall_timer.is_none() {
                        self.progress_at = clock::now();
                    }
                    return Ok(Turn::Wait);
                }
                Err(_) => return Err(End::Lost),
            }
            let sent = self.session.bytes.load(Ordering::Relaxed) - bytes_before;
            if usize::try_from(sent).is_ok_and(|sent| sent > TURN_BYTES) {
                return Ok(Turn::Yield);
            }
        }
    }

    /// Whether no request is being worked on and no reply is on its way.
    fn is_idle(&self) -> bool {
        self.waiting_requests == 0 && self.output.is_empty()
    }

    fn wants_input(&self) -> bool {
        !self.says_goodbye
            && self.output.has_room()
            && self.waiting_requests < self.shared.limits.waiting_requests
            && self.waiting_bytes < self.shared.limits.waiting_bytes
    }

    /// Takes what has arrived; `false` if that is nothing.
    fn receive(&mut self) -> Result<bool, End> {
        match self.input.receive(&self.socket) {
            Ok(0) => Err(End::Lost),
            Ok(_) => {
                self.received_at = clock::now();
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(_) => Err(End::Lost),
        }
    }

    /// Puts replies into the output until it has no more room or nothing can be answered.
    fn gather(&mut self) -> Result<(), End> {
        while self.output.has_room() {
            if let Some(finished) = self.finished.pop_front() {
                self.answer_finished(finished)?;
            } else if self.wants_input() {
                let mut received = self.input.bytes();
                let request = self
                    .decoder
                    .next_request(&mut received)
                    .map_err(|_| End::Protocol)?;
                let left = received.len();
                self.input.keep_last(left);
                let Some(request) = request else { break };
                self.answer(request)?;
            } else {
                break;
            }
        }
        self.start_jobs();
        Ok(())
    }

    fn answer(&mut self, request: Request) -> Result<(), End> {
        self.tally.count_command(request.command);
        self.session.requests.fetch_add(1, Ordering::Relaxed);
        if request.command == Command::Disconnect {
            self.says_goodbye = true;
            return Ok(());
        }
        self.replies += 1;
        if self.shared.mood() == Mood::Stopping {
            self.refuse(
                request,
                ErrorCode::Shutdown,
                "the server is stopping; use another one",
            );
            return Ok(());
        }
        if let Err(objection) =
            request.check_read_only(self.export.version.size_bytes(), &self.negotiated)
        {
            add(&self.tally.refused_requests, 1);
            self.refuse(request, objection.code, objection.message);
            return Ok(());
        }
        match request.command {
            Command::Read if self.is_ready(request) && self.append_read(request, false)? => {
                add(&self.tally.ready_reads, 1);
            }
            Command::Flush => self.append_success(request.cookie),
            Command::BlockStatus if self.asks_only_for_root() => {
                self.append_block_status(request, &[]);
            }
            _ => {
                self.replies -= 1;
                self.waiting_requests += 1;
                self.waiting_bytes += cold::bytes_of(&request);
                self.queued.push_back((request, self.received_at));
            }
        }
        Ok(())
    }

    fn is_ready(&self, request: Request) -> bool {
        self.export.version.is_ready(request.offset, request.length)
    }

    fn asks_only_for_root(&self) -> bool {
        self.negotiated
            .contexts
            .iter()
            .all(|context| context.id == ROOT_CONTEXT)
    }

    fn start_jobs(&mut self) {
        while self.jobs.len() < self.shared.limits.cold_requests {
            let Some((request, received_at)) = self.queued.pop_front() else {
                break;
            };
            let export = Arc::clone(&self.export);
            self.jobs
                .spawn_blocking(move || cold::work(&export, request, received_at));
        }
    }

    fn answer_finished(&mut self, finished: Finished) -> Result<(), End> {
        let Finished {
            request,
            received_at,
            outcome,
        } = finished;
        self.waiting_requests -= 1;
        self.waiting_bytes -= cold::bytes_of(&request);
        self.late_replies.push(received_at);
        match outcome {
            Ok(Outcome::Ready) if request.command == Command::Read => {
                // It was read a moment ago; if it has left the cache again already, waiting for it is right.
                if self.append_read(request, true)? {
                    add(&self.tally.made_ready_reads, 1);
                }
            }
            Ok(Outcome::Ready) => self.append_success(request.cookie),
            Ok(Outcome::Extents(extents)) => self.append_block_status(request, &extents),
            Err(error) => {
                add(&self.tally.failed_requests, 1);
                self.refuse(request, ErrorCode::InputOutput, &error.to_string());
            }
        }
        Ok(())
    }

    /// Adds the reply to a read, or `false` if its bytes are not in the page cache and `may_wait` is not set.
    fn append_read(&mut self, request: Request, may_wait: bool) -> Result<bool, End> {
        let Request {
            cookie,
            offset,
            length,
            ..
        } = request;
        let simple;
        let structured;
        let header: &[u8] = if self.negotiated.structured_replies {
            structured = data_header(cookie, offset, length, true);
            &structured
        } else {
            simple = simple_reply(cookie, None);
            &simple
        };
        if length <= COPIED_BYTES {
            debug_assert!(header.len() == DATA_HEADER_BYTES || header.len() == SIMPLE_REPLY_BYTES);
            let Some((head, rest)) = self.output.room().split_at_mut_checked(header.len()) else {
                return Err(End::Lost);
            };
            let place = usize::try_from(length)
                .ok()
                .and_then(|length| rest.get_mut(..length))
                .ok_or(End::Lost)?;
            match flat::copy(&self.export, offset, place, may_wait) {
                Ok(Copied::Whole) => {
                    head.copy_from_slice(header);
                    let added = header.len() + place.len();
                    self.output.commit(added);
                }
                Ok(Copied::WouldWait) => return Ok(false),
                Err(error) => {
                    add(&self.tally.failed_requests, 1);
                    self.refuse(request, ErrorCode::InputOutput, &error.to_string());
                    return Ok(!may_wait);
                }
            }
        } else {
            if !may_wait && !self.export.residency.is_resident(offset, length) {
                return Ok(false);
            }
            self.output.append(header);
            self.output.append_file(offset, length);
        }
        add(&self.tally.bytes, u64::from(length));
        self.session
            .bytes
            .fetch_add(u64::from(length), Ordering::Relaxed);
        Ok(true)
    }

    fn append_success(&mut self, cookie: Cookie) {
        if self.negotiated.structured_replies {
            self.output.append(&done_chunk(cookie));
        } else {
            self.output.append(&simple_reply(cookie, None));
        }
    }

    /// Adds a chunk for each chosen context: the extents, and what the server wants Corral clients to know.
    fn append_block_status(&mut self, request: Request, extents: &[Extent]) {
        let flags = if self.shared.mood() == Mood::Serving {
            0
        } else {
            FLAG_DRAINING
        };
        let session = [Extent {
            length: request.length,
            flags,
        }];
        let mut reply = Vec::new();
        let last = self.negotiated.contexts.len().saturating_sub(1);
        for (index, context) in self.negotiated.contexts.iter().enumerate() {
            let extents = if context.id == ALLOCATION_CONTEXT {
                extents
            } else {
                &session
            };
            block_status_chunk(
                request.cookie,
                context.id,
                extents,
                index == last,
                &mut reply,
            );
        }
        self.output.append(&reply);
    }

    fn refuse(&mut self, request: Request, code: ErrorCode, message: &str) {
        if self.negotiated.structured_replies {
            let mut reply = Vec::new();
            error_chunk(request.cookie, code, message, None, &mut reply);
            self.output.append(&reply);
        } else {
            self.output
                .append(&simple_reply(request.cookie, Some(code)));
        }
    }

    /// Notes how long everything took that is with the kernel now.
    fn count_sent(&mut self) {
        let now = clock::now();
        self.progress_at = now;
        self.stall_timer = None;
        if self.replies > 0 {
            self.tally.record_latency(
                now.duration_since(self.received_at),
                mem::take(&mut self.replies),
            );
        }
        for received_at in self.late_replies.drain(..) {
            self.tally
                .record_latency(now.duration_since(received_at), 1);
        }
    }
}
