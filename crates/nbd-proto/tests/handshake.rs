//! What each side of the handshake says, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{SIZE_BYTES, SIZES, answer, option, reply_types, shake};
use nbd_proto::client::{self, Wanted};
use nbd_proto::server::{AfterRefusal, Event, Handshake, HandshakeError, TlsOffer};
use nbd_proto::{
    MAX_NAME_BYTES, MAX_OPTION_BYTES, MAX_OPTIONS, OptionCode, Refusal, TransmissionFlags,
};

const ACK: u32 = 1;
const INFO: u32 = 3;
const UNSUPPORTED: u32 = 0x8000_0001;
const INVALID: u32 = 0x8000_0003;
const TOO_BIG: u32 = 0x8000_0009;

fn wanted(export: &str) -> Wanted {
    Wanted {
        export: export.to_owned(),
        contexts: vec!["base:allocation".to_owned(), "corral:root/00".to_owned()],
        structured_replies: true,
    }
}

/// A server past the client's flags, which are "fixed newstyle, no zeroes".
fn greeted() -> Handshake {
    let mut output = Vec::new();
    let mut handshake = Handshake::new(&mut output);
    assert_eq!(output, b"NBDMAGICIHAVEOPT\x00\x03");
    assert_eq!(
        handshake.next_event(&mut [0, 0, 0, 3].as_slice(), &mut output),
        Ok(None)
    );
    handshake
}

/// What the server of `common` says to these bytes.
fn said(handshake: &mut Handshake, bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut input = bytes;
    while let Some(event) = handshake.next_event(&mut input, &mut output).unwrap() {
        let _ = answer(handshake, event, &mut output);
    }
    assert!(input.is_empty());
    output
}

fn open_data(export: &str, kinds: &[u16]) -> Vec<u8> {
    let mut data = u32::try_from(export.len()).unwrap().to_be_bytes().to_vec();
    data.extend_from_slice(export.as_bytes());
    data.extend_from_slice(&u16::try_from(kinds.len()).unwrap().to_be_bytes());
    data.extend(
        kinds
            .iter()
            .flat_map(|information| information.to_be_bytes()),
    );
    data
}

fn contexts_data(export: &str, queries: &[&str]) -> Vec<u8> {
    let mut data = u32::try_from(export.len()).unwrap().to_be_bytes().to_vec();
    data.extend_from_slice(export.as_bytes());
    data.extend_from_slice(&u32::try_from(queries.len()).unwrap().to_be_bytes());
    for query in queries {
        data.extend_from_slice(&u32::try_from(query.len()).unwrap().to_be_bytes());
        data.extend_from_slice(query.as_bytes());
    }
    data
}

#[test]
fn both_sides_agree_on_export_contexts_and_sizes() {
    let (client, server) = shake(wanted("debian/1"), &[usize::MAX]);
    let (client, server) = (client.unwrap(), server.unwrap());
    assert_eq!(client.size_bytes, SIZE_BYTES);
    assert_eq!(client.block_sizes, Some(SIZES));
    assert!(client.structured_replies && server.structured_replies);
    assert!(
        client
            .flags
            .contains(TransmissionFlags::HAS_FLAGS | TransmissionFlags::SEND_DF)
    );
    assert_eq!(client.contexts, server.contexts);
    assert_eq!(
        client.contexts.len(),
        1,
        "only the context that the server has is granted"
    );
}

#[test]
fn a_client_that_wants_simple_replies_gets_no_df_and_no_contexts() {
    let (client, server) = shake(
        Wanted {
            structured_replies: false,
            ..wanted("debian/1")
        },
        &[usize::MAX],
    );
    let client = client.unwrap();
    assert!(!client.structured_replies && !server.unwrap().structured_replies);
    assert!(!client.flags.contains(TransmissionFlags::SEND_DF));
    assert!(client.contexts.is_empty());
}

#[test]
fn an_unknown_export_is_refused_with_the_servers_words() {
    let (client, server) = shake(wanted("windows/9"), &[usize::MAX]);
    assert_eq!(server, None);
    assert_eq!(
        client,
        Err(client::HandshakeError::Refused {
            option: OptionCode::Go,
            refusal: Refusal::UnknownExport,
            message: "no such export".to_owned(),
        })
    );
}

#[test]
fn export_name_opens_with_padding_unless_the_client_waived_it() {
    for (flags, length) in [(1_u32, 8 + 2 + 124), (3, 8 + 2)] {
        let mut output = Vec::new();
        let mut handshake = Handshake::new(&mut output);
        output.clear();
        let mut bytes = flags.to_be_bytes().to_vec();
        bytes.extend(option(1, b"debian/1"));
        let mut input = bytes.as_slice();
        let event = handshake
            .next_event(&mut input, &mut output)
            .unwrap()
            .unwrap();
        assert!(answer(&mut handshake, event, &mut output).is_some());
        assert_eq!(output.len(), length);
        assert_eq!(output[..8], SIZE_BYTES.to_be_bytes());
    }
}

#[test]
fn export_name_can_only_be_refused_by_closing() {
    let mut handshake = greeted();
    let mut output = Vec::new();
    let bytes = option(1, b"nothing");
    let event = handshake
        .next_event(&mut bytes.as_slice(), &mut output)
        .unwrap()
        .unwrap();
    let Event::Open(question) = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        handshake.refuse(question, Refusal::UnknownExport, "", &mut output),
        AfterRefusal::Close
    );
    assert!(output.is_empty());
}

#[test]
fn starttls_and_unknown_options_are_unsupported_and_the_handshake_goes_on() {
    let mut handshake = greeted();
    for number in [4, 5, 11, 77, u32::MAX] {
        assert_eq!(
            reply_types(&said(&mut handshake, &option(number, b"whatever"))),
            [UNSUPPORTED]
        );
    }
    assert_eq!(
        reply_types(&said(&mut handshake, &option(3, b""))),
        [2, ACK]
    );
}

#[test]
fn options_that_take_no_data_refuse_data() {
    let mut handshake = greeted();
    for number in [3, 8] {
        assert_eq!(
            reply_types(&said(&mut handshake, &option(number, b"x"))),
            [INVALID]
        );
    }
}

#[test]
fn malformed_requests_for_an_export_are_invalid() {
    let mut handshake = greeted();
    let good = open_data("debian/1", &[3]);
    let mut name_behind_the_end = good.clone();
    name_behind_the_end[3] = 200;
    let mut with_nul = good.clone();
    with_nul[5] = 0;
    let mut no_text = good.clone();
    no_text[5] = 0xff;
    let longer = [good.as_slice(), b"x"].concat();
    for data in [
        &[][..],
        &good[..good.len() - 1],
        &longer,
        &name_behind_the_end,
        &with_nul,
        &no_text,
    ] {
        for number in [6, 7] {
            assert_eq!(
                reply_types(&said(&mut handshake, &option(number, data))),
                [INVALID]
            );
        }
    }
}

#[test]
fn info_describes_without_opening_and_adds_what_was_asked_for() {
    let mut handshake = greeted();
    let short = said(&mut handshake, &option(6, &open_data("debian/1", &[])));
    assert_eq!(reply_types(&short), [INFO, INFO, ACK]);
    let long = said(
        &mut handshake,
        &option(6, &open_data("debian/1", &[1, 2, 3, 99])),
    );
    assert_eq!(reply_types(&long), [INFO, INFO, INFO, INFO, ACK]);
    assert!(long.windows(6).any(|window| window == b"golden"));
}

#[test]
fn contexts_need_structured_replies_first() {
    let mut handshake = greeted();
    let data = contexts_data("debian/1", &["base:allocation"]);
    assert_eq!(
        reply_types(&said(&mut handshake, &option(10, &data))),
        [INVALID]
    );
    assert_eq!(reply_types(&said(&mut handshake, &option(8, b""))), [ACK]);
    assert_eq!(
        reply_types(&said(&mut handshake, &option(10, &data))),
        [4, ACK]
    );
}

#[test]
fn contexts_chosen_for_another_export_do_not_count() {
    for (export, granted) in [("debian/1", 1), ("debian/2", 0)] {
        let mut handshake = greeted();
        said(&mut handshake, &option(8, b""));
        said(
            &mut handshake,
            &option(10, &contexts_data(export, &["base:allocation"])),
        );
        let bytes = option(7, &open_data("debian/1", &[]));
        let mut output = Vec::new();
        let event = handshake
            .next_event(&mut bytes.as_slice(), &mut output)
            .unwrap()
            .unwrap();
        let negotiated = answer(&mut handshake, event, &mut output).unwrap();
        assert_eq!(negotiated.contexts.len(), granted);
    }
}

#[test]
fn a_failed_choice_of_contexts_replaces_the_one_before() {
    let mut handshake = greeted();
    said(&mut handshake, &option(8, b""));
    said(
        &mut handshake,
        &option(10, &contexts_data("debian/1", &["base:allocation"])),
    );
    assert_eq!(
        reply_types(&said(&mut handshake, &option(10, b"\0\0"))),
        [INVALID]
    );
    let bytes = option(7, &open_data("debian/1", &[]));
    let mut output = Vec::new();
    let event = handshake
        .next_event(&mut bytes.as_slice(), &mut output)
        .unwrap()
        .unwrap();
    assert!(
        answer(&mut handshake, event, &mut output)
            .unwrap()
            .contexts
            .is_empty()
    );
}

#[test]
fn abort_is_acknowledged_and_ends_the_handshake() {
    let mut handshake = greeted();
    let mut output = Vec::new();
    let bytes = [option(2, b"ignored"), option(3, b"")].concat();
    let mut input = bytes.as_slice();
    assert_eq!(
        handshake.next_event(&mut input, &mut output),
        Ok(Some(Event::Abort))
    );
    assert_eq!(reply_types(&output), [ACK]);
    assert_eq!(handshake.next_event(&mut input, &mut output), Ok(None));
    assert!(!input.is_empty(), "nothing behind an abort is looked at");
}

#[test]
fn an_over_long_option_is_skipped_without_being_held() {
    let mut handshake = greeted();
    let bytes = option(7, &vec![7; MAX_OPTION_BYTES + 1]);
    let mut output = Vec::new();
    let held = common::in_pieces(&bytes, &[1000], |input| {
        assert_eq!(handshake.next_event(input, &mut output), Ok(None));
        assert!(input.len() < 16);
    });
    assert!(held.is_empty());
    assert_eq!(reply_types(&output), [TOO_BIG]);
    assert_eq!(reply_types(&said(&mut handshake, &option(8, b""))), [ACK]);
}

#[test]
fn a_client_cannot_make_the_server_skip_for_ever() {
    let mut handshake = greeted();
    let mut header = option(7, b"");
    header[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(
        handshake.next_event(&mut header.as_slice(), &mut Vec::new()),
        Err(HandshakeError::TooLong)
    );
}

#[test]
fn a_client_cannot_haggle_for_ever() {
    let mut handshake = greeted();
    let bytes = option(99, b"").repeat(usize::try_from(MAX_OPTIONS).unwrap() + 1);
    let mut input = bytes.as_slice();
    assert_eq!(
        handshake.next_event(&mut input, &mut Vec::new()),
        Err(HandshakeError::TooManyOptions)
    );
}

#[test]
fn garbage_is_refused_as_soon_as_it_can_be_told() {
    let mut handshake = Handshake::new(&mut Vec::new());
    let mut input = b"GET / HTTP/1.1\r\n".as_slice();
    let error = handshake.next_event(&mut input, &mut Vec::new());
    assert_eq!(error, Err(HandshakeError::UnknownClientFlags(0x4745_5420)));

    let mut input = b"GARBAGE!".as_slice();
    assert!(matches!(
        greeted().next_event(&mut input, &mut Vec::new()),
        Err(HandshakeError::BadMagic(_))
    ));
}

#[test]
fn a_client_without_fixed_newstyle_may_only_open() {
    let mut handshake = Handshake::new(&mut Vec::new());
    let bytes = [0_u32.to_be_bytes().to_vec(), option(3, b"")].concat();
    let error = handshake.next_event(&mut bytes.as_slice(), &mut Vec::new());
    assert_eq!(
        error,
        Err(HandshakeError::NotFixedNewstyle(OptionCode::List))
    );
}

#[test]
fn an_export_name_that_is_too_long_closes() {
    let bytes = option(1, &vec![b'a'; MAX_NAME_BYTES + 1]);
    let error = greeted().next_event(&mut bytes.as_slice(), &mut Vec::new());
    assert_eq!(
        error,
        Err(HandshakeError::BadExportName {
            length_bytes: MAX_NAME_BYTES + 1
        })
    );
}

#[test]
fn a_client_tells_what_is_no_nbd_server() {
    let mut handshake = client::Handshake::new(wanted("x")).unwrap();
    let error = handshake.advance(&mut b"SSH-2.0-OpenSSH_9.2".as_slice(), &mut Vec::new());
    assert!(matches!(error, Err(client::HandshakeError::NotNbd(_))));

    let mut handshake = client::Handshake::new(wanted("x")).unwrap();
    let oldstyle = [
        b"NBDMAGIC".as_slice(),
        &0x0000_4202_8186_1253_u64.to_be_bytes(),
    ]
    .concat();
    let error = handshake.advance(&mut oldstyle.as_slice(), &mut Vec::new());
    assert_eq!(error, Err(client::HandshakeError::NotFixedNewstyle));
}

#[test]
fn a_client_does_without_structured_replies_if_it_must() {
    let mut handshake = client::Handshake::new(wanted("debian/1")).unwrap();
    let mut output = Vec::new();
    assert_eq!(
        handshake.advance(&mut b"NBDMAGICIHAVEOPT\x00\x03".as_slice(), &mut output),
        Ok(None)
    );
    output.clear();
    let mut refusal = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
    for field in [8, UNSUPPORTED, 0] {
        refusal.extend_from_slice(&field.to_be_bytes());
    }
    assert_eq!(
        handshake.advance(&mut refusal.as_slice(), &mut output),
        Ok(None)
    );
    assert_eq!(
        output[8..12],
        7_u32.to_be_bytes(),
        "it asks for the export next"
    );
}

#[test]
fn a_client_takes_a_shutdown_at_any_option_for_a_farewell() {
    let mut handshake = client::Handshake::new(wanted("debian/1")).unwrap();
    let mut output = Vec::new();
    assert_eq!(
        handshake.advance(&mut b"NBDMAGICIHAVEOPT\x00\x03".as_slice(), &mut output),
        Ok(None)
    );
    output.clear();
    let mut refusal = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
    for field in [8, Refusal::Shutdown.number(), 0] {
        refusal.extend_from_slice(&field.to_be_bytes());
    }
    let error = handshake
        .advance(&mut refusal.as_slice(), &mut output)
        .unwrap_err();
    assert!(matches!(
        error,
        client::HandshakeError::Refused {
            refusal: Refusal::Shutdown,
            ..
        }
    ));
    assert_eq!(output[8..12], 2_u32.to_be_bytes(), "it says goodbye");
}

const STARTTLS: u32 = 5;
const TLS_REQUIRED: u32 = 0x8000_0005;

#[test]
fn nothing_is_said_in_the_clear_where_tls_is_required() {
    let mut handshake = greeted();
    handshake.offer_tls(TlsOffer::Required);
    for number in [3, 6, 7, 8, 9, 10, 77] {
        let replies = said(&mut handshake, &option(number, &open_data("debian/1", &[])));
        assert_eq!(reply_types(&replies), [TLS_REQUIRED], "option {number}");
    }
    let mut output = Vec::new();
    let export_name = option(1, b"debian/1");
    assert_eq!(
        handshake.next_event(&mut export_name.as_slice(), &mut output),
        Err(HandshakeError::NotSecured)
    );
    // Giving up is allowed.
    let mut handshake = greeted();
    handshake.offer_tls(TlsOffer::Required);
    assert_eq!(
        handshake.next_event(&mut option(2, b"").as_slice(), &mut output),
        Ok(Some(Event::Abort))
    );
}

#[test]
fn what_follows_the_wish_for_tls_is_left_to_tls_and_what_went_before_is_forgotten() {
    let mut handshake = greeted();
    handshake.offer_tls(TlsOffer::Optional);
    assert_eq!(
        reply_types(&said(&mut handshake, &option(STARTTLS, b"data"))),
        [INVALID]
    );
    assert_eq!(reply_types(&said(&mut handshake, &option(8, b""))), [ACK]);
    // Somebody between appends an option of their own.
    let injected = [option(STARTTLS, b""), option(3, b"")].concat();
    let (mut input, mut output) = (injected.as_slice(), Vec::new());
    assert_eq!(
        handshake.next_event(&mut input, &mut output),
        Ok(Some(Event::StartTls))
    );
    assert_eq!(reply_types(&output), [ACK]);
    assert_eq!(handshake.next_event(&mut input, &mut output), Ok(None));
    assert_eq!(input, option(3, b""));
    handshake.secured();
    // Contexts need structured replies, which were agreed on before TLS only.
    assert_eq!(
        reply_types(&said(&mut handshake, &option(10, b"\0\0\0\0\0\0\0\0"))),
        [INVALID]
    );
    assert_eq!(
        reply_types(&said(&mut handshake, &option(STARTTLS, b""))),
        [INVALID]
    );
}

#[test]
fn a_client_that_demands_tls_says_nothing_else_before_it() {
    let demanding = || {
        client::Handshake::new(wanted("secret"))
            .unwrap()
            .under_tls()
    };
    let greeting = b"NBDMAGICIHAVEOPT\x00\x03";
    let reply = |kind: u32| {
        let mut bytes = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
        for number in [STARTTLS, kind, 0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    };
    for refusal in [UNSUPPORTED, INVALID, TLS_REQUIRED] {
        let (mut client, mut output) = (demanding(), Vec::new());
        let heard = [greeting.as_slice(), &reply(refusal)].concat();
        let error = client.advance(&mut heard.as_slice(), &mut output);
        assert!(matches!(
            error,
            Err(client::HandshakeError::Refused {
                option: OptionCode::StartTls,
                ..
            })
        ));
        let farewell = [option(STARTTLS, b""), option(2, b"")].concat();
        assert_eq!(output.get(4..), Some(farewell.as_slice()));
    }
    let (mut client, mut output) = (demanding(), Vec::new());
    let heard = [greeting.as_slice(), &reply(ACK), b"injected"].concat();
    let mut input = heard.as_slice();
    assert_eq!(client.advance(&mut input, &mut output), Ok(None));
    assert!(client.awaits_tls());
    assert_eq!(input, b"injected");
    output.clear();
    client.secured(&mut output);
    assert!(!client.awaits_tls());
    assert_eq!(output, option(8, b""));
}
