//! Tickets: who may open an export or fetch chunks, signed by the farm. The bytes are drawn in `docs/formats/nbd.md`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chunk_store::RootHash;
use ed25519_dalek::{Signature, VerifyingKey};

/// Bytes of a ticket before it is written as text.
pub const TICKET_BYTES: usize = SIGNED_BYTES + 64;
const SIGNED_BYTES: usize = 1 + 1 + 32 + 8 + 16;
const VERSION: u8 = 1;
const SIGNATURE_CONTEXT: &[u8] = b"corral ticket v1\0";

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To open an export with the ticket's root.
    Stream,
    /// To fetch any chunk of the farm.
    Replicate,
    /// To open the subject's own disk over the ticket's root.
    Write,
    /// To fetch the version with the ticket's root: its root record, and chunks by their names.
    Fetch,
    /// To open an export with the ticket's root while the server drains, too: to see whether it gives what it should,
    /// before devices come back to it.
    Try,
}

/// A ticket whose signature and time were found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What it is for.
    pub purpose: Purpose,
    /// Which version it opens; zero bytes in one for replication.
    pub root: RootHash,
    /// Until when it is good, in seconds since 1970.
    pub expires_at: u64,
    /// The device, server or computer it was made for, as the bytes of a UUID.
    pub subject: [u8; 16],
}

/// Why a ticket is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// It is no ticket, or one of a version that this server does not know.
    #[error("ticket is malformed")]
    Malformed,
    /// It was not signed by this farm.
    #[error("ticket's signature is not the farm's")]
    BadSignature,
    /// Its time is over.
    #[error("ticket expired")]
    Expired,
    /// It is for something else.
    #[error("ticket is for another purpose")]
    WrongPurpose,
}

/// The farm's public key.
#[derive(Clone, Debug)]
pub struct TicketKey(VerifyingKey);

impl TicketKey {
    /// The key with these bytes; `None` if they are no Ed25519 key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(Self)
    }

    /// The ticket written in `text`, if it is good for `purpose` at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, text: &str, purpose: Purpose, now: u64) -> Result<Ticket, TicketError> {
        let ticket = self.read(text, now)?;
        if ticket.purpose == purpose {
            Ok(ticket)
        } else {
            Err(TicketError::WrongPurpose)
        }
    }

    /// The ticket written in `text`, if it is good at `now`, in seconds since 1970, for whatever it is for.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(&self, text: &str, now: u64) -> Result<Ticket, TicketError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| TicketError::Malformed)?;
        let bytes: [u8; TICKET_BYTES] = bytes.try_into().map_err(|_| TicketError::Malformed)?;
        let (signed, signature) = bytes.split_at(SIGNED_BYTES);
        let signature = Signature::from_slice(signature).map_err(|_| TicketError::Malformed)?;
        let message = [SIGNATURE_CONTEXT, signed].concat();
        self.0
            .verify_strict(&message, &signature)
            .map_err(|_| TicketError::BadSignature)?;
        let ticket = parse(signed).ok_or(TicketError::Malformed)?;
        if ticket.expires_at <= now {
            Err(TicketError::Expired)
        } else {
            Ok(ticket)
        }
    }
}

fn parse(signed: &[u8]) -> Option<Ticket> {
    let ([version, purpose], rest) = signed.split_first_chunk::<2>()?;
    let (root, rest) = rest.split_first_chunk::<32>()?;
    let (expires_at, rest) = rest.split_first_chunk::<8>()?;
    let purpose = match (*version, *purpose) {
        (VERSION, 1) => Purpose::Stream,
        (VERSION, 2) => Purpose::Replicate,
        (VERSION, 3) => Purpose::Write,
        (VERSION, 4) => Purpose::Fetch,
        (VERSION, 5) => Purpose::Try,
        _ => return None,
    };
    let root = RootHash::from_bytes(*root);
    Some(Ticket {
        purpose,
        root,
        expires_at: u64::from_le_bytes(*expires_at),
        subject: rest.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn check(text: &str, purpose: Purpose) -> Result<Ticket, TicketError> {
        TicketKey::from_bytes(&key().verifying_key().to_bytes())
            .unwrap()
            .check(text, purpose, NOW)
    }

    fn signed(first: [u8; 2], expires_at: u64) -> Vec<u8> {
        let mut bytes = first.to_vec();
        bytes.extend_from_slice(&[0xab; 32]);
        bytes.extend_from_slice(&expires_at.to_le_bytes());
        bytes.extend_from_slice(&[0xcd; 16]);
        let signature = key().sign(&[SIGNATURE_CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature.to_bytes());
        bytes
    }

    fn text(first: [u8; 2], expires_at: u64) -> String {
        URL_SAFE_NO_PAD.encode(signed(first, expires_at))
    }

    #[test]
    fn a_good_ticket_says_whose_it_is_and_for_what() {
        let ticket = check(&text([1, 1], NOW + 1), Purpose::Stream).unwrap();
        assert_eq!(ticket.root, RootHash::from_bytes([0xab; 32]));
        assert_eq!((ticket.subject, ticket.expires_at), ([0xcd; 16], NOW + 1));
    }

    #[test]
    fn time_and_purpose_count() {
        assert_eq!(
            check(&text([1, 1], NOW), Purpose::Stream),
            Err(TicketError::Expired)
        );
        assert_eq!(
            check(&text([1, 2], NOW + 1), Purpose::Stream),
            Err(TicketError::WrongPurpose)
        );
        assert!(check(&text([1, 2], NOW + 1), Purpose::Replicate).is_ok());
        assert!(check(&text([1, 3], NOW + 1), Purpose::Write).is_ok());
        assert_eq!(
            check(&text([1, 3], NOW + 1), Purpose::Stream),
            Err(TicketError::WrongPurpose)
        );
        assert!(check(&text([1, 4], NOW + 1), Purpose::Fetch).is_ok());
        for other in [1, 2, 3] {
            assert_eq!(
                check(&text([1, other], NOW + 1), Purpose::Fetch),
                Err(TicketError::WrongPurpose)
            );
        }
        assert!(check(&text([1, 5], NOW + 1), Purpose::Try).is_ok());
        for unknown in [0, 6, 255] {
            assert_eq!(
                check(&text([1, unknown], NOW + 1), Purpose::Write),
                Err(TicketError::Malformed)
            );
        }
    }

    #[test]
    fn no_byte_of_a_ticket_can_be_changed() {
        let key = TicketKey::from_bytes(&key().verifying_key().to_bytes()).unwrap();
        for purpose in 1..=4 {
            let good = signed([1, purpose], NOW + 1);
            assert!(key.read(&URL_SAFE_NO_PAD.encode(&good), NOW).is_ok());
            for byte in 0..good.len() {
                let mut bad = good.clone();
                bad[byte] ^= 1 << (byte % 8);
                assert!(key.read(&URL_SAFE_NO_PAD.encode(&bad), NOW).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_ticket_is_malformed() {
        let unknown_version = text([2, 1], NOW + 1);
        let padded = format!("{}==", text([1, 1], NOW + 1));
        for text in [
            "",
            "x",
            "****",
            unknown_version.as_str(),
            padded.as_str(),
            &unknown_version[..100],
        ] {
            assert_eq!(
                check(text, Purpose::Stream),
                Err(TicketError::Malformed),
                "{text}"
            );
        }
    }
}
