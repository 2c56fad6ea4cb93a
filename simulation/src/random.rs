//! Random numbers from a seed.

use oorandom::Rand64;
use std::time::Duration;

/// A stream of random numbers. Each part of a world draws from its own stream, so removing one part, such as a
/// fault, does not change the others.
#[derive(Debug)]
pub struct Random(Rand64);

impl Random {
    /// Returns the stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, 0, 0)
    }

    /// Returns the stream of number `number` of `kind`.
    pub(crate) fn of(seed: u64, kind: u64, number: u64) -> Self {
        let mixed = mix(mix(mix(seed) ^ kind) ^ number);
        Self(Rand64::new(u128::from(mixed) << 64 | u128::from(mix(mixed))))
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.0.rand_range(0..end),
        }
    }

    /// Returns a number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below((to - from).saturating_add(1))
    }

    /// Returns a duration from `from` to `to`, with a resolution of a nanosecond.
    pub fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let extra = to.saturating_sub(from).as_nanos().min(u128::from(u64::MAX)) as u64;
        from + Duration::from_nanos(self.below(extra.saturating_add(1)))
    }

    /// Returns true with this probability, from 0 to 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.rand_float() < probability
    }

    /// Returns a random element.
    ///
    /// # Panics
    ///
    /// If there are no elements.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Spreads small differences over all bits: SplitMix64's finisher (Steele, Lea, Flood 2014).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..4).map(|_| random.below(1_000_000)).collect();
        let mut again = Random::new(1);
        assert_eq!(first, (0..4).map(|_| again.below(1_000_000)).collect::<Vec<_>>());
        let mut other = Random::new(2);
        assert_ne!(first, (0..4).map(|_| other.below(1_000_000)).collect::<Vec<_>>());
    }

    #[test]
    fn drawn_numbers_are_within_bounds() {
        let mut random = Random::new(3);
        for _ in 0..1000 {
            assert!((5..=7).contains(&random.between(5, 7)));
            assert!(!random.chance(0.0));
            assert!(random.chance(1.0));
        }
        assert_eq!(random.below(0), 0);
    }
}
