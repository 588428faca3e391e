//! Whatever a client sends after its handshake, the decoder does not panic, holds less than a header, and decodes the same
//! however it arrives; what it decodes is checked without a panic and encodes to what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nbd_proto::server::{Negotiated, Possible, Received, RequestDecoder};
use nbd_proto::{Command, MAX_PAYLOAD_BYTES, MetaContext, REQUEST_BYTES};

fn decode(bytes: &[u8], size: usize, keeps: bool) -> (Vec<Received>, Option<String>) {
    let mut decoder = if keeps {
        RequestDecoder::keeping_payloads()
    } else {
        RequestDecoder::new()
    };
    let (mut requests, mut end) = (Vec::new(), None);
    let most = corral_fuzz::in_pieces(bytes, size, |input| {
        loop {
            match decoder.next_request(input) {
                Ok(None) => break true,
                Ok(Some(received)) => requests.push(received),
                Err(error) => {
                    end = Some(error.to_string());
                    break false;
                }
            }
        }
    });
    assert!(end.is_some() || most < REQUEST_BYTES);
    (requests, end)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = corral_fuzz::cut(data) else {
        return;
    };
    let thrown_away = decode(bytes, size, false);
    let kept = decode(bytes, size, true);
    assert_eq!(thrown_away, decode(bytes, usize::MAX, false));
    assert_eq!(kept, decode(bytes, usize::MAX, true));
    // Whether payloads are kept changes nothing else.
    let requests =
        |received: &[Received]| received.iter().map(|one| one.request).collect::<Vec<_>>();
    assert_eq!(requests(&thrown_away.0), requests(&kept.0));
    assert_eq!(thrown_away.1, kept.1);
    assert!(
        thrown_away
            .0
            .iter()
            .all(|received| received.payload.is_empty())
    );
    let context = MetaContext {
        id: 1,
        name: "base:allocation".to_owned(),
    };
    let structured = Negotiated {
        structured_replies: true,
        contexts: vec![context],
    };
    for Received { request, payload } in &kept.0 {
        let announced = if request.command == Command::Write {
            request.length
        } else {
            0
        };
        assert!(announced <= MAX_PAYLOAD_BYTES);
        assert_eq!(payload.len(), announced as usize);
        assert!(payload.is_empty() || bytes.windows(payload.len()).any(|window| window == payload));
        for negotiated in [&Negotiated::default(), &structured] {
            for possible in [Possible::Reading, Possible::Writing] {
                if request.check(possible, 1 << 40, negotiated).is_ok() {
                    assert!(request.offset + u64::from(request.length) <= 1 << 40);
                    assert!(possible == Possible::Writing || !request.command.is_change());
                }
            }
        }
        assert!(
            bytes
                .windows(REQUEST_BYTES)
                .any(|window| window == request.encode())
        );
    }
});
