//! However the bytes are cut, the events are the same; what is encoded is what is decoded; nothing panics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use nbd_proto::client::{self, Outstanding, ReadAssembly, ReplyDecoder, ReplyForm, Wanted};
use nbd_proto::server::{self, Possible, RequestDecoder};
use nbd_proto::{Command, CommandFlags, Cookie, ErrorCode, Extent, Request};
use proptest::prelude::*;

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = (
        any::<u64>(),
        0_u16..12,
        any::<u16>(),
        any::<u64>(),
        0_u32..4096,
    )
        .prop_map(|(cookie, command, flags, offset, length)| Request {
            cookie: Cookie(cookie),
            command: Command::from_number(command),
            flags: CommandFlags::from_bits_retain(flags),
            offset,
            length,
        });
    prop::collection::vec(request, 1..20)
}

#[derive(Clone, Debug)]
enum Chunk {
    Data(Vec<u8>),
    Hole(u32),
    Status(u32, Vec<(u32, u32)>),
    Error(u32, String, Option<u64>),
}

fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
    let chunk = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..3000).prop_map(Chunk::Data),
        (1_u32..100_000).prop_map(Chunk::Hole),
        (
            any::<u32>(),
            prop::collection::vec((1..u32::MAX, any::<u32>()), 1..9)
        )
            .prop_map(|(id, e)| Chunk::Status(id, e)),
        (1_u32..130, "[a-zé ]{0,40}", any::<Option<u64>>())
            .prop_map(|(code, text, at)| Chunk::Error(code, text, at)),
    ];
    prop::collection::vec(chunk, 1..12)
}

/// One reply made of these chunks, and what a client must hear; data runs as one piece.
fn encode(chunks: &[Chunk]) -> (Vec<u8>, Vec<String>) {
    let (cookie, mut offset) = (Cookie(7), 0_u64);
    let (mut bytes, mut heard) = (Vec::new(), Vec::new());
    for chunk in chunks {
        match chunk {
            Chunk::Data(data) => {
                let length = u32::try_from(data.len()).unwrap();
                bytes.extend_from_slice(&server::data_header(cookie, offset, length, false));
                bytes.extend_from_slice(data);
                heard.extend(
                    data.iter()
                        .zip(offset..)
                        .map(|(byte, at)| format!("{at}={byte}")),
                );
                offset += u64::from(length);
            }
            Chunk::Hole(length) => {
                bytes.extend_from_slice(&server::hole_chunk(cookie, offset, *length, false));
                heard.push(format!("hole {offset}+{length}"));
                offset += u64::from(*length);
            }
            Chunk::Status(context, extents) => {
                let extents: Vec<_> = extents
                    .iter()
                    .map(|(length, flags)| Extent {
                        length: *length,
                        flags: *flags,
                    })
                    .collect();
                server::block_status_chunk(cookie, *context, &extents, false, &mut bytes);
                heard.extend(extents.iter().map(|extent| format!("{context} {extent:?}")));
            }
            Chunk::Error(code, message, at) => {
                let code = ErrorCode::from_number(*code);
                let start = bytes.len();
                server::error_chunk(cookie, code, message, *at, &mut bytes);
                bytes[start + 5] = 0; // more follows
                heard.push(format!("{code:?} {message} {at:?}"));
            }
        }
    }
    bytes.extend_from_slice(&server::done_chunk(cookie));
    heard.push("done".to_owned());
    (bytes, heard)
}

proptest! {
    #[test]
    fn requests_survive_the_wire_however_it_cuts(requests in requests(), sizes in prop::collection::vec(1_usize..200, 1..9)) {
        let mut bytes = Vec::new();
        for request in &requests {
            bytes.extend_from_slice(&request.encode());
            if request.command == Command::Write {
                bytes.extend(std::iter::repeat_n(0xa5, usize::try_from(request.length).unwrap()));
            }
        }
        for keeps in [false, true] {
            let mut decoder = if keeps { RequestDecoder::keeping_payloads() } else { RequestDecoder::new() };
            let mut decoded = Vec::new();
            let held = common::in_pieces(&bytes, &sizes, |input| {
                while let Some(received) = decoder.next_request(input).unwrap() {
                    let has_payload = keeps && received.request.command == Command::Write;
                    let expected = if has_payload { received.request.length } else { 0 };
                    assert_eq!(received.payload, vec![0xa5; usize::try_from(expected).unwrap()]);
                    decoded.push(received.request);
                }
                assert!(input.len() < nbd_proto::REQUEST_BYTES, "a payload is not left to the caller");
            });
            prop_assert!(held.is_empty());
            prop_assert!(!decoder.is_within_payload());
            prop_assert_eq!(&decoded, &requests);
        }
    }

    #[test]
    fn what_is_let_through_lies_in_the_export_and_needs_nothing_that_was_not_offered(
        requests in requests(),
        size_bytes in 0_u64..10_000,
        structured_replies in any::<bool>(),
        possible in prop_oneof![Just(Possible::Reading), Just(Possible::Writing)],
    ) {
        let negotiated = server::Negotiated { structured_replies, contexts: Vec::new() };
        for request in requests {
            let request = Request { offset: request.offset % 12_000, flags: request.flags & CommandFlags::from_bits_retain(0x1f), ..request };
            let is_let_through = request.check(possible, size_bytes, &negotiated).is_ok();
            if is_let_through {
                prop_assert!(request.offset + u64::from(request.length) <= size_bytes);
                prop_assert!(possible == Possible::Writing || !request.command.is_change());
                prop_assert!(possible == Possible::Writing || !request.flags.contains(CommandFlags::FUA));
                let for_zeroes = CommandFlags::NO_HOLE | CommandFlags::FAST_ZERO;
                prop_assert!(request.command == Command::WriteZeroes || !request.flags.intersects(for_zeroes));
            }
            if request.check_read_only(size_bytes, &negotiated).is_ok() {
                prop_assert!(request.check(Possible::Writing, size_bytes, &negotiated).is_ok());
            }
        }
    }

    #[test]
    fn replies_survive_the_wire_however_it_cuts(chunks in chunks(), sizes in prop::collection::vec(1_usize..200, 1..9)) {
        let (bytes, expected) = encode(&chunks);
        let mut decoder = ReplyDecoder::new(ReplyForm::Structured);
        let mut heard = Vec::new();
        let asked = |_| Some(Outstanding { offset: 0, data_bytes: u32::MAX });
        let held = common::in_pieces(&bytes, &sizes, |input| {
            while let Some(event) = decoder.next_event(input, asked).unwrap() {
                match event {
                    client::Event::Data { offset, bytes, .. } => {
                        heard.extend(bytes.iter().zip(offset..).map(|(byte, at)| format!("{at}={byte}")));
                    }
                    client::Event::Hole { offset, length, .. } => heard.push(format!("hole {offset}+{length}")),
                    client::Event::Extent { context, extent, .. } => heard.push(format!("{context} {extent:?}")),
                    client::Event::Failed { code, message, offset, .. } => heard.push(format!("{code:?} {message} {offset:?}")),
                    client::Event::Done { .. } => heard.push("done".to_owned()),
                }
            }
        });
        prop_assert!(held.is_empty());
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn handshakes_end_the_same_however_the_wire_cuts(
        known in any::<bool>(),
        structured_replies in any::<bool>(),
        contexts in prop::collection::vec("(base:allocation|x-[a-z]:[a-z]{0,9})", 0..4),
        sizes in prop::collection::vec(1_usize..40, 1..9),
    ) {
        let export = if known { "debian/1" } else { "debian/2" }.to_owned();
        let wanted = Wanted { export, contexts, structured_replies };
        prop_assert_eq!(common::shake(wanted.clone(), &sizes), common::shake(wanted, &[usize::MAX]));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), valid in 0_usize..5) {
        let mut output = Vec::new();
        let mut handshake = server::Handshake::new(&mut output);
        let mut stream = 3_u32.to_be_bytes().to_vec();
        stream.extend(common::option(8, b"").repeat(valid));
        stream.extend_from_slice(&bytes);
        let mut input = stream.as_slice();
        while let Ok(Some(event)) = handshake.next_event(&mut input, &mut output) {
            let _ = common::answer(&mut handshake, event, &mut output);
        }
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = RequestDecoder::new().next_request(&mut input) {}
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = RequestDecoder::keeping_payloads().next_request(&mut input) {}
    }

    #[test]
    fn an_assembled_read_is_what_was_sent_in_any_order(
        data in prop::collection::vec(any::<u8>(), 1..500),
        cuts in prop::collection::vec(0_usize..500, 0..6),
        order in any::<u64>(),
    ) {
        let mut edges: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).chain([0, data.len()]).collect();
        edges.sort_unstable();
        let mut pieces: Vec<(usize, &[u8])> = edges.windows(2).map(|pair| (pair[0], &data[pair[0]..pair[1]])).collect();
        let turn = usize::try_from(order % 7).unwrap() % pieces.len();
        pieces.rotate_left(turn);
        let mut read = ReadAssembly::new(1000, u32::try_from(data.len()).unwrap());
        for (at, piece) in pieces.into_iter().filter(|(_, piece)| !piece.is_empty()) {
            read.data(1000 + u64::try_from(at).unwrap(), piece).unwrap();
        }
        prop_assert_eq!(read.finish().unwrap(), data);
    }
}
