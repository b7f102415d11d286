//! What a caller leaves to chance.

use crate::seeded::Seeded;

/// A generator; each caller has its own, so that one caller's choices do not depend on when the others choose.
#[derive(Debug)]
pub(super) struct Random(Seeded);

impl Random {
    pub(super) fn new(seed: u64, caller: usize) -> Self {
        let mut numbers = Seeded::new(seed ^ (caller as u64).wrapping_mul(0xd134_2543_de82_ef95));
        numbers.next();
        Self(numbers)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number from 0 up to 1.
    pub(super) fn share(&mut self) -> f64 {
        self.below(1 << 32) as f64 / (1_u64 << 32) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_callers_differ() {
        let numbers = |seed, caller| {
            let mut random = Random::new(seed, caller);
            (0..50).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, 1), numbers(7, 1));
        assert_ne!(numbers(7, 1), numbers(7, 2));
        assert_ne!(numbers(7, 1), numbers(8, 1));
        let mut random = Random::new(1, 0);
        let shares: Vec<f64> = (0..1000).map(|_| random.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        let low = shares.iter().filter(|share| **share < 0.5).count();
        assert!((400..600).contains(&low), "{low}");
    }
}
