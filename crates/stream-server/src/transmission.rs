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
    DATA_HEADER_BYTES, Negotiated, Possible, Received, RequestDecoder, SIMPLE_REPLY_BYTES,
    block_status_chunk, data_header, done_chunk, error_chunk, simple_reply,
};
use nbd_proto::{Command, Cookie, ErrorCode, Extent, Request};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::clock;
use crate::cold::{self, Finished, Outcome};
use crate::counters::{Tally, add};
use crate::export::{OpenContent, OpenExport, OpenVersion};
use crate::flat::{self, Copied};
use crate::input::Input;
use crate::login::ALLOCATION_CONTEXT;
use crate::output::{Output, Progress};
use crate::seat::Seated;
use crate::session::Session;
use crate::shared::{Mood, Shared};
use crate::socket::Socket;

/// Reads up to this length are copied and gathered; longer ones go from the file to the socket by themselves.
const COPIED_BYTES: u32 = 32 * 1024;
/// What a connection may send before others of its reactor get a turn.
const TURN_BYTES: usize = 1024 * 1024;
/// In the context `corral:root/…`: please move to another server.
const FLAG_DRAINING: u32 = 1;
/// In the same: please log in again, and move to the first server of the answer.
const FLAG_MOVE: u32 = 2;

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
    /// The right to write to a disk. Jobs have it too, so that it is given up when the last of them is done.
    seated: Option<Seated>,
    negotiated: Negotiated,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    session: Arc<Session>,
    decoder: RequestDecoder,
    input: Input,
    output: Output,
    /// Cold requests that nobody works on yet.
    queued: VecDeque<(Received, Instant)>,
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
        seated: Option<Seated>,
        negotiated: Negotiated,
        received: &[u8],
        shared: Arc<Shared>,
        tally: Arc<Tally>,
        session: Arc<Session>,
    ) -> Self {
        let now = clock::now();
        let export = Arc::clone(&session.export);
        let decoder = match export.content {
            OpenContent::Version(_) => RequestDecoder::new(),
            OpenContent::Disk(_) => RequestDecoder::keeping_payloads(),
        };
        Self {
            socket,
            export,
            seated,
            negotiated,
            shared,
            tally,
            session,
            decoder,
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

    /// Ready if the client took nothing of what is ready for it for too long, or leaves a write half sent.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let owes_payload = self.wants_input() && self.decoder.is_within_payload();
        if self.output.is_empty() && !owes_payload {
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
            match self.output.send(&self.socket) {
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
                if self.output.is_empty() {
                    self.progress_at = self.received_at;
                }
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
                let received_request = self
                    .decoder
                    .next_request(&mut received)
                    .map_err(|_| End::Protocol)?;
                let left = received.len();
                self.input.keep_last(left);
                let Some(received) = received_request else {
                    break;
                };
                self.answer(received)?;
            } else {
                break;
            }
        }
        self.start_jobs();
        Ok(())
    }

    fn answer(&mut self, received: Received) -> Result<(), End> {
        let request = received.request;
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
        let possible = match self.export.content {
            OpenContent::Version(_) => Possible::Reading,
            OpenContent::Disk(_) => Possible::Writing,
        };
        if let Err(objection) = request.check(possible, self.export.size_bytes(), &self.negotiated)
        {
            add(&self.tally.refused_requests, 1);
            self.refuse(request, objection.code, objection.message);
            return Ok(());
        }
        if !self.answer_at_once(request)? {
            self.replies -= 1;
            self.waiting_requests += 1;
            self.waiting_bytes += cold::bytes_of(&request);
            self.queued.push_back((received, self.received_at));
        }
        Ok(())
    }

    /// Answers what needs no disk; `false` if a job must.
    fn answer_at_once(&mut self, request: Request) -> Result<bool, End> {
        if request.command == Command::BlockStatus && self.asks_only_for_root() {
            self.append_block_status(request, &[]);
            return Ok(true);
        }
        let export = Arc::clone(&self.export);
        let OpenContent::Version(open) = &export.content else {
            return Ok(false);
        };
        match request.command {
            Command::Read if open.version.is_ready(request.offset, request.length) => {
                let is_answered = self.append_read(open, request, false)?;
                if is_answered {
                    add(&self.tally.ready_reads, 1);
                }
                Ok(is_answered)
            }
            Command::Flush => {
                self.append_success(request.cookie);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn asks_only_for_root(&self) -> bool {
        self.negotiated
            .contexts
            .iter()
            .all(|context| context.id != ALLOCATION_CONTEXT)
    }

    fn start_jobs(&mut self) {
        while self.jobs.len() < self.shared.limits.cold_requests {
            let Some((received, received_at)) = self.queued.pop_front() else {
                break;
            };
            let export = Arc::clone(&self.export);
            let seated = self.seated.clone();
            self.jobs.spawn_blocking(move || {
                let finished = cold::work(&export, &received, received_at);
                drop(seated);
                finished
            });
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
            Ok(Outcome::Ready) => {
                let export = Arc::clone(&self.export);
                match &export.content {
                    // It was read a moment ago; if it has left the cache again already, waiting for it is right.
                    OpenContent::Version(open) if request.command == Command::Read => {
                        if self.append_read(open, request, true)? {
                            add(&self.tally.made_ready_reads, 1);
                        }
                    }
                    _ => self.append_success(request.cookie),
                }
            }
            Ok(Outcome::Done) => {
                if request.command == Command::Write {
                    let written = u64::from(request.length);
                    add(&self.tally.written_bytes, written);
                    self.session
                        .written_bytes
                        .fetch_add(written, Ordering::Relaxed);
                }
                self.append_success(request.cookie);
            }
            Ok(Outcome::Bytes(bytes)) => self.append_bytes(request, bytes),
            Ok(Outcome::Extents(extents)) => self.append_block_status(request, &extents),
            Err(failure) => {
                let counter = match failure.code {
                    ErrorCode::NoSpace => &self.tally.no_space,
                    // "Not fast" is the answer to a question.
                    ErrorCode::NotSupported => &self.tally.refused_requests,
                    _ => &self.tally.failed_requests,
                };
                add(counter, 1);
                self.refuse(request, failure.code, &failure.message);
            }
        }
        Ok(())
    }

    /// Adds the reply to a read whose bytes a job has brought.
    fn append_bytes(&mut self, request: Request, bytes: Vec<u8>) {
        let Request {
            cookie,
            offset,
            length,
            ..
        } = request;
        if self.negotiated.structured_replies {
            self.output
                .append(&data_header(cookie, offset, length, true));
        } else {
            self.output.append(&simple_reply(cookie, None));
        }
        if length <= COPIED_BYTES {
            self.output.append(&bytes);
        } else {
            self.output.append_bytes(bytes);
        }
        self.count_bytes(length);
    }

    fn count_bytes(&self, length: u32) {
        add(&self.tally.bytes, u64::from(length));
        self.session
            .bytes
            .fetch_add(u64::from(length), Ordering::Relaxed);
    }

    /// Adds the reply to a read, or `false` if its bytes are not in the page cache and `may_wait` is not set.
    fn append_read(
        &mut self,
        open: &OpenVersion,
        request: Request,
        may_wait: bool,
    ) -> Result<bool, End> {
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
            match flat::copy(open, offset, place, may_wait) {
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
            if !may_wait && !open.residency.is_resident(offset, length) {
                return Ok(false);
            }
            self.output.append(header);
            self.output
                .append_file(Arc::clone(&open.version), offset, length);
        }
        self.count_bytes(length);
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
        let mut flags = 0;
        if self.shared.mood() != Mood::Serving {
            flags |= FLAG_DRAINING;
        }
        if self.shared.is_to_move(self.session.facts.subject.as_ref()) {
            flags |= FLAG_MOVE;
        }
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
