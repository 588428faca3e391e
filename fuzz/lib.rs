//! What the fuzz targets share: the same bytes at once and in pieces must say the same.

/// Gives `bytes` to `receive` in pieces of `size`, keeping what it does not take, until it says that it has had enough. Returns
/// how much was held at most.
pub fn in_pieces(bytes: &[u8], size: usize, mut receive: impl FnMut(&mut &[u8]) -> bool) -> usize {
    let mut held = Vec::new();
    let mut most = 0;
    for piece in bytes.chunks(size.max(1)) {
        held.extend_from_slice(piece);
        let mut input = held.as_slice();
        let goes_on = receive(&mut input);
        let taken = held.len() - input.len();
        held.drain(..taken);
        most = most.max(held.len());
        if !goes_on {
            break;
        }
    }
    most
}

/// The first byte of a fuzzer's input says how the rest is cut.
pub fn cut(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first) + 1, rest))
}
