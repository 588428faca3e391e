//! The few messages of NBD that a reader needs, written from the protocol text.

use std::io::{self, Read, Write};

use crate::connection::LoadError;

const INIT_MAGIC: u64 = 0x4e42_444d_4147_4943;
const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const CLIENT_FLAGS: u32 = 0b11; // fixed newstyle, no zeroes
const OPTION_GO: u32 = 7;
const OPTION_STRUCTURED_REPLY: u32 = 8;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const INFO_EXPORT: u16 = 0;

pub(crate) const REQUEST_LENGTH: usize = 28;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const COMMAND_READ: u16 = 0;
const COMMAND_DISCONNECT: u16 = 2;

const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
const STRUCTURED_REPLY_MAGIC: u32 = 0x668e_33ef;
const FLAG_DONE: u16 = 1;
const CHUNK_OFFSET_DATA: u16 = 1;

/// Negotiates an export and returns its size in bytes.
pub(crate) fn handshake<S: Read + Write>(
    socket: &mut S,
    export: &str,
    structured: bool,
) -> Result<u64, LoadError> {
    let mut greeting = [0; 18];
    socket.read_exact(&mut greeting)?;
    if be64(&greeting, 0) != INIT_MAGIC || be64(&greeting, 8) != OPTION_MAGIC {
        return Err(LoadError::NotNbd);
    }
    socket.write_all(&CLIENT_FLAGS.to_be_bytes())?;
    if structured {
        send_option(socket, OPTION_STRUCTURED_REPLY, &[])?;
        let (kind, _) = read_option_reply(socket)?;
        if kind != REPLY_ACK {
            return Err(LoadError::OptionRefused {
                option: OPTION_STRUCTURED_REPLY,
                reply: kind,
            });
        }
    }
    let name_length = u32::try_from(export.len()).map_err(|_| LoadError::NotNbd)?;
    let mut payload = name_length.to_be_bytes().to_vec();
    payload.extend_from_slice(export.as_bytes());
    payload.extend_from_slice(&0_u16.to_be_bytes());
    send_option(socket, OPTION_GO, &payload)?;
    let mut size = None;
    loop {
        let (kind, data) = read_option_reply(socket)?;
        match kind {
            REPLY_INFO if data.len() == 12 && be16(&data, 0) == INFO_EXPORT => {
                size = Some(be64(&data, 2));
            }
            REPLY_INFO => {}
            REPLY_ACK => return size.ok_or(LoadError::NotNbd),
            _ => {
                return Err(LoadError::OptionRefused {
                    option: OPTION_GO,
                    reply: kind,
                });
            }
        }
    }
}

fn send_option<S: Write>(socket: &mut S, option: u32, payload: &[u8]) -> io::Result<()> {
    let mut message = OPTION_MAGIC.to_be_bytes().to_vec();
    message.extend_from_slice(&option.to_be_bytes());
    message.extend_from_slice(
        &u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    message.extend_from_slice(payload);
    socket.write_all(&message)
}

fn read_option_reply<S: Read>(socket: &mut S) -> Result<(u32, Vec<u8>), LoadError> {
    let mut header = [0; 20];
    socket.read_exact(&mut header)?;
    if be64(&header, 0) != OPTION_REPLY_MAGIC {
        return Err(LoadError::NotNbd);
    }
    let mut data = vec![0; be32(&header, 16).min(65_536) as usize];
    socket.read_exact(&mut data)?;
    Ok((be32(&header, 12), data))
}

/// Appends a read request.
pub(crate) fn push_read(out: &mut Vec<u8>, cookie: u64, offset: u64, length: u32) {
    push_request(out, COMMAND_READ, cookie, offset, length);
}

/// Appends a disconnect request.
pub(crate) fn push_disconnect(out: &mut Vec<u8>) {
    push_request(out, COMMAND_DISCONNECT, 0, 0, 0);
}

fn push_request(out: &mut Vec<u8>, command: u16, cookie: u64, offset: u64, length: u32) {
    out.extend_from_slice(&REQUEST_MAGIC.to_be_bytes());
    out.extend_from_slice(&0_u16.to_be_bytes());
    out.extend_from_slice(&command.to_be_bytes());
    out.extend_from_slice(&cookie.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
}

/// One reply, or one chunk of a structured reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    pub(crate) cookie: u64,
    /// Bytes of the image; empty for a chunk that brings none.
    pub(crate) data: &'a [u8],
    /// No more chunks follow for this cookie.
    pub(crate) done: bool,
    /// Bytes of the buffer that this reply took.
    pub(crate) consumed: usize,
}

/// Takes the next reply from the front of `buffer`; `None` while it is not complete.
pub(crate) fn next_reply(
    buffer: &[u8],
    read_length: usize,
) -> Result<Option<Reply<'_>>, LoadError> {
    if buffer.len() < 16 {
        return Ok(None);
    }
    match be32(buffer, 0) {
        SIMPLE_REPLY_MAGIC => {
            let error = be32(buffer, 4);
            if error != 0 {
                return Err(LoadError::ReadRefused { errno: error });
            }
            let end = 16 + read_length;
            Ok(buffer.get(16..end).map(|data| Reply {
                cookie: be64(buffer, 8),
                data,
                done: true,
                consumed: end,
            }))
        }
        STRUCTURED_REPLY_MAGIC => {
            if buffer.len() < 20 {
                return Ok(None);
            }
            let (flags, kind) = (be16(buffer, 4), be16(buffer, 6));
            let end = 20 + be32(buffer, 16) as usize;
            let Some(payload) = buffer.get(20..end) else {
                return Ok(None);
            };
            if kind & 0x8000 != 0 {
                let errno = payload.get(..4).map_or(0, |code| be32(code, 0));
                return Err(LoadError::ReadRefused { errno });
            }
            let data = match kind {
                CHUNK_OFFSET_DATA => payload.get(8..).unwrap_or_default(),
                _ => &[],
            };
            Ok(Some(Reply {
                cookie: be64(buffer, 8),
                data,
                done: flags & FLAG_DONE != 0,
                consumed: end,
            }))
        }
        _ => Err(LoadError::NotNbd),
    }
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from(be16(bytes, at)) << 16 | u32::from(be16(bytes, at + 2))
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from(be32(bytes, at)) << 32 | u64::from(be32(bytes, at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_reply_waits_for_all_of_its_data() {
        let mut bytes = SIMPLE_REPLY_MAGIC.to_be_bytes().to_vec();
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        bytes.extend_from_slice(&7_u64.to_be_bytes());
        bytes.extend_from_slice(b"abc");
        assert_eq!(next_reply(&bytes, 4).unwrap(), None);
        bytes.push(b'd');
        let reply = next_reply(&bytes, 4).unwrap().unwrap();
        assert_eq!(
            (reply.cookie, reply.data, reply.done, reply.consumed),
            (7, &b"abcd"[..], true, 20)
        );
    }

    #[test]
    fn a_structured_chunk_is_not_the_end_unless_it_says_so() {
        let mut bytes = STRUCTURED_REPLY_MAGIC.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(&9_u64.to_be_bytes());
        bytes.extend_from_slice(&10_u32.to_be_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(b"hi");
        let reply = next_reply(&bytes, 2).unwrap().unwrap();
        assert_eq!(
            (reply.cookie, reply.data, reply.done),
            (9, &b"hi"[..], false)
        );
        bytes[5] = 1;
        assert!(next_reply(&bytes, 2).unwrap().unwrap().done);
    }

    #[test]
    fn an_error_chunk_is_an_error() {
        let mut bytes = STRUCTURED_REPLY_MAGIC.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0, 1, 0x80, 1]);
        bytes.extend_from_slice(&9_u64.to_be_bytes());
        bytes.extend_from_slice(&6_u32.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 5, 0, 0]);
        assert!(matches!(
            next_reply(&bytes, 2),
            Err(LoadError::ReadRefused { errno: 5 })
        ));
    }
}
