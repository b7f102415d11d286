//! Batches of tasks.

use comfy_table::Cell;
use windrow_core::ops::Mapped;
use windrow_model::{BatchTask, Harvest, TaskEnd, format_duration};

use super::{
    style::{BAD, CARE, FAINT, GOOD, TYPED, paint},
    table,
    text::{count, safe},
};

/// How much of a key is shown.
const KEY: usize = 40;

/// One task that is over: `3/60  succeeded in 2s  mend the fence`.
pub(crate) fn map_ended(task: &BatchTask, over: usize, total: usize) -> String {
    let key = shortened(&task.key);
    let time = format_duration(rounded(task.verdict.elapsed));
    format!("{}  {} in {time}  {key}\n", paint(FAINT, format!("{over}/{total}")), outcome(task))
}

/// All tasks in order, and how many of which kind there are.
pub(crate) fn mapped(mapped: &Mapped, keys: &[&str]) -> String {
    let mut table = table::table(&["#", "TASK", "RESULT", "TIME", "COMMITS", "CHANGED", "LEFT"]);
    for (place, (task, key)) in mapped.tasks.iter().zip(keys).enumerate() {
        let mut row = vec![Cell::new(place + 1), Cell::new(shortened(key))];
        row.extend(task.as_ref().map_or_else(|| stopped().to_vec(), |task| cells(task).to_vec()));
        table.add_row(row);
    }
    format!("{}\n{}", table::render(table), summary(mapped))
}

fn cells(task: &BatchTask) -> [Cell; 5] {
    let left = task.harvest.as_ref();
    let commits = left.filter(|left| left.commits > 0).map(|left| left.commits.to_string());
    let changed = left.filter(|left| left.files > 0).map(|left| format!("+{} -{}", left.added, left.deleted));
    [
        Cell::new(outcome(task)),
        Cell::new(format_duration(rounded(task.verdict.elapsed))),
        Cell::new(commits.unwrap_or_default()),
        Cell::new(changed.unwrap_or_default()),
        Cell::new(left.map(remains).unwrap_or_default()),
    ]
}

fn stopped() -> [Cell; 5] {
    [Cell::new(paint(CARE, "stopped")), Cell::new(""), Cell::new(""), Cell::new(""), Cell::new("")]
}

fn outcome(task: &BatchTask) -> String {
    let detail = safe(&task.verdict.detail);
    let why = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    match (task.verdict.end, task.verdict.exit) {
        (TaskEnd::Succeeded, _) => paint(GOOD, format!("succeeded{why}")),
        (TaskEnd::Failed, Some(code)) => paint(BAD, format!("exit {code}{why}")),
        (TaskEnd::TimedOut, _) => paint(BAD, format!("timed out{why}")),
        (TaskEnd::Skipped, _) => paint(CARE, format!("skipped{why}")),
        (TaskEnd::Stopped, _) => paint(CARE, format!("stopped{why}")),
        (TaskEnd::Failed | TaskEnd::Refused, _) => paint(BAD, format!("failed{why}")),
    }
}

/// Branch, rescue, and a worktree that is still there.
fn remains(left: &Harvest) -> String {
    let branch = left.branch.as_ref().map(|(name, _)| safe(name.as_str()));
    let rescue = left.rescue.as_ref().map(|rescue| format!("rescue {rescue}"));
    let place =
        (left.fate == "kept" || left.fate == "quarantined").then(|| format!("{} {}", left.fate, left.name));
    [branch, rescue, place].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn summary(mapped: &Mapped) -> String {
    let total = u64::try_from(mapped.tasks.len()).unwrap_or(u64::MAX);
    let of = |end: TaskEnd| mapped.tasks.iter().flatten().filter(|task| task.verdict.end == end).count();
    let stopped = mapped.tasks.iter().filter(|task| task.is_none()).count();
    let mut parts = Vec::new();
    for (number, word) in [
        (of(TaskEnd::Succeeded), "succeeded"),
        (of(TaskEnd::Failed) + of(TaskEnd::Refused), "failed"),
        (of(TaskEnd::TimedOut), "timed out"),
        (of(TaskEnd::Skipped), "skipped"),
        (stopped, "stopped"),
    ] {
        parts.extend((number > 0).then(|| format!("{number} {word}")));
    }
    let next = if stopped == 0 {
        format!("{} shows a task's output", paint(TYPED, "windrow logs WORKTREE"))
    } else {
        format!("{} goes on", paint(TYPED, "--resume"))
    };
    format!("batch {}: {}, {}; {next}\n", mapped.batch, count(total, "task"), parts.join(", "))
}

/// The first line, and not too much of it.
fn shortened(key: &str) -> String {
    let line = key.lines().next().unwrap_or_default();
    match line.char_indices().nth(KEY) {
        Some((end, _)) => format!("{}…", safe(&line[..end])),
        None => safe(line),
    }
}

/// Whole seconds say enough.
fn rounded(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(time.as_secs_f64().round() as u64)
}
