//! What the hooks are told. The reader stops at the end of the one object: who calls may never close the pipe.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use windrow_model::{LeaseKey, WorktreeName};

/// More than this no hook is told.
const LONGEST: u64 = 1 << 20;

/// Why an input is refused, before anything is done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// Nothing came.
    #[error("standard input is empty; Claude Code writes one JSON object there")]
    Empty,
    /// It is no JSON, or does not end.
    #[error("standard input cannot be read as JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is some other JSON.
    #[error("standard input is no JSON object")]
    NotAnObject,
    /// A field that is needed has no usable value.
    #[error("`{field}` is {found}, not a name or path")]
    Unusable {
        /// Which.
        field: &'static str,
        /// What it is.
        found: String,
    },
    /// A path is no absolute one.
    #[error("`worktree_path` is `{0}`, which is not absolute")]
    Relative(PathBuf),
}

/// A worktree that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateInput {
    /// What it is called.
    pub(crate) name: WorktreeName,
    /// What makes the same request the same worktree.
    pub(crate) key: LeaseKey,
    /// Where the session is.
    pub(crate) cwd: Option<PathBuf>,
    /// Where it begins; Claude Code itself sends none.
    pub(crate) base: Option<String>,
}

/// A worktree that is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoveInput {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Where the session is, which may be in it.
    pub(crate) cwd: Option<PathBuf>,
}

impl CreateInput {
    /// Reads one object. Unknown fields are let pass.
    ///
    /// # Errors
    /// It cannot be read, or names nothing.
    pub(crate) fn read(from: impl Read) -> Result<Self, InputError> {
        let fields = object(from)?;
        let name = named(&fields, "name", "worktree_name")?;
        let (name, key) = identity(&name)?;
        let cwd = text(&fields, "cwd").or_else(|| text(&fields, "base_path")).map(PathBuf::from);
        Ok(Self { name, key, cwd, base: text(&fields, "source_ref") })
    }
}

impl RemoveInput {
    /// Reads one object. Unknown fields are let pass.
    ///
    /// # Errors
    /// It cannot be read, or names no absolute path.
    pub(crate) fn read(from: impl Read) -> Result<Self, InputError> {
        let fields = object(from)?;
        let path = PathBuf::from(named(&fields, "worktree_path", "worktreePath")?);
        if !Path::is_absolute(&path) {
            return Err(InputError::Relative(path));
        }
        Ok(Self { path, cwd: text(&fields, "cwd").map(PathBuf::from) })
    }
}

fn object(from: impl Read) -> Result<Map<String, Value>, InputError> {
    let mut values = serde_json::Deserializer::from_reader(from.take(LONGEST)).into_iter::<Value>();
    match values.next() {
        Some(Ok(Value::Object(fields))) => Ok(fields),
        Some(Ok(_)) => Err(InputError::NotAnObject),
        Some(Err(error)) => Err(InputError::NotJson(error)),
        None => Err(InputError::Empty),
    }
}

/// A text that means something.
fn text(fields: &Map<String, Value>, field: &str) -> Option<String> {
    fields.get(field).and_then(Value::as_str).filter(|text| is_meant(text)).map(str::to_owned)
}

/// What a program writes that has no value is no name.
fn is_meant(text: &str) -> bool {
    !matches!(text.trim(), "" | "null" | "undefined")
}

/// A field that is needed; the other name counts only when the first is missing.
fn named(
    fields: &Map<String, Value>,
    field: &'static str,
    alias: &'static str,
) -> Result<String, InputError> {
    let field = if fields.contains_key(field) || !fields.contains_key(alias) { field } else { alias };
    let found = || match fields.get(field) {
        None => "missing".to_owned(),
        Some(Value::String(text)) => format!("`{}`", text.escape_debug().take(60).collect::<String>()),
        Some(Value::Null) => "null".to_owned(),
        Some(_) => "something else".to_owned(),
    };
    text(fields, field).ok_or_else(|| InputError::Unusable { field, found: found() })
}

/// A name may hold anything; a worktree's may not. Two that differ stay two.
fn identity(text: &str) -> Result<(WorktreeName, LeaseKey), InputError> {
    let name = text.parse().or_else(|_| plain(text).parse());
    let unusable = || InputError::Unusable { field: "name", found: format!("`{}`", text.escape_debug()) };
    let name: WorktreeName = name.map_err(|_| unusable())?;
    let key = format!("claude:{name}").parse().map_err(|_| unusable())?;
    Ok((name, key))
}

fn plain(text: &str) -> String {
    const KEPT: usize = 48;
    let mut slug = String::new();
    for letter in text.chars() {
        match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => slug.push(letter),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(KEPT);
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "claude" } else { slug };
    format!("{slug}-{:08x}", digest(text) >> 32)
}

/// *Source*: FNV-1a, 64 bits. Nobody is kept from finding two texts with one digest: whoever does shares a worktree with himself.
fn digest(text: &str) -> u64 {
    let step = |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = r#"{"session_id":"abc123","transcript_path":"/home/u/.claude/projects/p/t.jsonl","cwd":"/home/u/p",
        "hook_event_name":"WorktreeCreate","name":"bold-oak-a3f2","prompt_id":"p-1","unknown":{"deep":[1,null]}}"#;

    fn create(text: &str) -> Result<CreateInput, InputError> {
        CreateInput::read(text.as_bytes())
    }

    /// What is read never ends.
    struct Endless<'a>(&'a [u8]);

    impl Read for Endless<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "it reads on after the object");
            self.0.read(to)
        }
    }

    #[test]
    fn what_was_recorded_is_read_and_nothing_after_it() {
        let input = CreateInput::read(Endless(RECORDED.as_bytes())).unwrap();
        assert_eq!(input.name.as_str(), "bold-oak-a3f2");
        assert_eq!(input.key.as_str(), "claude:bold-oak-a3f2");
        assert_eq!((input.cwd, input.base), (Some("/home/u/p".into()), None));
        let input = create(r#"{"worktree_name":"x","base_path":"/r","source_ref":"main"} trailing"#).unwrap();
        assert_eq!((input.cwd, input.base.as_deref()), (Some("/r".into()), Some("main")));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for text in [
            r#"{}"#,
            r#"{"name":null}"#,
            r#"{"name":null,"worktree_name":"x"}"#,
            r#"{"name":"null"}"#,
            r#"{"name":"undefined"}"#,
            r#"{"name":"  "}"#,
            r#"{"name":7}"#,
            r#"{"name":["x"]}"#,
            r#"{"name":"x""#,
            "[]",
            "null",
            "",
            "name=x",
        ] {
            assert!(create(text).is_err(), "{text}");
        }
        let endless = format!("{{\"name\":\"{}", "x".repeat(2 << 20));
        assert!(matches!(create(&endless), Err(InputError::NotJson(_))));
    }

    #[test]
    fn names_that_differ_are_different_worktrees() {
        let name = |text: &str| identity(text).unwrap().0.as_str().to_owned();
        assert_eq!(name("plain-1"), "plain-1");
        let names =
            ["feature/a", "feature-a", "Feature/a", "feature//a", "../../etc", "-", "é", "head", "x\ny"];
        let made: std::collections::BTreeSet<_> = names.iter().map(|text| name(text)).collect();
        assert_eq!(made.len(), names.len(), "{made:?}");
        assert!(name("feature/a").starts_with("feature-a-"));
        assert!(name(&"long/".repeat(100)).len() <= 64);
    }

    #[test]
    fn what_is_to_go_is_an_absolute_path() {
        let remove = |text: &str| RemoveInput::read(text.as_bytes());
        let input = remove(r#"{"worktree_path":"/w/x","cwd":"/w/x/src"}"#).unwrap();
        assert_eq!((input.path, input.cwd), ("/w/x".into(), Some("/w/x/src".into())));
        for text in [
            r#"{"worktree_path":"w"}"#,
            r#"{"worktree_path":null}"#,
            r#"{"cwd":"/w"}"#,
            r#"{"worktree_path":"undefined"}"#,
        ] {
            assert!(remove(text).is_err(), "{text}");
        }
    }
}
