//! Slots: the states of 8,192 blocks in a piece that a disk writes whole or a checksum shows torn.

use crate::HASH_BYTES;

use super::head::OVERLAY_FORMAT;
use super::is_zero;

/// Bytes of a block: what an overlay keeps or does not.
pub const BLOCK_BYTES: u64 = 4_096;
/// Blocks whose states are kept together: 32 MiB of the disk.
pub const LEAF_BLOCKS: u64 = 8_192;
/// Bytes of their states: two bits each, the first block in the lowest.
pub const LEAF_STATE_BYTES: usize = 2_048;
/// Bytes of a slot. A leaf has two, which are written in turn.
pub const SLOT_BYTES: usize = 4_096;

const MAGIC: [u8; 8] = *b"CORLOMAP";
const STATES: usize = 64;
const CHECKED: usize = SLOT_BYTES - HASH_BYTES;

/// Where the bytes of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockState {
    /// In the version below.
    Base,
    /// In the overlay.
    Data,
    /// Nowhere: they are zeros.
    Zero,
}

impl BlockState {
    /// The two bits that stand for it.
    pub const fn bits(self) -> u64 {
        match self {
            Self::Base => 0,
            Self::Data => 1,
            Self::Zero => 2,
        }
    }

    /// The state that two bits stand for. Three is not written, and means the same as zeros where it is found.
    pub const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::Base,
            1 => Self::Data,
            _ => Self::Zero,
        }
    }
}

/// The states of the blocks of a leaf.
pub type LeafStates = [u8; LEAF_STATE_BYTES];

/// What a slot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Which overlay's: the bytes of its UUID.
    pub overlay: [u8; 16],
    /// Which leaf's.
    pub leaf: u64,
    /// 1 for the first one that was written of the leaf, then 2, and so on.
    pub sequence: u64,
    /// The states.
    pub states: Box<LeafStates>,
}

/// The slots of a leaf are not what a kill or a loss of power leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeSlotError {
    /// No slot is sound that was written before the last one.
    #[error("the map of blocks is damaged at leaf {leaf}")]
    Damaged {
        /// Which leaf.
        leaf: u64,
    },
    /// Written by a later release.
    #[error(
        "the map of blocks has format {found}, but this release reads format {OVERLAY_FORMAT}; upgrade this server"
    )]
    NewerFormat {
        /// The format number in the slot.
        found: u16,
    },
}

impl Slot {
    /// The slot as it is stored, in the place [`Slot::place`].
    pub fn encode(&self) -> Box<[u8; SLOT_BYTES]> {
        let mut bytes = Box::new([0; SLOT_BYTES]);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&OVERLAY_FORMAT.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.overlay);
        bytes[32..40].copy_from_slice(&self.leaf.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[STATES..STATES + LEAF_STATE_BYTES].copy_from_slice(&self.states[..]);
        let checksum = blake3::hash(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(checksum.as_bytes());
        bytes
    }

    /// Where it is in the file of the map. Odd ones are second, so that the first of all does not touch what the next one needs.
    pub fn place(&self) -> u64 {
        (self.leaf * 2 + self.sequence % 2) * SLOT_BYTES as u64
    }

    fn decode(bytes: &[u8], overlay: [u8; 16], leaf: u64) -> Result<Option<Self>, DecodeSlotError> {
        if bytes.len() != SLOT_BYTES
            || bytes[..8] != MAGIC
            || *blake3::hash(&bytes[..CHECKED]).as_bytes() != bytes[CHECKED..]
        {
            return Ok(None);
        }
        let found = u16::from_le_bytes([bytes[8], bytes[9]]);
        if found != OVERLAY_FORMAT {
            return Err(DecodeSlotError::NewerFormat { found });
        }
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let mut states = Box::new([0; LEAF_STATE_BYTES]);
        states.copy_from_slice(&bytes[STATES..STATES + LEAF_STATE_BYTES]);
        let slot = Self {
            overlay,
            leaf,
            sequence: number(40),
            states,
        };
        let is_ours = bytes[16..32] == overlay && number(32) == leaf;
        Ok(is_ours.then_some(slot))
    }
}

/// The newest sound one of a leaf's two slots, in the order of the file; `None` if none was ever written whole.
///
/// # Errors
/// A later format, or something is wrong that no interrupted write explains: that damages at most the slot that is older or
/// had not been there.
pub fn choose_slot(
    overlay: [u8; 16],
    leaf: u64,
    slots: [&[u8]; 2],
) -> Result<Option<Slot>, DecodeSlotError> {
    let [even, odd] = [
        Slot::decode(slots[0], overlay, leaf)?,
        Slot::decode(slots[1], overlay, leaf)?,
    ];
    match (even, odd) {
        (Some(even), Some(odd)) if even.sequence > odd.sequence => Ok(Some(even)),
        (_, Some(odd)) => Ok(Some(odd)),
        (Some(even), None) => Ok(Some(even)),
        // The first write of all may have been interrupted. The second one is not begun before the first is safe.
        (None, None) if is_zero(slots[0]) => Ok(None),
        (None, None) => Err(DecodeSlotError::Damaged { leaf }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = [5; 16];
    const EMPTY: [u8; SLOT_BYTES] = [0; SLOT_BYTES];

    fn slot(sequence: u64) -> Slot {
        let mut states = Box::new([0; LEAF_STATE_BYTES]);
        states[0] = u8::try_from(sequence).unwrap();
        Slot {
            overlay: ID,
            leaf: 3,
            sequence,
            states,
        }
    }

    fn torn(slot: &Slot) -> Box<[u8; SLOT_BYTES]> {
        let mut bytes = slot.encode();
        bytes[512..].fill(0);
        bytes
    }

    #[test]
    fn the_bytes_are_as_drawn() {
        let bytes = slot(2).encode();
        assert_eq!(&bytes[..16], b"CORLOMAP\x01\x00\x00\x00\x00\x00\x00\x00");
        assert_eq!(&bytes[16..32], &ID);
        assert_eq!(&bytes[32..48], b"\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0");
        assert_eq!(&bytes[48..64], &[0; 16]);
        assert_eq!((bytes[64], bytes[65]), (2, 0));
        assert!(is_zero(&bytes[64 + 2_048..4_064]));
        assert_eq!(&bytes[4_064..], blake3::hash(&bytes[..4_064]).as_bytes());
        assert_eq!([1, 2, 3].map(|n| slot(n).place() / 4_096), [7, 6, 7]);
    }

    #[test]
    fn the_newest_sound_slot_counts() {
        let [first, second, third] = [1, 2, 3].map(|sequence| slot(sequence).encode());
        let chosen = |even: &[u8], odd: &[u8]| choose_slot(ID, 3, [even, odd]).unwrap();
        assert_eq!(chosen(&EMPTY, &EMPTY), None);
        assert_eq!(chosen(&EMPTY, &first[..]), Some(slot(1)));
        assert_eq!(chosen(&second[..], &first[..]), Some(slot(2)));
        assert_eq!(chosen(&second[..], &third[..]), Some(slot(3)));
    }

    #[test]
    fn an_interrupted_write_leaves_what_was_before() {
        let [first, second] = [1, 2].map(|sequence| slot(sequence).encode());
        let chosen = |even: &[u8], odd: &[u8]| choose_slot(ID, 3, [even, odd]).unwrap();
        assert_eq!(chosen(&EMPTY, &torn(&slot(1))[..]), None);
        assert_eq!(chosen(&torn(&slot(2))[..], &first[..]), Some(slot(1)));
        assert_eq!(chosen(&second[..], &torn(&slot(3))[..]), Some(slot(2)));
    }

    #[test]
    fn what_no_interrupted_write_leaves_is_damage() {
        let broken = torn(&slot(2));
        let damaged = Err(DecodeSlotError::Damaged { leaf: 3 });
        assert_eq!(choose_slot(ID, 3, [&broken[..], &EMPTY]), damaged);
        assert_eq!(
            choose_slot(ID, 3, [&broken[..], &torn(&slot(1))[..]]),
            damaged
        );
    }

    #[test]
    fn a_slot_of_another_leaf_or_overlay_does_not_count() {
        let bytes = slot(2).encode();
        for (id, leaf) in [(ID, 4), ([6; 16], 3)] {
            let refused = choose_slot(id, leaf, [&bytes[..], &EMPTY]);
            assert_eq!(refused, Err(DecodeSlotError::Damaged { leaf }));
        }
    }

    #[test]
    fn a_later_format_is_not_taken_for_damage() {
        let mut bytes = slot(2).encode();
        bytes[8] = 2;
        let checksum = blake3::hash(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(checksum.as_bytes());
        assert_eq!(
            choose_slot(ID, 3, [&bytes[..], &EMPTY]),
            Err(DecodeSlotError::NewerFormat { found: 2 })
        );
    }
}
