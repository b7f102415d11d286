//! Waiting for something another process does: polling with a bound, never a bare sleep.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(5);

/// Of many that wait for long none needs to look that often.
const LONGEST_STEP: Duration = Duration::from_millis(50);

/// Waits until `condition` holds.
///
/// # Panics
///
/// Panics with `what` when it does not hold within `bound`.
#[track_caller]
pub fn poll_until(bound: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    poll_for(bound, what, || condition().then_some(()));
}

/// Waits until `probe` gives a value, and returns it.
///
/// # Panics
///
/// Panics with `what` when it gives none within `bound`.
#[track_caller]
pub fn poll_for<T>(bound: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match poll_quietly(bound, probe) {
        Some(value) => value,
        None => panic!("not within {bound:?}: {what}"),
    }
}

/// Like [`poll_for`], for callers with something better to say than a panic.
pub(crate) fn poll_quietly<T>(bound: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        // The time is read before the probe, so that a slow probe still gets its last look.
        let over = start.elapsed() >= bound;
        if let Some(value) = probe() {
            return Some(value);
        }
        if over {
            return None;
        }
        std::thread::sleep((start.elapsed() / 100).clamp(STEP, LONGEST_STEP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_later_success() {
        let mut left = 3;
        let value = poll_for(Duration::from_secs(5), "three looks", || {
            left -= 1;
            (left == 0).then_some("there")
        });
        assert_eq!(value, "there");
    }

    #[test]
    #[should_panic(expected = "not within 0ns: the impossible")]
    fn names_what_never_came() {
        poll_until(Duration::ZERO, "the impossible", || false);
    }
}
