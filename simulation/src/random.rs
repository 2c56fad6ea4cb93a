//! Chance, from a seed.

use oorandom::Rand64;
use std::time::Duration;

/// A stream of random numbers. Everything that draws has a stream of its own, so that to take one thing
/// out of a world (a fault, say) leaves what the others draw as it was.
#[derive(Debug)]
pub struct Random(Rand64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, 0, 0)
    }

    /// The stream of the `number`th thing of `kind`.
    pub(crate) fn of(seed: u64, kind: u64, number: u64) -> Self {
        let mixed = mix(mix(mix(seed) ^ kind) ^ number);
        Self(Rand64::new(u128::from(mixed) << 64 | u128::from(mix(mixed))))
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.0.rand_range(0..end),
        }
    }

    /// One of `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below((to - from).saturating_add(1))
    }

    /// A span of time of `from` to `to`, to the nanosecond.
    pub fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let extra = to.saturating_sub(from).as_nanos().min(u128::from(u64::MAX)) as u64;
        from + Duration::from_nanos(self.below(extra.saturating_add(1)))
    }

    /// Whether something happens that has this probability, from 0 to 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.rand_float() < probability
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Spreads what differs by little over all bits: SplitMix64's finisher (Steele, Lea, Flood 2014).
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
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..4).map(|_| random.below(1_000_000)).collect();
        let mut again = Random::new(1);
        assert_eq!(first, (0..4).map(|_| again.below(1_000_000)).collect::<Vec<_>>());
        let mut other = Random::new(2);
        assert_ne!(first, (0..4).map(|_| other.below(1_000_000)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_drawn_lies_within_its_bounds() {
        let mut random = Random::new(3);
        for _ in 0..1000 {
            assert!((5..=7).contains(&random.between(5, 7)));
            assert!(!random.chance(0.0));
            assert!(random.chance(1.0));
        }
        assert_eq!(random.below(0), 0);
    }
}
