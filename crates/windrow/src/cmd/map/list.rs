//! Reading lists of tasks: lines of text, JSON lines, or a directory of files.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::Read,
    os::unix::ffi::OsStringExt,
    path::Path,
    time::Duration,
};

use serde_json::{Map, Value};
use windrow_core::ops::{MapTask, TaskMode};
use windrow_model::parse_duration;

use crate::errors::Problem;

/// A task as it was listed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) task: MapTask,
    /// The time that its command may take, where it has one of its own.
    pub(super) timeout: Option<Duration>,
    /// What placeholders stand for.
    pub(super) values: BTreeMap<String, OsString>,
}

/// The fields that say what a task is, in the order in which they are looked for.
const TEXTS: [&str; 3] = ["task", "prompt", "title"];
/// The fields that name a task.
const KEYS: [&str; 2] = ["key", "id"];

/// Reads the list at `source`; `-` is standard input.
pub(super) fn read(source: &Path, current_dir: &Path) -> Result<Vec<Listed>, Problem> {
    let path = current_dir.join(source);
    let listed = match source.as_os_str() == "-" {
        false if path.is_dir() => directory(&path)?,
        stdin => {
            let text = if stdin { standard_input() } else { fs::read_to_string(&path) };
            lines(&text.map_err(|error| Problem::io(format!("cannot read `{}`", source.display()), &error))?)?
        }
    };
    if listed.is_empty() {
        return Err(Problem::usage(format!("`{}` holds no task", source.display())));
    }
    Ok(numbered(listed))
}

fn standard_input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// Each file but hidden ones, by name; its name is its key, its content the task.
fn directory(path: &Path) -> Result<Vec<Listed>, Problem> {
    let failed = |error: std::io::Error| Problem::io(format!("cannot read `{}`", path.display()), &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_file() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    names.iter().map(|name| prompt(&path.join(name), name).map_err(failed)).collect()
}

fn prompt(file: &Path, name: &OsStr) -> std::io::Result<Listed> {
    let mut content = fs::read(file)?;
    while content.last().is_some_and(|byte| *byte == b'\n') {
        content.pop();
    }
    let key = name.to_string_lossy().into_owned();
    let values = [("task", OsString::from_vec(content)), ("file", file.as_os_str().to_owned())];
    Ok(listed(key, None, TaskMode::Branch, values.map(|(name, value)| (name.to_owned(), value))))
}

/// One task on each line that is not blank. The first line decides: an object makes all of them JSON.
fn lines(text: &str) -> Result<Vec<Listed>, Problem> {
    let mut given = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let json = given.peek().is_some_and(|(_, line)| line.trim_start().starts_with('{'));
    given.map(|(number, line)| if json { record(number + 1, line) } else { Ok(plain(line.trim())) }).collect()
}

fn plain(line: &str) -> Listed {
    listed(line.to_owned(), None, TaskMode::Branch, [("task".to_owned(), line.into())])
}

fn record(number: usize, line: &str) -> Result<Listed, Problem> {
    let wrong = |what: String| Problem::usage(format!("line {number} of the tasks: {what}"));
    let fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    let first = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)).map(shown);
    let text = first(&TEXTS).unwrap_or_else(|| line.trim().to_owned());
    let key = first(&KEYS).unwrap_or_else(|| text.clone());
    let after = predecessor(fields.get("depends_on")).map_err(wrong)?;
    let mode = match fields.get("readonly") {
        None | Some(Value::Bool(false)) => TaskMode::Branch,
        Some(Value::Bool(true)) => TaskMode::ReadOnly,
        Some(other) => return Err(wrong(format!("`readonly` is true or false, not {other}"))),
    };
    let timeout = fields.get("timeout").map(|value| parse_duration(&shown(value))).transpose();
    let timeout = timeout.map_err(|error| wrong(format!("`timeout`: {error}")))?;
    let values = fields.iter().map(|(name, value)| (name.clone(), shown(value).into()));
    let listed = listed(key, after, mode, values.chain([("task".to_owned(), text.into())]));
    Ok(Listed { timeout, ..listed })
}

/// One at most: several would have to be merged before anything could continue them.
fn predecessor(value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(keys)) if keys.len() < 2 => predecessor(keys.first()),
        Some(Value::Array(_)) => Err("a task can continue one other, not several".to_owned()),
        Some(Value::Object(_) | Value::Bool(_)) => Err("`depends_on` is the key of another task".to_owned()),
        Some(key) => Ok(Some(shown(key))),
    }
}

/// Text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn listed(
    key: String,
    after: Option<String>,
    mode: TaskMode,
    values: impl IntoIterator<Item = (String, OsString)>,
) -> Listed {
    Listed { task: MapTask { key, after, mode }, timeout: None, values: values.into_iter().collect() }
}

/// Gives each its number, and those that were listed twice a key of their own.
fn numbered(mut listed: Vec<Listed>) -> Vec<Listed> {
    let mut seen = BTreeMap::<String, u32>::new();
    for (place, one) in listed.iter_mut().enumerate() {
        let times = seen.entry(one.task.key.clone()).or_default();
        *times += 1;
        if *times > 1 {
            one.task.key = format!("{} #{times}", one.task.key);
        }
        one.values.insert("index".to_owned(), (place + 1).to_string().into());
        one.values.insert("key".to_owned(), one.task.key.clone().into());
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        numbered(lines(text).unwrap()).into_iter().map(|one| one.task.key).collect()
    }

    #[test]
    fn lines_are_their_own_keys() {
        assert_eq!(keys("mend\n\n  paint \nmend\n"), ["mend", "paint", "mend #2"]);
        let listed = numbered(lines("a\nb").unwrap());
        assert_eq!((&listed[1].values["task"], &listed[1].values["index"]), (&"b".into(), &"2".into()));
    }

    #[test]
    fn records_have_keys_fields_and_predecessors() {
        let text = r#"{"id": 7, "prompt": "mend", "n": [1], "readonly": true}
            {"key": "b", "depends_on": ["7"]}
            {"task": "paint", "depends_on": 7}"#;
        let listed = numbered(lines(text).unwrap());
        let keys: Vec<_> =
            listed.iter().map(|one| (one.task.key.as_str(), one.task.after.as_deref())).collect();
        assert_eq!(keys, [("7", None), ("b", Some("7")), ("paint", Some("7"))]);
        assert_eq!((&listed[0].values["task"], &listed[0].values["n"]), (&"mend".into(), &"[1]".into()));
        assert_eq!((listed[0].task.mode, listed[1].task.mode), (TaskMode::ReadOnly, TaskMode::Branch));
    }

    #[test]
    fn wrong_records_are_told_by_line() {
        for (text, expected) in [
            ("{\"a\": 1}\n{", "line 2"),
            ("{\"a\": 1}\nplain", "line 2"),
            (r#"{"depends_on": ["a", "b"]}"#, "not several"),
            (r#"{"readonly": 1}"#, "true or false"),
            (r#"{"timeout": "soon"}"#, "`timeout`"),
        ] {
            let problem = lines(text).unwrap_err();
            assert!(problem.message.contains(expected), "{}", problem.message);
        }
    }
}
