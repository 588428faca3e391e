//! One downstream client: QEMU or a tool on the unix socket, or the kernel.

use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use nbd_proto::server::{
    DATA_HEADER_BYTES, Event, ExportFacts, Handshake, Negotiated, Possible, Received,
    RequestDecoder, SIMPLE_REPLY_BYTES, data_header, error_chunk, simple_reply,
};
use nbd_proto::{
    BlockSizes, Command, Cookie, ErrorCode, MAX_PAYLOAD_BYTES, Refusal, Request, TransmissionFlags,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::upstream::Upstream;

/// Read data that one session may have under way, answers waiting to be written included.
const SESSION_KIB: u32 = 64 * 1024;
/// Requests that one session may have under way. The kernel's queue is 128 deep.
const SESSION_REQUESTS: u32 = 256;
/// What a request counts for at least, so that both limits are one: 256 of these are all of [`SESSION_KIB`].
const LEAST_KIB: u32 = SESSION_KIB / SESSION_REQUESTS;

const READING: TransmissionFlags = TransmissionFlags::READ_ONLY
    .union(TransmissionFlags::CAN_MULTI_CONN)
    .union(TransmissionFlags::SEND_FLUSH);
/// All sessions are one client of the server, so that what one of them flushed is safe for each of them: several connections are one.
const WRITING: TransmissionFlags = TransmissionFlags::SEND_FLUSH
    .union(TransmissionFlags::SEND_FUA)
    .union(TransmissionFlags::SEND_TRIM)
    .union(TransmissionFlags::SEND_WRITE_ZEROES)
    .union(TransmissionFlags::SEND_FAST_ZERO)
    .union(TransmissionFlags::CAN_MULTI_CONN);

/// What is said about the disk.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) upstream: Upstream,
    pub(crate) export: Rc<str>,
    pub(crate) size_bytes: u64,
}

/// Shakes hands, then serves until the client leaves.
pub(crate) async fn serve(mut stream: UnixStream, disk: &Disk) -> io::Result<()> {
    let mut received = BytesMut::with_capacity(16 * 1024);
    let Some(negotiated) = shake_hands(&mut stream, &mut received, disk).await? else {
        return Ok(());
    };
    transmit(stream, received, disk, negotiated).await
}

async fn shake_hands(
    stream: &mut UnixStream,
    received: &mut BytesMut,
    disk: &Disk,
) -> io::Result<Option<Negotiated>> {
    let mut output = Vec::new();
    let mut handshake = Handshake::new(&mut output);
    loop {
        let mut input: &[u8] = received;
        let event = handshake.next_event(&mut input, &mut output);
        let taken = received.len() - input.len();
        received.advance(taken);
        let mut is_over = None;
        let mut needs_bytes = false;
        match event.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))? {
            Some(Event::Open(question)) => {
                // The default name, or the disk's own: there is nothing else here.
                if question.export().is_empty() || question.export() == &*disk.export {
                    is_over = handshake.accept(question, &facts(disk), &mut output);
                } else {
                    let message = "this socket has one export: the empty name, or the device's own";
                    if handshake.refuse(question, Refusal::UnknownExport, message, &mut output)
                        == nbd_proto::server::AfterRefusal::Close
                    {
                        return Ok(None);
                    }
                }
            }
            Some(Event::List(question)) => handshake.list(question, [&*disk.export], &mut output),
            Some(Event::Contexts(question)) => {
                handshake.contexts(question, Vec::new(), &mut output);
            }
            Some(Event::Abort | Event::StartTls) => {
                stream.write_all(&output).await?;
                return Ok(None);
            }
            None => needs_bytes = true,
        }
        stream.write_all(&output).await?;
        output.clear();
        if is_over.is_some() {
            return Ok(is_over);
        }
        if needs_bytes && stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

fn facts(disk: &Disk) -> ExportFacts<'_> {
    ExportFacts {
        name: &disk.export,
        description: "",
        size_bytes: disk.size_bytes,
        flags: if disk.upstream.is_writable() {
            WRITING
        } else {
            READING
        },
        block_sizes: BlockSizes {
            minimum: 1,
            preferred: 64 * 1024,
            maximum_payload: MAX_PAYLOAD_BYTES,
        },
    }
}

/// Serves requests until the client leaves. `received` holds what came after the handshake.
pub(crate) async fn transmit(
    stream: UnixStream,
    mut received: BytesMut,
    disk: &Disk,
    negotiated: Negotiated,
) -> io::Result<()> {
    let (mut reader, writer) = stream.into_split();
    let (replies, queue) = mpsc::unbounded_channel(); // bounded by the permits that replies hold
    let mut tasks = JoinSet::new();
    tasks.spawn_local(write_replies(writer, queue));
    let budget = Arc::new(Semaphore::new(SESSION_KIB as usize));
    let mut decoder = if disk.upstream.is_writable() {
        RequestDecoder::keeping_payloads()
    } else {
        RequestDecoder::new()
    };
    loop {
        let mut input: &[u8] = &received;
        let request = decoder.next_request(&mut input);
        let taken = received.len() - input.len();
        received.advance(taken);
        match request.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))? {
            Some(received) if received.request.command == Command::Disconnect => break,
            Some(Received { request, payload }) => {
                let held = if matches!(request.command, Command::Read | Command::Write) {
                    request.length
                } else {
                    0
                };
                let cost = held.div_ceil(1024).clamp(LEAST_KIB, SESSION_KIB);
                let Ok(permit) = Arc::clone(&budget).acquire_many_owned(cost).await else {
                    break;
                };
                let answer = answer(request, payload.into(), disk.clone(), negotiated.clone());
                let replies = replies.clone();
                tasks.spawn_local(async move {
                    let _ = replies.send(answer.await.holding(permit));
                    Ok(())
                });
            }
            None => {
                if !receive(&mut reader, &mut received, &mut tasks).await? {
                    return Ok(());
                }
            }
        }
        while let Some(ended) = tasks.try_join_next() {
            ended.map_err(io::Error::other)??;
        }
    }
    drop(replies);
    // Everything asked before the farewell is still answered.
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Receives more; `false` when the client is gone, be it noticed by reading or by writing.
async fn receive(
    reader: &mut OwnedReadHalf,
    received: &mut BytesMut,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<bool> {
    loop {
        tokio::select! {
            count = reader.read_buf(received) => return Ok(count? > 0),
            ended = tasks.join_next() => match ended {
                Some(ended) => ended.map_err(io::Error::other)??,
                None => return Ok(false),
            },
        }
    }
}

/// A reply: a header, and the bytes of a read behind it.
struct Reply {
    header: Vec<u8>,
    payload: Vec<u8>,
    /// Given back once the reply is written.
    permit: Option<OwnedSemaphorePermit>,
}

impl Reply {
    fn holding(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(permit);
        self
    }
}

async fn answer(request: Request, payload: Bytes, disk: Disk, negotiated: Negotiated) -> Reply {
    let is_structured = negotiated.structured_replies;
    let possible = if disk.upstream.is_writable() {
        Possible::Writing
    } else {
        Possible::Reading
    };
    if let Err(objection) = request.check(possible, disk.size_bytes, &negotiated) {
        return failure(
            request.cookie,
            is_structured,
            objection.code,
            objection.message,
        );
    }
    match disk.upstream.ask(request, payload).await {
        Ok(_) if request.command != Command::Read => Reply {
            header: simple_reply(request.cookie, None).to_vec(),
            payload: Vec::new(),
            permit: None,
        },
        Ok(payload) if is_structured => {
            let header: [u8; DATA_HEADER_BYTES] =
                data_header(request.cookie, request.offset, request.length, true);
            Reply {
                header: header.to_vec(),
                payload,
                permit: None,
            }
        }
        Ok(payload) => {
            let header: [u8; SIMPLE_REPLY_BYTES] = simple_reply(request.cookie, None);
            Reply {
                header: header.to_vec(),
                payload,
                permit: None,
            }
        }
        Err(code) => failure(
            request.cookie,
            is_structured,
            code,
            "every server that has the disk fails this request",
        ),
    }
}

fn failure(cookie: Cookie, is_structured: bool, code: ErrorCode, message: &str) -> Reply {
    let mut header = Vec::new();
    if is_structured {
        error_chunk(cookie, code, message, None, &mut header);
    } else {
        header.extend_from_slice(&simple_reply(cookie, Some(code)));
    }
    Reply {
        header,
        payload: Vec::new(),
        permit: None,
    }
}

async fn write_replies(
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Reply>,
) -> io::Result<()> {
    while let Some(reply) = queue.recv().await {
        let mut header: &[u8] = &reply.header;
        let mut payload: &[u8] = &reply.payload;
        while !header.is_empty() || !payload.is_empty() {
            let sent = writer
                .write_vectored(&[IoSlice::new(header), IoSlice::new(payload)])
                .await?;
            if sent == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            let of_header = sent.min(header.len());
            header = header.get(of_header..).unwrap_or_default();
            payload = payload.get(sent - of_header..).unwrap_or_default();
        }
        drop(reply.permit);
    }
    Ok(())
}
