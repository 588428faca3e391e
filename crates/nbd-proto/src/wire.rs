//! Magic numbers, and taking big-endian integers from the front of a slice.

/// `NBDMAGIC`, the first eight bytes a server sends.
pub(crate) const GREETING_MAGIC: u64 = 0x4e42_444d_4147_4943;
/// `IHAVEOPT`, the second eight bytes a server sends, and what starts each option.
pub(crate) const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
pub(crate) const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
pub(crate) const REQUEST_MAGIC: u32 = 0x2560_9513;
pub(crate) const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
pub(crate) const STRUCTURED_REPLY_MAGIC: u32 = 0x668e_33ef;

pub(crate) const FLAG_FIXED_NEWSTYLE: u16 = 1 << 0;
pub(crate) const FLAG_NO_ZEROES: u16 = 1 << 1;
pub(crate) const CLIENT_FIXED_NEWSTYLE: u32 = 1 << 0;
pub(crate) const CLIENT_NO_ZEROES: u32 = 1 << 1;

pub(crate) const REPLY_FLAG_DONE: u16 = 1 << 0;
pub(crate) const CHUNK_NONE: u16 = 0;
pub(crate) const CHUNK_OFFSET_DATA: u16 = 1;
pub(crate) const CHUNK_OFFSET_HOLE: u16 = 2;
pub(crate) const CHUNK_BLOCK_STATUS: u16 = 5;
pub(crate) const CHUNK_ERROR: u16 = (1 << 15) + 1;
pub(crate) const CHUNK_ERROR_OFFSET: u16 = (1 << 15) + 2;
pub(crate) const CHUNK_IS_ERROR: u16 = 1 << 15;

pub(crate) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

pub(crate) fn take_u16(input: &mut &[u8]) -> Option<u16> {
    take(input).map(u16::from_be_bytes)
}

pub(crate) fn take_u32(input: &mut &[u8]) -> Option<u32> {
    take(input).map(u32::from_be_bytes)
}

pub(crate) fn take_u64(input: &mut &[u8]) -> Option<u64> {
    take(input).map(u64::from_be_bytes)
}

pub(crate) fn take_bytes<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

/// A fixed-size header being filled from front to back.
pub(crate) struct Fields<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Fields<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            filled: 0,
        }
    }

    /// Adds a field. What does not fit is not written; the sizes here are constants, so that tests would see it.
    pub(crate) fn with<const M: usize>(mut self, field: [u8; M]) -> Self {
        let end = self.filled.saturating_add(M);
        if let Some(place) = self.bytes.get_mut(self.filled..end) {
            place.copy_from_slice(&field);
            self.filled = end;
        }
        self
    }

    pub(crate) const fn finish(self) -> [u8; N] {
        self.bytes
    }
}

/// Takes up to `wanted` bytes from the front.
pub(crate) fn take_up_to<'a>(input: &mut &'a [u8], wanted: usize) -> &'a [u8] {
    let available = input.len().min(wanted);
    take_bytes(input, available).unwrap_or_default()
}

/// Throws away up to `wanted` bytes from the front and says how many there were.
pub(crate) fn skip(input: &mut &[u8], wanted: usize) -> usize {
    take_up_to(input, wanted).len()
}

/// Takes text of a length that the protocol gave before it; `None` if it is short, too long for a string, holds a NUL or is not UTF-8.
pub(crate) fn take_text<'a>(input: &mut &'a [u8], length: u32) -> Option<&'a str> {
    let length = usize::try_from(length).ok()?;
    if length > crate::MAX_NAME_BYTES {
        return None;
    }
    let text = core::str::from_utf8(take_bytes(input, length)?).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// A length that is known to be small, as the field it travels in.
pub(crate) fn length_field(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// `text` cut at a character border so that it fits in the protocol's longest string.
pub(crate) fn fitting(text: &str) -> &str {
    let mut end = text.len().min(crate::MAX_NAME_BYTES);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}
