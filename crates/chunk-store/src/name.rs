//! Names: BLAKE3-256 hashes with a type for each thing they name.

use std::fmt;
use std::str::FromStr;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A text that should have been a hash is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 lower-case hexadecimal digits")]
pub struct ParseHashError;

fn parse(text: &str) -> Result<[u8; HASH_BYTES], ParseHashError> {
    fn digit(byte: u8) -> Result<u8, ParseHashError> {
        match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(ParseHashError),
        }
    }
    let text = text.as_bytes();
    if text.len() != HASH_BYTES * 2 {
        return Err(ParseHashError);
    }
    let mut bytes = [0; HASH_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

fn write_hex(bytes: &[u8; HASH_BYTES], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

macro_rules! hash_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; HASH_BYTES]);

        impl $name {
            /// The hash with these bytes.
            pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
                Self(bytes)
            }

            /// Its bytes, as they are stored and sent.
            pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, formatter)
            }
        }

        // All 64 digits in logs too: a shortened name can be taken for another one.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseHashError;

            fn from_str(text: &str) -> Result<Self, ParseHashError> {
                parse(text).map(Self)
            }
        }
    };
}

hash_type! {
    /// The name of a chunk: BLAKE3-256 of its plain bytes, or [`ChunkName::ZERO`].
    ChunkName
}

hash_type! {
    /// The identity of an image version: BLAKE3-256 of its root record.
    RootHash
}

impl ChunkName {
    /// The name of every chunk that holds only zeros, whatever its length. Such a chunk is never stored.
    pub const ZERO: Self = Self([0; HASH_BYTES]);

    /// The name of `plain`, looking for zeros first.
    pub fn of(plain: &[u8]) -> Self {
        if is_all_zero(plain) {
            Self::ZERO
        } else {
            Self(*blake3::hash(plain).as_bytes())
        }
    }

    /// True for the name of a chunk of zeros.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

/// True if every byte is zero. Ordinary data is told apart in its first bytes.
fn is_all_zero(bytes: &[u8]) -> bool {
    // Blocks let the compiler use wide registers; the early exit makes it nearly free for data.
    let mut blocks = bytes.chunks_exact(128);
    blocks
        .by_ref()
        .all(|block| block.iter().fold(0, |seen, byte| seen | byte) == 0)
        && blocks.remainder().iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_any_length_have_the_zero_name() {
        for length in [0, 1, 127, 128, 129, 4096, 65_536] {
            assert_eq!(ChunkName::of(&vec![0; length]), ChunkName::ZERO);
        }
    }

    #[test]
    fn one_bit_anywhere_is_not_zero() {
        for position in [0, 1, 127, 128, 65_535] {
            let mut bytes = vec![0; 65_536];
            bytes[position] = 1;
            assert_eq!(
                ChunkName::of(&bytes).as_bytes(),
                blake3::hash(&bytes).as_bytes()
            );
        }
    }

    #[test]
    fn text_is_64_lower_case_digits_and_nothing_else() {
        let name = ChunkName::of(b"corral");
        let text = name.to_string();
        assert_eq!(text.parse(), Ok(name));
        assert_eq!(
            text.to_uppercase().parse::<ChunkName>(),
            Err(ParseHashError)
        );
        assert_eq!(text[..12].parse::<ChunkName>(), Err(ParseHashError));
        assert_eq!(format!("{text} ").parse::<ChunkName>(), Err(ParseHashError));
        assert_eq!("é".repeat(32).parse::<ChunkName>(), Err(ParseHashError));
    }
}
