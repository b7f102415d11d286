//! How long to wait before something is tried or looked at again: twice as long each time, at most ten seconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// What was tried, how often, and when to try it again.
#[derive(Debug)]
pub(super) struct Patience<K>(BTreeMap<K, Wait>);

#[derive(Clone, Copy, Debug)]
struct Wait {
    tries: u32,
    until: Instant,
}

impl Wait {
    fn after(tries: u32) -> Self {
        let pause = FIRST.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST);
        Self { tries, until: Instant::now() + pause }
    }
}

impl<K: Ord + Clone> Patience<K> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Tells whether it is time for this one; what was never tried is.
    pub(super) fn is_ripe(&self, key: &K) -> bool {
        self.0.get(key).is_none_or(|wait| wait.until <= Instant::now())
    }

    /// How often it was tried.
    pub(super) fn tries(&self, key: &K) -> u32 {
        self.0.get(key).map_or(0, |wait| wait.tries)
    }

    /// When the first one is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|wait| wait.until).min()
    }

    /// Forgets everything but these.
    pub(super) fn retain(&mut self, keys: &BTreeSet<K>) {
        self.0.retain(|key, _| keys.contains(key));
    }

    /// These were tried just now, in vain.
    pub(super) fn try_again(&mut self, keys: &BTreeSet<K>) {
        self.retain(keys);
        for key in keys {
            let tries = self.tries(key) + 1;
            self.0.insert(key.clone(), Wait::after(tries));
        }
    }

    /// These are still to be waited for; whose time has come is waited for longer.
    pub(super) fn poll(&mut self, keys: &BTreeSet<K>) {
        self.poll_some(keys, |_| true);
    }

    /// Like [`Patience::poll`], where only for some it counts as another try.
    pub(super) fn poll_some(&mut self, keys: &BTreeSet<K>, counts: impl Fn(&K) -> bool) {
        self.retain(keys);
        for key in keys {
            if self.is_ripe(key) {
                let more = u32::from(counts(key) || self.tries(key) == 0);
                let wait = Wait::after(self.tries(key) + more);
                self.0.insert(key.clone(), wait);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_in_vain_is_repeated_later_and_later() {
        let mut patience = Patience::new();
        let one = BTreeSet::from([1]);
        assert!(patience.is_ripe(&1) && patience.next().is_none());
        patience.try_again(&one);
        assert!(!patience.is_ripe(&1));
        let mut last = Duration::ZERO;
        for tries in 2..40 {
            patience.try_again(&one);
            assert_eq!(patience.tries(&1), tries);
            let pause = patience.next().unwrap().saturating_duration_since(Instant::now());
            assert!(pause <= LONGEST && pause + Duration::from_millis(50) >= last, "{pause:?}");
            last = pause;
        }
        assert!(last > Duration::from_secs(9), "{last:?}");
        patience.retain(&BTreeSet::new());
        assert!(patience.is_ripe(&1));
    }

    #[test]
    fn looking_early_does_not_lengthen_a_wait() {
        let mut patience = Patience::new();
        let one = BTreeSet::from([1]);
        patience.poll(&one);
        let until = patience.next();
        patience.poll(&one);
        assert_eq!((patience.next(), patience.tries(&1)), (until, 1));
    }
}
