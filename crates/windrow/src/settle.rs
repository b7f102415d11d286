//! The commands that settle what stands in the way of `deinit`.

use windrow_model::{DeinitObstacle, RecordsSeen, SavedWork, WorktreeName};

/// For a worktree.
pub(crate) fn worktree(name: &WorktreeName, obstacle: &DeinitObstacle) -> Vec<String> {
    let (show, release) = (format!("windrow show {name}"), format!("windrow release {name}"));
    match obstacle {
        DeinitObstacle::Working => vec![show],
        DeinitObstacle::Leased | DeinitObstacle::Unsaved(_) => vec![release],
        DeinitObstacle::Unchecked(_) | DeinitObstacle::Quarantined => vec![show, release],
        DeinitObstacle::NoRecord => vec!["windrow reconcile".to_owned()],
    }
}

/// For saved work.
pub(crate) fn rescue(work: &SavedWork) -> Vec<String> {
    vec![
        format!("windrow restore {}", work.id),
        "windrow deinit --rescues=branches".to_owned(),
        format!("windrow rescue drop {}", work.id),
    ]
}

/// For the records.
pub(crate) fn records(seen: &RecordsSeen) -> Vec<String> {
    match seen {
        RecordsSeen::Whole | RecordsSeen::Missing => Vec::new(),
        RecordsSeen::Damaged(_) | RecordsSeen::Copied => vec!["windrow reconcile".to_owned()],
    }
}
