//! A work that costs the server more than the load: each message is answered with a digest of it.

/// Bytes of a message, and of its digest.
pub(crate) const SIZE: usize = 64;

/// The rounds of a digest. A processor of 2020 takes about 20 microseconds for them.
const TURNS: usize = 1_850;

/// Returns the digest of a message. All servers use this code, and so does the load, which checks
/// it.
///
/// Each step depends on the step before, so no compiler can shorten it for one of the servers.
#[inline(never)]
pub(crate) fn digest(message: &[u8; SIZE]) -> [u8; SIZE] {
    let mut lanes = [0; SIZE / 8];
    for (lane, bytes) in lanes.iter_mut().zip(message.chunks_exact(8)) {
        *lane = bytes.iter().fold(0, |lane, &byte| lane << 8 | u64::from(byte));
    }
    let mut carry = 0_u64;
    for _ in 0..TURNS {
        for lane in &mut lanes {
            // The multiplier of Knuth's MMIX generator, which mixes well.
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

/// Splits the input of a connection into messages.
#[derive(Debug, Default)]
pub(crate) struct Digester {
    /// The received part of an incomplete message.
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
    fn chunks_of_any_size_give_equal_digests() {
        let messages: Vec<u8> = (0..SIZE * 5).map(|place| (place * 31 / 7) as u8).collect();
        let (whole, _) = messages.as_chunks();
        let expected: Vec<u8> = whole.iter().flat_map(digest).collect();
        for size in 1..=messages.len() {
            let (mut digester, mut answers) = (Digester::default(), Vec::new());
            messages.chunks(size).for_each(|chunk| digester.answer(chunk, &mut answers));
            assert_eq!(answers, expected, "in chunks of {size}");
        }
    }
}
