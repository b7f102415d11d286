//! Chances that a seed decides.

use std::time::Duration;

use crate::seeded::Seeded;

/// The same seed gives the same chances.
#[derive(Clone, Debug)]
pub(super) struct Dice(Seeded);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// True in `percent` of all cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `all`, which is not empty.
    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        let index = self.below(all.len() as u64);
        all[usize::try_from(index).expect("below a length")]
    }

    /// A part of a time.
    pub(super) fn share_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.below(10_000) as f64 / 10_000.0)
    }
}
