//! Chances that a seed decides.

use std::time::Duration;

/// A small generator of numbers; the same seed gives the same ones. *Source*: Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators" (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
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
