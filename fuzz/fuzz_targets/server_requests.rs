//! Whatever a client sends after its handshake, the decoder does not panic, holds less than a header, and decodes the same
//! however it arrives; what it decodes is checked without a panic and encodes to what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nbd_proto::server::{Negotiated, RequestDecoder};
use nbd_proto::{MetaContext, REQUEST_BYTES, Request};

fn decode(bytes: &[u8], size: usize) -> (Vec<Request>, Option<String>) {
    let mut decoder = RequestDecoder::new();
    let (mut requests, mut end) = (Vec::new(), None);
    let most = corral_fuzz::in_pieces(bytes, size, |input| {
        loop {
            match decoder.next_request(input) {
                Ok(None) => break true,
                Ok(Some(request)) => requests.push(request),
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
    let decoded = decode(bytes, size);
    assert_eq!(decoded, decode(bytes, usize::MAX));
    let context = MetaContext {
        id: 1,
        name: "base:allocation".to_owned(),
    };
    let structured = Negotiated {
        structured_replies: true,
        contexts: vec![context],
    };
    for request in &decoded.0 {
        for negotiated in [&Negotiated::default(), &structured] {
            if request.check_read_only(1 << 40, negotiated).is_ok() {
                assert!(request.offset + u64::from(request.length) <= 1 << 40);
            }
        }
        assert!(
            bytes
                .windows(REQUEST_BYTES)
                .any(|window| window == request.encode())
        );
    }
});
