//! What an applier is about to do to a checkout, written down before it begins, so that anybody can take it back or go on.
//!
//! # Compatibility
//! A line for each step, `-` for what is not there, paths in hexadecimal digits, and a last line that counts: a plan that was
//! cut short is none.

use std::{fmt::Write, fs, io::Write as _, path::Path, str::FromStr};

use bstr::BString;
use windrow_model::{EntryMode, Oid};

const HEAD: &str = "windrow-landing 1";

/// How one path changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A file and its successor change places.
    Exchange,
    /// Something new comes to a free place.
    Put,
    /// A file goes.
    Take,
    /// Only the index tells of it.
    Index,
}

const WAYS: [(Way, &str); 4] =
    [(Way::Exchange, "exchange"), (Way::Put, "put"), (Way::Take, "take"), (Way::Index, "index")];

const MODES: [(EntryMode, &str); 4] = [
    (EntryMode::File, "100644"),
    (EntryMode::Executable, "100755"),
    (EntryMode::Symlink, "120000"),
    (EntryMode::Gitlink, "160000"),
];

/// What git tracks at a path, and what its bytes in the checkout are called as a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) mode: EntryMode,
    pub(super) oid: Oid,
    pub(super) raw: Oid,
}

/// One path that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) path: BString,
    pub(super) way: Way,
    pub(super) old: Option<Content>,
    pub(super) new: Option<Content>,
    /// The inode of what is new, by which it is known wherever it is.
    pub(super) inode: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// In the order in which they are done.
    pub(super) steps: Vec<Step>,
    /// Directories that are made for it, those above first.
    pub(super) directories: Vec<BString>,
}

impl Plan {
    /// Writes it, whole and on the disk before this returns.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()
    }

    /// Reads it; `None` when it is not there or was cut short.
    pub(super) fn read(path: &Path) -> std::io::Result<Option<Self>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for directory in &self.directories {
            let _ = writeln!(text, "directory {}", hex(directory));
        }
        for step in &self.steps {
            let way = WAYS.iter().find(|(way, _)| *way == step.way).map_or("", |(_, word)| word);
            let (old, new) = (content(step.old.as_ref()), content(step.new.as_ref()));
            let _ = writeln!(text, "{way} {old} {new} {} {}", step.inode, hex(&step.path));
        }
        let _ = writeln!(text, "end {}", self.steps.len());
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(HEAD)?.lines().skip(1);
        let mut plan = Self::default();
        loop {
            let line = lines.next()?;
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["end", count] => return (count.parse() == Ok(plan.steps.len())).then_some(plan),
                ["directory", path] => plan.directories.push(unhex(path)?),
                _ => plan.steps.push(step(&words)?),
            }
        }
    }
}

fn step(words: &[&str]) -> Option<Step> {
    let [way, old_mode, old_oid, old_raw, new_mode, new_oid, new_raw, inode, path] = words else {
        return None;
    };
    Some(Step {
        path: unhex(path)?,
        way: WAYS.iter().find(|(_, word)| word == way)?.0,
        old: read_content([old_mode, old_oid, old_raw])?,
        new: read_content([new_mode, new_oid, new_raw])?,
        inode: inode.parse().ok()?,
    })
}

fn content(content: Option<&Content>) -> String {
    content.map_or_else(
        || "- - -".to_owned(),
        |content| {
            let mode = MODES.iter().find(|(mode, _)| *mode == content.mode).map_or("", |(_, word)| word);
            format!("{mode} {} {}", content.oid, content.raw)
        },
    )
}

/// The outer option says whether it can be read.
fn read_content(words: [&str; 3]) -> Option<Option<Content>> {
    if words == ["-"; 3] {
        return Some(None);
    }
    let mode = MODES.iter().find(|(_, word)| *word == words[0])?.0;
    Some(Some(Content { mode, oid: Oid::from_str(words[1]).ok()?, raw: Oid::from_str(words[2]).ok()? }))
}

fn hex(path: &[u8]) -> String {
    path.iter().fold(String::with_capacity(path.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<BString> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect::<Option<Vec<u8>>>().map(BString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let oid = |digit: &str| digit.repeat(40).parse().unwrap();
        let content = |mode, digit: &str| Some(Content { mode, oid: oid(digit), raw: oid("9") });
        let step = |path: &[u8], way, old, new| Step { path: path.into(), way, old, new, inode: 7 };
        Plan {
            steps: vec![
                step(
                    b"a b\n\xff",
                    Way::Exchange,
                    content(EntryMode::File, "1"),
                    content(EntryMode::Symlink, "2"),
                ),
                step(b"new", Way::Put, None, content(EntryMode::Executable, "3")),
                step(b"gone", Way::Take, content(EntryMode::File, "4"), None),
                step(b"sub", Way::Index, content(EntryMode::Gitlink, "5"), content(EntryMode::Gitlink, "6")),
            ],
            directories: vec!["d".into(), "d/e".into()],
        }
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan");
        assert_eq!(Plan::read(&path).unwrap(), None);
        plan().write(&path).unwrap();
        assert_eq!(Plan::read(&path).unwrap(), Some(plan()));
    }

    #[test]
    fn a_plan_that_was_cut_short_is_none() {
        let text = plan().text();
        for length in 0..text.len() - 1 {
            assert_eq!(Plan::parse(&text[..length]), None, "{length}");
        }
    }
}
