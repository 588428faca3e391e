//! Both halves talking to each other in memory, over a wire that hands bytes on in pieces of any size.
#![allow(dead_code, reason = "each test binary uses its own part")]

use nbd_proto::server::{Event, ExportFacts};
use nbd_proto::{BlockSizes, MetaContext, Refusal, TransmissionFlags, client, server};

pub(crate) const SIZE_BYTES: u64 = 3 * 65_536 + 17;
pub(crate) const SIZES: BlockSizes = BlockSizes {
    minimum: 1,
    preferred: 65_536,
    maximum_payload: 32 << 20,
};

pub(crate) fn facts() -> ExportFacts<'static> {
    ExportFacts {
        name: "debian/1",
        description: "golden",
        size_bytes: SIZE_BYTES,
        flags: TransmissionFlags::READ_ONLY | TransmissionFlags::CAN_MULTI_CONN,
        block_sizes: SIZES,
    }
}

/// Hands out `bytes` in pieces whose sizes go round `sizes`; the receiver keeps what it did not take.
pub(crate) fn in_pieces(
    bytes: &[u8],
    sizes: &[usize],
    mut receive: impl FnMut(&mut &[u8]),
) -> Vec<u8> {
    let mut held = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().filter(|size| *size > 0).cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(1).min(rest.len());
        let (piece, behind) = rest.split_at(size);
        rest = behind;
        held.extend_from_slice(piece);
        let mut input = held.as_slice();
        receive(&mut input);
        let taken = held.len() - input.len();
        held.drain(..taken);
    }
    held
}

/// Answers as a server with one export, `debian/1`, which has `base:allocation`.
pub(crate) fn answer(
    handshake: &mut server::Handshake,
    event: Event,
    output: &mut Vec<u8>,
) -> Option<server::Negotiated> {
    match event {
        Event::Open(question) if question.export() == "debian/1" => {
            handshake.accept(question, &facts(), output)
        }
        Event::Open(question) => {
            let _ = handshake.refuse(question, Refusal::UnknownExport, "no such export", output);
            None
        }
        Event::List(question) => {
            handshake.list(question, ["debian/1"], output);
            None
        }
        Event::Contexts(question) => {
            let granted = question
                .queries()
                .iter()
                .any(|query| query == "base:allocation");
            let context = MetaContext {
                id: 1,
                name: "base:allocation".to_owned(),
            };
            handshake.contexts(
                question,
                if granted { vec![context] } else { Vec::new() },
                output,
            );
            None
        }
        Event::StartTls => {
            handshake.secured();
            None
        }
        Event::Abort => None,
    }
}

/// One whole handshake; each side's view of the end of it.
pub(crate) fn shake(
    wanted: client::Wanted,
    sizes: &[usize],
) -> (
    Result<client::Negotiated, client::HandshakeError>,
    Option<server::Negotiated>,
) {
    let mut to_client = Vec::new();
    let mut server = server::Handshake::new(&mut to_client);
    let mut client = client::Handshake::new(wanted).unwrap();
    let (mut client_end, mut server_end) = (None, None);
    while client_end.is_none() {
        assert!(
            !to_client.is_empty(),
            "the server has nothing more to say and the client still waits"
        );
        let mut to_server = Vec::new();
        in_pieces(&std::mem::take(&mut to_client), sizes, |input| match client
            .advance(input, &mut to_server)
        {
            Ok(None) => {}
            Ok(Some(negotiated)) => client_end = Some(Ok(negotiated)),
            Err(error) => client_end = Some(Err(error)),
        });
        in_pieces(&to_server, sizes, |input| {
            while let Some(event) = server.next_event(input, &mut to_client).unwrap() {
                server_end = answer(&mut server, event, &mut to_client).or(server_end.take());
            }
        });
    }
    (client_end.unwrap(), server_end)
}

pub(crate) fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"IHAVEOPT".to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// The reply types in a server's output, in order.
pub(crate) fn reply_types(mut output: &[u8]) -> Vec<u32> {
    let mut types = Vec::new();
    while let Some((header, rest)) = output.split_first_chunk::<20>() {
        assert_eq!(&header[..8], &0x0003_e889_0455_65a9_u64.to_be_bytes());
        types.push(u32::from_be_bytes(header[12..16].try_into().unwrap()));
        let length = u32::from_be_bytes(header[16..20].try_into().unwrap());
        output = &rest[usize::try_from(length).unwrap()..];
    }
    types
}
