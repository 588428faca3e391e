//! Whatever a server replies, the client's decoder does not panic, holds little, gives out nothing that was not asked for,
//! and gives out the same however it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nbd_proto::client::{Event, Outstanding, ReadAssembly, ReplyDecoder, ReplyForm};
use nbd_proto::{Cookie, MAX_ERROR_PAYLOAD_BYTES};

/// What is asked is told by the cookie, so that the fuzzer can reach reads and other requests.
fn asked(cookie: Cookie) -> Option<Outstanding> {
    match cookie.0 % 16 {
        0 => None,
        1..=4 => Some(Outstanding {
            offset: 0,
            data_bytes: 0,
        }),
        5 => Some(Outstanding {
            offset: 65_536,
            data_bytes: 4096,
        }),
        _ => Some(Outstanding {
            offset: 0,
            data_bytes: 1 << 20,
        }),
    }
}

fn decode(bytes: &[u8], size: usize, form: ReplyForm) -> Vec<String> {
    let mut decoder = ReplyDecoder::new(form);
    let mut heard: Vec<String> = Vec::new();
    let mut data: Option<(Cookie, u64, Vec<u8>)> = None;
    let mut read = ReadAssembly::new(0, 1 << 20);
    let most = corral_fuzz::in_pieces(bytes, size, |input| {
        loop {
            match decoder.next_event(input, asked) {
                Ok(None) => break true,
                Ok(Some(Event::Data {
                    cookie,
                    offset,
                    bytes,
                })) => {
                    let within = asked(cookie).is_some_and(|asked| {
                        asked.offset <= offset
                            && offset + bytes.len() as u64
                                <= asked.offset + u64::from(asked.data_bytes)
                    });
                    assert!(within);
                    let _ = read.data(offset, bytes);
                    // Pieces that follow each other are one piece.
                    match &mut data {
                        Some((known, start, held))
                            if *known == cookie && *start + held.len() as u64 == offset =>
                        {
                            held.extend_from_slice(bytes);
                        }
                        _ => {
                            heard.extend(data.take().map(|data| format!("{data:?}")));
                            data = Some((cookie, offset, bytes.to_vec()));
                        }
                    }
                }
                Ok(Some(event)) => {
                    if let Event::Hole { offset, length, .. } = event {
                        let _ = read.hole(offset, length);
                    }
                    heard.extend(data.take().map(|data| format!("{data:?}")));
                    heard.push(format!("{event:?}"));
                }
                Err(error) => {
                    heard.extend(data.take().map(|data| format!("{data:?}")));
                    heard.push(error.to_string());
                    break false;
                }
            }
        }
    });
    heard.extend(data.take().map(|data| format!("{data:?}")));
    assert!(most <= MAX_ERROR_PAYLOAD_BYTES as usize + 20 + size);
    let _ = read.finish();
    heard
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = corral_fuzz::cut(data) else {
        return;
    };
    let form = if size % 2 == 0 {
        ReplyForm::Simple
    } else {
        ReplyForm::Structured
    };
    assert_eq!(
        decode(bytes, size, form),
        decode(bytes, bytes.len().max(1), form)
    );
});
