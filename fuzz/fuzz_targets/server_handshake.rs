//! Whatever a client sends in a handshake, the server does not panic, holds little, and says the same however it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nbd_proto::server::{Event, ExportFacts, Handshake, Negotiated, TlsOffer};
use nbd_proto::{BlockSizes, MAX_OPTION_BYTES, MetaContext, Refusal, TransmissionFlags};

fn answer(handshake: &mut Handshake, event: Event, output: &mut Vec<u8>) -> Option<Negotiated> {
    match event {
        Event::Open(question) if question.export().len() % 2 == 0 => {
            let facts = ExportFacts {
                name: "debian/1",
                description: "an export",
                size_bytes: 1 << 30,
                flags: TransmissionFlags::READ_ONLY,
                block_sizes: BlockSizes {
                    minimum: 1,
                    preferred: 4096,
                    maximum_payload: 1 << 25,
                },
            };
            handshake.accept(question, &facts, output)
        }
        Event::Open(question) => {
            let _ = handshake.refuse(question, Refusal::UnknownExport, "none", output);
            None
        }
        Event::List(question) => {
            handshake.list(question, ["debian/1", "debian/2"], output);
            None
        }
        Event::Contexts(question) => {
            let names = question
                .queries()
                .iter()
                .filter(|query| query.contains(':'))
                .cloned();
            let contexts = names
                .zip(1..)
                .map(|(name, id)| MetaContext { id, name })
                .collect();
            handshake.contexts(question, contexts, output);
            None
        }
        Event::StartTls => {
            handshake.secured();
            None
        }
        Event::Abort => None,
    }
}

/// Everything the server said, how it ended, and how much had to be held.
fn converse(bytes: &[u8], size: usize) -> (Vec<u8>, String, usize) {
    let mut output = Vec::new();
    let mut handshake = Handshake::new(&mut output);
    handshake.offer_tls(TlsOffer::Optional);
    let mut end = String::new();
    let most = corral_fuzz::in_pieces(bytes, size, |input| {
        loop {
            match handshake.next_event(input, &mut output) {
                Ok(None) => break true,
                Ok(Some(event)) => {
                    if let Some(negotiated) = answer(&mut handshake, event, &mut output) {
                        end = format!("{negotiated:?}");
                        break false;
                    }
                }
                Err(error) => {
                    end = error.to_string();
                    break false;
                }
            }
        }
    });
    (output, end, most)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = corral_fuzz::cut(data) else {
        return;
    };
    let (output, end, most) = converse(bytes, size);
    let (at_once, end_at_once, _) = converse(bytes, usize::MAX);
    assert_eq!(output, at_once);
    assert_eq!(end, end_at_once);
    // After an abort nothing is taken any more, and the connection is closed.
    if !end.is_empty() {
        assert!(most <= MAX_OPTION_BYTES + 16 + size);
    }
});
