//! Hashes of written bytes and of blocks. They find damage and differences; they are no protection against forgery.

/// An odd constant with well spread bits (the golden ratio).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// The words that are taken at a time: each product waits for the one before in its lane, so several lanes are faster.
const LANES: usize = 4;

/// Returns the hash of `bytes`, of `seed` and of the length.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = (seed ^ bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let (rounds, words) = words.as_chunks::<LANES>();
    if !rounds.is_empty() {
        let mut lanes = [state, state ^ 1, state ^ 2, state ^ 3];
        for round in rounds {
            for (lane, word) in lanes.iter_mut().zip(round) {
                *lane = mix(*lane, u64::from_le_bytes(*word));
            }
        }
        state = lanes.into_iter().fold(state, mix);
    }
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state, u64::from_le_bytes(word));
    }
    mix(state, FACTOR)
}

/// Folds the product of 128 bits, so that each bit of the words changes all of the state.
#[inline(always)]
fn mix(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_changed_bit_changes_the_hash() {
        let bytes = [7; 77];
        let mut seen = BTreeSet::from([hash(1, &bytes), hash(2, &bytes), hash(1, &bytes[..76])]);
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(hash(1, &changed)), "bit {bit}");
        }
        assert_ne!(hash(1, &[]), hash(1, &[0]));
    }
}
