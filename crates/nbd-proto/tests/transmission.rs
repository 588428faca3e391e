//! Requests and replies: what is decoded, what is refused, what closes the connection.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use nbd_proto::client::{AssembleError, Event, Outstanding, ReadAssembly, ReplyDecoder, ReplyForm};
use nbd_proto::server::{self, Negotiated, Possible, RequestDecoder};
use nbd_proto::{
    Command, CommandFlags, Cookie, ErrorCode, Extent, MAX_PAYLOAD_BYTES, MetaContext, Request,
    client,
};

const COOKIE: Cookie = Cookie(0x1122_3344_5566_7788);

fn request(command: Command, offset: u64, length: u32) -> Request {
    Request {
        cookie: COOKIE,
        command,
        flags: CommandFlags::empty(),
        offset,
        length,
    }
}

fn objection(request: Request, negotiated: &Negotiated) -> Option<ErrorCode> {
    request
        .check_read_only(common::SIZE_BYTES, negotiated)
        .err()
        .map(|objection| objection.code)
}

fn writable_objection(request: Request) -> Option<ErrorCode> {
    request
        .check(Possible::Writing, common::SIZE_BYTES, &full())
        .err()
        .map(|objection| objection.code)
}

fn full() -> Negotiated {
    let context = MetaContext {
        id: 1,
        name: "base:allocation".to_owned(),
    };
    Negotiated {
        structured_replies: true,
        contexts: vec![context],
    }
}

#[test]
fn a_request_has_the_bytes_of_the_protocol() {
    let bytes = request(Command::Read, 0x0102_0304_0506_0708, 0x0a0b_0c0d).encode();
    let expected = [
        0x25, 0x60, 0x95, 0x13, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 1, 2,
        3, 4, 5, 6, 7, 8, 0x0a, 0x0b, 0x0c, 0x0d,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn a_write_is_given_out_after_its_payload_and_the_next_request_is_in_step() {
    let write = request(Command::Write, 0, 5000);
    let read = request(Command::Read, 0, 512);
    let bytes = [write.encode().as_slice(), &[0x25; 5000], &read.encode()].concat();
    let mut decoder = RequestDecoder::new();
    let mut requests = Vec::new();
    let held = common::in_pieces(&bytes, &[700], |input| {
        while let Some(received) = decoder.next_request(input).unwrap() {
            assert!(received.payload.is_empty(), "a payload is not kept");
            requests.push(received.request);
        }
        assert!(
            input.len() < nbd_proto::REQUEST_BYTES,
            "a payload is not held"
        );
    });
    assert_eq!(requests, [write, read]);
    assert!(held.is_empty());
}

#[test]
fn where_writes_are_possible_a_write_comes_with_its_payload() {
    let write = request(Command::Write, 512, 5000);
    let payload: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let bytes = [write.encode().as_slice(), &payload].concat();
    let mut decoder = RequestDecoder::keeping_payloads();
    let mut input = &bytes[..4000];
    assert_eq!(decoder.next_request(&mut input), Ok(None));
    assert!(input.is_empty() && decoder.is_within_payload());
    let mut input = &bytes[4000..];
    let received = decoder.next_request(&mut input).unwrap().unwrap();
    assert_eq!((received.request, received.payload), (write, payload));
    assert!(!decoder.is_within_payload());
}

#[test]
fn a_payload_that_is_only_announced_takes_no_memory_for_it() {
    let write = request(Command::Write, 0, MAX_PAYLOAD_BYTES);
    let bytes = [write.encode().as_slice(), &[1; 100]].concat();
    let mut decoder = RequestDecoder::keeping_payloads();
    decoder.next_request(&mut bytes.as_slice()).unwrap();
    let held = format!("{decoder:?}").len();
    assert!(held < 10_000, "{held}");
}

#[test]
fn an_export_that_can_be_written_takes_changes_and_fua_with_everything() {
    for (command, flags) in [
        (Command::Write, CommandFlags::empty()),
        (Command::Write, CommandFlags::FUA),
        (Command::Trim, CommandFlags::FUA),
        (
            Command::WriteZeroes,
            CommandFlags::FUA | CommandFlags::NO_HOLE | CommandFlags::FAST_ZERO,
        ),
        (Command::Read, CommandFlags::FUA | CommandFlags::DF),
        (Command::Cache, CommandFlags::FUA),
        (Command::BlockStatus, CommandFlags::FUA),
    ] {
        let request = Request {
            flags,
            ..request(command, 0, 512)
        };
        assert_eq!(writable_objection(request), None, "{request:?}");
    }
    let flush = Request {
        flags: CommandFlags::FUA,
        ..request(Command::Flush, 0, 0)
    };
    assert_eq!(writable_objection(flush), None);
    for (command, flags) in [
        (Command::Write, CommandFlags::NO_HOLE),
        (Command::Trim, CommandFlags::FAST_ZERO),
        (Command::Read, CommandFlags::NO_HOLE),
        (Command::Write, CommandFlags::from_bits_retain(1 << 5)),
    ] {
        let request = Request {
            flags,
            ..request(command, 0, 512)
        };
        assert_eq!(writable_objection(request), Some(ErrorCode::Invalid));
    }
}

#[test]
fn a_write_behind_the_end_finds_no_space_and_a_trim_there_is_invalid() {
    let size = common::SIZE_BYTES;
    for (command, code) in [
        (Command::Write, ErrorCode::NoSpace),
        (Command::WriteZeroes, ErrorCode::NoSpace),
        (Command::Trim, ErrorCode::Invalid),
        (Command::Read, ErrorCode::Invalid),
    ] {
        assert_eq!(writable_objection(request(command, size - 1, 1)), None);
        for (offset, length) in [(size - 1, 2), (size, 1), (u64::MAX, 1)] {
            assert_eq!(
                writable_objection(request(command, offset, length)),
                Some(code),
                "{command:?} of {length} at {offset}"
            );
        }
        let empty = writable_objection(request(command, 0, 0));
        assert_eq!(empty, Some(ErrorCode::Invalid));
    }
}

#[test]
fn what_does_not_travel_may_be_longer_than_a_payload() {
    let long = |command| {
        request(command, 0, u32::MAX)
            .check(Possible::Writing, u64::MAX, &full())
            .map_err(|objection| objection.code)
    };
    assert_eq!(long(Command::Trim), Ok(()));
    assert_eq!(long(Command::WriteZeroes), Ok(()));
    assert_eq!(long(Command::BlockStatus), Ok(()));
    assert_eq!(long(Command::Write), Err(ErrorCode::TooLarge));
    assert_eq!(long(Command::Cache), Err(ErrorCode::TooLarge));
}

#[test]
fn a_write_longer_than_anybody_may_send_closes() {
    let bytes = request(Command::Write, 0, MAX_PAYLOAD_BYTES + 1).encode();
    let error = RequestDecoder::new().next_request(&mut bytes.as_slice());
    assert_eq!(
        error,
        Err(server::DecodeError::PayloadTooLong(MAX_PAYLOAD_BYTES + 1))
    );
}

#[test]
fn a_wrong_magic_number_closes() {
    let mut bytes = request(Command::Read, 0, 1).encode();
    bytes[0] = 0x26;
    let error = RequestDecoder::new().next_request(&mut bytes.as_slice());
    assert_eq!(error, Err(server::DecodeError::BadMagic(0x2660_9513)));
}

#[test]
fn what_changes_the_export_is_not_permitted() {
    for command in [Command::Write, Command::Trim, Command::WriteZeroes] {
        assert_eq!(
            objection(request(command, 0, 512), &full()),
            Some(ErrorCode::NotPermitted)
        );
    }
}

#[test]
fn ranges_must_lie_in_the_export() {
    let size = common::SIZE_BYTES;
    for command in [Command::Read, Command::Cache, Command::BlockStatus] {
        assert_eq!(objection(request(command, size - 1, 1), &full()), None);
        for (offset, length) in [(size - 1, 2), (size, 1), (u64::MAX, 1), (0, 0)] {
            assert_eq!(
                objection(request(command, offset, length), &full()),
                Some(ErrorCode::Invalid)
            );
        }
    }
}

#[test]
fn a_read_of_more_than_32_mib_is_too_large() {
    let long = request(Command::Read, 0, MAX_PAYLOAD_BYTES + 1).check_read_only(u64::MAX, &full());
    assert_eq!(long.unwrap_err().code, ErrorCode::TooLarge);
    assert_eq!(
        request(Command::Read, 0, MAX_PAYLOAD_BYTES).check_read_only(u64::MAX, &full()),
        Ok(())
    );
}

#[test]
fn flags_must_belong_to_their_command() {
    let with = |command, flags| Request {
        flags,
        ..request(command, 0, 512)
    };
    assert_eq!(
        objection(with(Command::Read, CommandFlags::DF), &full()),
        None
    );
    assert_eq!(
        objection(with(Command::BlockStatus, CommandFlags::REQ_ONE), &full()),
        None
    );
    let invalid = Some(ErrorCode::Invalid);
    assert_eq!(
        objection(
            with(Command::Read, CommandFlags::DF),
            &Negotiated::default()
        ),
        invalid
    );
    assert_eq!(
        objection(with(Command::Read, CommandFlags::REQ_ONE), &full()),
        invalid
    );
    assert_eq!(
        objection(
            with(Command::Cache, CommandFlags::from_bits_retain(1 << 15)),
            &full()
        ),
        invalid
    );
}

#[test]
fn block_status_needs_a_context_and_flush_no_range() {
    let invalid = Some(ErrorCode::Invalid);
    assert_eq!(
        objection(
            request(Command::BlockStatus, 0, 512),
            &Negotiated::default()
        ),
        invalid
    );
    assert_eq!(objection(request(Command::Flush, 0, 0), &full()), None);
    assert_eq!(objection(request(Command::Flush, 0, 1), &full()), invalid);
    assert_eq!(
        objection(request(Command::Unknown(99), 0, 0), &full()),
        invalid
    );
}

#[test]
fn replies_have_the_bytes_of_the_protocol() {
    assert_eq!(
        server::simple_reply(COOKIE, Some(ErrorCode::NotPermitted)),
        [
            0x67, 0x44, 0x66, 0x98, 0, 0, 0, 1, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88
        ]
    );
    let header = server::data_header(COOKIE, 0x0102, 0x1000, true);
    assert_eq!(header[..8], [0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1]);
    assert_eq!(header[16..], [0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
    let hole = server::hole_chunk(COOKIE, 0x0102, 0x1000, false);
    assert_eq!(hole[4..8], [0, 0, 0, 2]);
    assert_eq!(
        hole[16..],
        [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0x10, 0]
    );
    assert_eq!(server::done_chunk(COOKIE)[4..8], [0, 1, 0, 0]);
}

/// Everything that a decoder gives out for these bytes, for a read of 4,096 bytes at 65,536.
fn decode(form: ReplyForm, bytes: &[u8]) -> Result<Vec<String>, client::DecodeError> {
    let mut decoder = ReplyDecoder::new(form);
    let mut input = bytes;
    let mut events = Vec::new();
    let asked = |cookie| {
        (cookie == COOKIE).then_some(Outstanding {
            offset: 65_536,
            data_bytes: 4096,
        })
    };
    while let Some(event) = decoder.next_event(&mut input, asked)? {
        events.push(match event {
            Event::Data { offset, bytes, .. } => format!("data {offset}+{}", bytes.len()),
            Event::Hole { offset, length, .. } => format!("hole {offset}+{length}"),
            Event::Extent {
                context, extent, ..
            } => format!("extent {context} {}:{}", extent.length, extent.flags),
            Event::Failed {
                code,
                message,
                offset,
                ..
            } => format!("failed {code:?} {message:?} {offset:?}"),
            Event::Done { .. } => "done".to_owned(),
        });
    }
    Ok(events)
}

#[test]
fn a_structured_reply_of_every_chunk_is_understood() {
    let mut bytes = server::data_header(COOKIE, 65_536, 1024, false).to_vec();
    bytes.extend_from_slice(&[7; 1024]);
    bytes.extend_from_slice(&server::hole_chunk(COOKIE, 65_536 + 1024, 3072, false));
    let extents = [
        Extent {
            length: 10,
            flags: 0,
        },
        Extent {
            length: 20,
            flags: 3,
        },
    ];
    server::block_status_chunk(COOKIE, 5, &extents, false, &mut bytes);
    server::error_chunk(
        COOKIE,
        ErrorCode::InputOutput,
        "worn",
        Some(65_540),
        &mut bytes,
    );
    let events = decode(ReplyForm::Structured, &bytes).unwrap();
    let expected = [
        "data 65536+1024",
        "hole 66560+3072",
        "extent 5 10:0",
        "extent 5 20:3",
        "failed InputOutput \"worn\" Some(65540)",
        "done",
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_simple_reply_carries_data_only_without_an_error() {
    let good = [server::simple_reply(COOKIE, None).as_slice(), &[7; 4096]].concat();
    assert_eq!(
        decode(ReplyForm::Simple, &good).unwrap(),
        ["data 65536+4096", "done"]
    );
    let bad = server::simple_reply(COOKIE, Some(ErrorCode::Shutdown));
    assert_eq!(
        decode(ReplyForm::Simple, &bad).unwrap(),
        ["failed Shutdown \"\" None", "done"]
    );
}

#[test]
fn replies_that_make_no_sense_close_the_connection() {
    use client::DecodeError::{
        MalformedChunk, OutsideRequest, UnknownChunk, UnknownCookie, WrongForm,
    };
    let structured = |bytes: &[u8]| decode(ReplyForm::Structured, bytes).unwrap_err();
    assert_eq!(
        structured(&server::done_chunk(Cookie(9))),
        UnknownCookie(Cookie(9))
    );
    assert_eq!(
        structured(&server::simple_reply(COOKIE, None)),
        WrongForm(COOKIE)
    );
    for (offset, length) in [(65_535, 2), (65_536, 4097), (u64::MAX, 8)] {
        assert_eq!(
            structured(&server::data_header(COOKIE, offset, length, true)),
            OutsideRequest(COOKIE)
        );
        assert_eq!(
            structured(&server::hole_chunk(COOKIE, offset, length, true)),
            OutsideRequest(COOKIE)
        );
    }
    assert!(matches!(
        structured(&server::data_header(COOKIE, 65_536, 0, true)),
        MalformedChunk { .. }
    ));
    assert!(matches!(
        structured(&server::hole_chunk(COOKIE, 65_536, 0, true)),
        MalformedChunk { .. }
    ));
    let mut unknown = server::done_chunk(COOKIE);
    unknown[7] = 9;
    assert!(matches!(
        structured(&unknown),
        UnknownChunk { chunk_type: 9, .. }
    ));
    let mut unfinished = server::done_chunk(COOKIE);
    unfinished[5] = 0;
    assert!(matches!(structured(&unfinished), MalformedChunk { .. }));
    assert!(matches!(
        decode(ReplyForm::Simple, &server::done_chunk(COOKIE)),
        Err(client::DecodeError::BadMagic(_))
    ));
}

#[test]
fn an_unknown_error_chunk_fails_the_request_and_keeps_step() {
    let mut bytes = Vec::new();
    server::error_chunk(COOKIE, ErrorCode::NoSpace, "full", None, &mut bytes);
    bytes[7] = 0x77;
    assert_eq!(
        decode(ReplyForm::Structured, &bytes).unwrap(),
        ["failed NoSpace \"full\" None", "done"]
    );
}

#[test]
fn a_read_is_whole_only_when_every_byte_has_come_once() {
    let mut read = ReadAssembly::new(100, 10);
    read.data(105, b"fghij").unwrap();
    read.data(100, b"ab").unwrap();
    assert_eq!(read.data(101, b"x"), Err(AssembleError::Misplaced));
    assert_eq!(read.data(109, b"xy"), Err(AssembleError::Misplaced));
    assert_eq!(read.data(99, b"x"), Err(AssembleError::Misplaced));
    read.hole(102, 3).unwrap();
    assert_eq!(read.finish().unwrap(), b"ab\0\0\0fghij");

    let mut short = ReadAssembly::new(0, 10);
    short.data(0, b"abc").unwrap();
    assert_eq!(
        short.finish(),
        Err(AssembleError::Incomplete { missing_bytes: 7 })
    );

    let mut failed = ReadAssembly::new(0, 1);
    failed.data(0, b"a").unwrap();
    failed.failed(ErrorCode::InputOutput);
    assert_eq!(
        failed.finish(),
        Err(AssembleError::Failed(ErrorCode::InputOutput))
    );
}
