//! A work that costs a server more than it costs the load: each message is answered with a digest
//! of it.

/// Bytes of a message, and of its digest.
pub(crate) const SIZE: usize = 64;

/// How often a message is stirred: so often that it takes a processor of 2020 about 20
/// microseconds.
const TURNS: usize = 1_850;

/// Stirs a message. It is the same code for all servers, and for the load, which checks it.
///
/// Each step needs the one before, so no compiler makes it shorter for one of them.
#[inline(never)]
pub(crate) fn digest(message: &[u8; SIZE]) -> [u8; SIZE] {
    let mut lanes = [0; SIZE / 8];
    for (lane, bytes) in lanes.iter_mut().zip(message.chunks_exact(8)) {
        *lane = bytes.iter().fold(0, |lane, &byte| lane << 8 | u64::from(byte));
    }
    let mut carry = 0_u64;
    for _ in 0..TURNS {
        for lane in &mut lanes {
            // The multiplier of Knuth's MMIX generator, which scatters well.
            carry = (carry ^ *lane).wrapping_mul(6_364_136_223_846_793_005).rotate_left(29);
            *lane = carry;
        }
    }
    let mut answer = [0; SIZE];
    for (bytes, lane) in answer.chunks_exact_mut(8).zip(lanes) {
        bytes.copy_from_slice(&lane.to_be_bytes());
    }
    answer
}

/// Cuts what a connection brings into messages.
#[derive(Debug, Default)]
pub(crate) struct Digester {
    /// The beginning of a message whose end has not come.
    unfinished: Vec<u8>,
}

impl Digester {
    /// Appends the digests of all messages that `data` completes to `answers`.
    pub(crate) fn answer(&mut self, mut data: &[u8], answers: &mut Vec<u8>) {
        if !self.unfinished.is_empty() {
            let missing = (SIZE - self.unfinished.len()).min(data.len());
            let (end, rest) = data.split_at(missing);
            self.unfinished.extend_from_slice(end);
            let Ok(message) = self.unfinished[..].try_into() else { return };
            answers.extend_from_slice(&digest(message));
            self.unfinished.clear();
            data = rest;
        }
        let (messages, rest) = data.as_chunks::<SIZE>();
        messages.iter().for_each(|message| answers.extend_from_slice(&digest(message)));
        self.unfinished.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_make_the_same_answers() {
        let messages: Vec<u8> = (0..SIZE * 5).map(|place| (place * 31 / 7) as u8).collect();
        let (whole, _) = messages.as_chunks();
        let expected: Vec<u8> = whole.iter().flat_map(digest).collect();
        for size in 1..=messages.len() {
            let (mut digester, mut answers) = (Digester::default(), Vec::new());
            messages.chunks(size).for_each(|piece| digester.answer(piece, &mut answers));
            assert_eq!(answers, expected, "in pieces of {size}");
        }
    }
}
