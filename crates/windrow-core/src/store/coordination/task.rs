//! Tasks and claims on them.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use windrow_model::Fence;

/// The free-form fields of a task, a JSON object.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// Names a task: `t-` and at least four of `0-9` and `a-z` without `i`, `l`, `o` and `u`, such as `t-7k3f`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(String);

/// The characters of a task id; those that people confuse are left out.
pub(in crate::store) const TASK_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl TaskId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = TaskTextError;

    fn from_str(text: &str) -> Result<Self, TaskTextError> {
        let tail = text.strip_prefix("t-").unwrap_or_default();
        let good = (4..=32).contains(&tail.len()) && tail.bytes().all(|byte| TASK_ALPHABET.contains(&byte));
        good.then(|| Self(text.to_owned())).ok_or_else(|| TaskTextError::of("task id", text))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A task's state: 1 to 64 of `a-z`, `0-9`, `-` and `_`; which ones there are is the caller's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskState(String);

impl TaskState {
    /// The state as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskState {
    type Err = TaskTextError;

    fn from_str(text: &str) -> Result<Self, TaskTextError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        good.then(|| Self(text.to_owned())).ok_or_else(|| TaskTextError::of("task state", text))
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is no task id or state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}")]
pub struct TaskTextError {
    what: &'static str,
    text: String,
}

impl TaskTextError {
    fn of(what: &'static str, text: &str) -> Self {
        Self { what, text: text.escape_debug().take(80).collect() }
    }
}

/// The fields with a change: what it sets replaces what was there, what is null in it goes.
#[must_use]
pub fn merged(fields: &Fields, change: &Fields) -> Fields {
    let kept = fields.iter().filter(|(name, _)| !change.contains_key(*name));
    let set = change.iter().filter(|(_, value)| !value.is_null());
    kept.chain(set).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A task to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// One line for people.
    pub title: String,
    /// The state it begins in.
    pub state: TaskState,
    /// Its fields.
    pub fields: Fields,
    /// Who creates it.
    pub actor: String,
}

/// A durable record of something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id, for ever.
    pub id: TaskId,
    /// One line for people.
    pub title: String,
    /// Its state.
    pub state: TaskState,
    /// Its fields.
    pub fields: Fields,
    /// Its revision, one higher after each change.
    pub rev: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A change of state, and perhaps of fields with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state it must be in.
    pub expected: TaskState,
    /// The state after; the expected one again when only fields change.
    pub next: TaskState,
    /// Fields that change with it: each is set, or removed when it is null; the others stay.
    pub fields: Fields,
    /// Who changes it.
    pub actor: String,
    /// The fence of the claim under which it is changed; `None` for somebody who holds no claim.
    pub fence: Option<Fence>,
}

/// A replacement of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldsChange {
    /// The revision it must be at.
    pub rev: u64,
    /// The fields after.
    pub fields: Fields,
    /// Who changes them.
    pub actor: String,
    /// The fence of the claim under which they are changed; `None` for somebody who holds no claim.
    pub fence: Option<Fence>,
}

/// One revision of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskChange {
    /// The revision.
    pub rev: u64,
    /// When it came to be.
    pub at: Timestamp,
    /// Who made it.
    pub actor: String,
    /// The state at this revision.
    pub state: TaskState,
    /// The fields at this revision.
    pub fields: Fields,
}

/// The right to work on a task for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
    /// Who has it.
    pub holder: String,
    /// The number that every change by the holder carries.
    pub fence: Fence,
    /// When others may claim it.
    pub expires_at: Timestamp,
}
