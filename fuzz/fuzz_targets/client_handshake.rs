//! Whatever a server says in a handshake, the client does not panic, holds little, and answers the same however it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nbd_proto::MAX_OPTION_BYTES;
use nbd_proto::client::{Handshake, Wanted};

fn converse(bytes: &[u8], size: usize) -> (Vec<u8>, String) {
    let wanted = Wanted {
        export: "debian/1".to_owned(),
        contexts: vec!["base:allocation".to_owned(), "corral:root/00".to_owned()],
        structured_replies: true,
    };
    let Ok(mut handshake) = Handshake::new(wanted) else {
        unreachable!("these names fit")
    };
    let (mut output, mut end) = (Vec::new(), String::new());
    let most = corral_fuzz::in_pieces(bytes, size, |input| {
        match handshake.advance(input, &mut output) {
            Ok(None) => true,
            Ok(Some(negotiated)) => {
                end = format!("{negotiated:?}");
                false
            }
            Err(error) => {
                end = error.to_string();
                false
            }
        }
    });
    if end.is_empty() {
        assert!(most <= MAX_OPTION_BYTES + 20 + size);
    }
    (output, end)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = corral_fuzz::cut(data) else {
        return;
    };
    assert_eq!(converse(bytes, size), converse(bytes, bytes.len()));
});
