//! A kernel, and workers that die at any byte.

use nbd_proto::server::simple_reply;
use nbd_proto::{Cookie, ErrorCode, Request};

use super::*;

const HELLO: Hello = Hello {
    size_bytes: 1 << 20,
    is_writable: true,
};

fn disk(offset: u64, length: u32) -> Vec<u8> {
    (offset..offset + u64::from(length))
        .map(|at| (at % 251) as u8)
        .collect()
}

fn answer(cookie: u64, offset: u64, length: u32) -> Vec<u8> {
    [
        simple_reply(Cookie(cookie), None).to_vec(),
        disk(offset, length),
    ]
    .concat()
}

fn drain(bytes: &mut VecDeque<u8>) -> Vec<u8> {
    bytes.drain(..).collect()
}

fn started() -> Relay {
    let mut relay = Relay::new(HELLO);
    relay.take_answers(&HELLO.to_bytes()).unwrap();
    relay
}

#[test]
fn copies_requests_and_answers_however_they_are_cut() {
    let mut relay = started();
    let requests = [
        Request::read(Cookie(7), 0, 600).encode(),
        Request::read(Cookie(8), 4096, 512).encode(),
    ]
    .concat();
    for byte in &requests {
        relay.take_requests(&[*byte]).unwrap();
    }
    assert_eq!(drain(&mut relay.to_worker), requests);
    let answers = [answer(8, 4096, 512), answer(7, 0, 600)].concat();
    for byte in &answers {
        relay.take_answers(&[*byte]).unwrap();
    }
    assert_eq!(drain(&mut relay.to_kernel), answers);
    assert_eq!(relay.unanswered(), 0);
}

/// The kernel must see one whole answer to each request, wherever the worker's stream breaks off.
#[test]
fn a_worker_may_die_at_any_byte_of_its_answers() {
    let requests = [(1, 0, 300), (2, 1000, 200), (3, 5000, 100)];
    let answers = requests
        .map(|(cookie, offset, length)| answer(cookie, offset, length))
        .concat();
    for cut in 0..answers.len() {
        let mut relay = started();
        for (cookie, offset, length) in requests {
            relay
                .take_requests(&Request::read(Cookie(cookie), offset, length).encode())
                .unwrap();
        }
        relay.take_answers(&answers[..cut]).unwrap();
        relay.worker_lost();
        let mut seen = drain(&mut relay.to_kernel);
        relay.take_answers(&HELLO.to_bytes()).unwrap();
        // The next worker answers what it is asked, last asked first.
        while relay.unanswered() > 0 {
            let asked = drain(&mut relay.to_worker);
            assert!(
                !asked.is_empty(),
                "cut at {cut}: nothing is asked, {} unanswered",
                relay.unanswered()
            );
            for request in asked.chunks(REQUEST_BYTES).rev() {
                let offset = u64::from_be_bytes(request[16..24].try_into().unwrap());
                relay
                    .take_answers(&answer(cookie(request), offset, number(request, 24)))
                    .unwrap();
            }
        }
        seen.extend(drain(&mut relay.to_kernel));
        let mut rest = seen.as_slice();
        let mut answered = Vec::new();
        while !rest.is_empty() {
            let (cookie, offset, length) = *requests
                .iter()
                .find(|(cookie, ..)| rest[8..16] == cookie.to_be_bytes())
                .unwrap();
            let expected = answer(cookie, offset, length);
            assert_eq!(rest[..expected.len()], expected, "cut at {cut}");
            answered.push(cookie);
            rest = &rest[expected.len()..];
        }
        answered.sort_unstable();
        assert_eq!(answered, [1, 2, 3], "cut at {cut}");
    }
}

#[test]
fn an_error_after_a_good_beginning_is_asked_again() {
    let mut relay = started();
    let request = Request::read(Cookie(5), 0, 100).encode();
    relay.take_requests(&request).unwrap();
    relay.take_answers(&answer(5, 0, 100)[..50]).unwrap();
    relay.worker_lost();
    drain(&mut relay.to_worker);
    relay.take_answers(&HELLO.to_bytes()).unwrap();
    relay
        .take_answers(&simple_reply(Cookie(5), Some(ErrorCode::InputOutput)))
        .unwrap();
    assert_eq!(drain(&mut relay.to_worker), request);
    relay.take_answers(&answer(5, 0, 100)).unwrap();
    assert_eq!(drain(&mut relay.to_kernel), answer(5, 0, 100));
}

#[test]
fn an_error_is_passed_on() {
    let mut relay = started();
    relay
        .take_requests(&Request::read(Cookie(5), 0, 100).encode())
        .unwrap();
    let error = simple_reply(Cookie(5), Some(ErrorCode::InputOutput));
    relay.take_answers(&error).unwrap();
    assert_eq!(drain(&mut relay.to_kernel), error);
    assert_eq!(relay.unanswered(), 0);
}

#[test]
fn refuses_what_is_out_of_step() {
    assert_eq!(
        started().take_requests(&[0; REQUEST_BYTES]),
        Err(RelayError::Kernel)
    );
    assert_eq!(
        started().take_answers(&answer(5, 0, 100)),
        Err(RelayError::Worker)
    );
    assert_eq!(
        Relay::new(HELLO).take_answers(
            &Hello {
                is_writable: false,
                ..HELLO
            }
            .to_bytes()
        ),
        Err(RelayError::OtherDisk)
    );
}

fn write(cookie: u64, payload: &[u8]) -> Vec<u8> {
    let request = Request {
        cookie: Cookie(cookie),
        command: nbd_proto::Command::Write,
        flags: nbd_proto::CommandFlags::FUA,
        offset: 4096,
        length: u32::try_from(payload.len()).unwrap(),
    };
    [request.encode().as_slice(), payload].concat()
}

#[test]
fn a_write_goes_to_the_next_worker_with_its_payload_wherever_the_first_one_dies() {
    let requests = [
        write(1, &[7; 700]),
        Request::read(Cookie(2), 0, 16).encode().to_vec(),
        write(3, &[9; 300]),
    ]
    .concat();
    for cut in 0..=requests.len() {
        let mut relay = started();
        relay.take_requests(&requests[..cut]).unwrap();
        relay.worker_lost();
        relay.take_answers(&HELLO.to_bytes()).unwrap();
        for byte in &requests[cut..] {
            relay.take_requests(&[*byte]).unwrap();
        }
        assert_eq!(drain(&mut relay.to_worker), requests, "cut at {cut}");
        for answer in [
            simple_reply(Cookie(3), None).to_vec(),
            answer(2, 0, 16),
            simple_reply(Cookie(1), None).to_vec(),
        ] {
            relay.take_answers(&answer).unwrap();
        }
        assert_eq!(relay.unanswered(), 0);
    }
}

#[test]
fn hears_the_farewell() {
    let mut relay = started();
    relay
        .take_requests(&Request::disconnect().encode())
        .unwrap();
    assert!(relay.is_disconnected());
}
