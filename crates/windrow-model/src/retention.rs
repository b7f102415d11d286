//! Which rescues have had their time.

use jiff::Timestamp;

use crate::{RescueRecord, RescueSettings};

/// Tells which rescues go at `now`: those past their age, then the oldest until the archives fit the budget.
///
/// The newest rescue never goes for its size, so that what was just saved is not dropped by the saving. The answer is in no
/// particular order and empty when nothing is due.
#[must_use]
pub fn expired_rescues(
    rescues: &[RescueRecord],
    settings: &RescueSettings,
    now: Timestamp,
) -> Vec<RescueRecord> {
    let too_old = |record: &RescueRecord| {
        let age = now.duration_since(record.created_at);
        age.as_secs() >= 0 && age.unsigned_abs() >= settings.keep
    };
    let (mut expired, mut rest): (Vec<_>, Vec<_>) = rescues.iter().cloned().partition(too_old);
    rest.sort_by_key(|record| std::cmp::Reverse(record.created_at));
    let mut total: u64 = 0;
    for (place, record) in rest.into_iter().enumerate() {
        total = total.saturating_add(record.archive_bytes);
        if total > settings.total_bytes && place > 0 {
            expired.push(record);
        }
    }
    expired
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rescue(number: i64, archive_bytes: u64) -> RescueRecord {
        RescueRecord {
            id: format!("r-{number}").parse().unwrap(),
            worktree: crate::WorktreeId::new(uuid::Uuid::nil()),
            name: "r".parse().unwrap(),
            head: "0".repeat(40).parse().unwrap(),
            branch: None,
            commit: None,
            index_tree: None,
            archive: None,
            archive_bytes,
            paths: 1,
            created_at: Timestamp::from_second(number * 100).unwrap(),
        }
    }

    fn expired(rescues: &[RescueRecord], keep: u64, total_bytes: u64, now: i64) -> Vec<String> {
        let settings =
            RescueSettings { keep: Duration::from_secs(keep), total_bytes, ..RescueSettings::default() };
        let gone = expired_rescues(rescues, &settings, Timestamp::from_second(now).unwrap());
        let mut ids: Vec<_> = gone.iter().map(|record| record.id.to_string()).collect();
        ids.sort();
        ids
    }

    #[test]
    fn age_and_budget_take_the_oldest_and_spare_the_newest() {
        let all = [rescue(1, 10), rescue(2, 10), rescue(3, 10)];
        assert_eq!(expired(&all, 1_000, 100, 400), Vec::<String>::new());
        assert_eq!(expired(&all, 300, 100, 400), ["r-1"]);
        assert_eq!(expired(&all, 1_000, 20, 400), ["r-1"]);
        assert_eq!(expired(&all, 1_000, 5, 400), ["r-1", "r-2"]);
        assert_eq!(expired(&all, 10, 100, 0), Vec::<String>::new());
    }
}
