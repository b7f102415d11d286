//! What is written down about a template.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use windrow_model::{DirectoryIdentity, Oid, Strategy};

use super::Template;
use crate::{fs, ops::pool::Pool};

/// The first line; another one is of another version, whose templates are not used.
const FORMAT: &str = "windrow template 1";

const NOTE: &str = "template";
const MAKING: &str = "making";

/// Where the files of a template lie.
pub(super) fn root(beside: &Path, id: &str) -> PathBuf {
    beside.join(format!(".template-{id}"))
}

pub(super) fn index(pool: &Pool, id: &str) -> PathBuf {
    pool.templates_dir().join(format!("{id}.index"))
}

/// The lock of who is about to use a template.
pub(super) fn pin(pool: &Pool, id: &str) -> PathBuf {
    file(pool, id, "pin")
}

fn file(pool: &Pool, id: &str, kind: &str) -> PathBuf {
    pool.templates_dir().join(format!("{id}.{kind}"))
}

/// All that can be read; the rest is none.
pub(super) fn all(pool: &Pool) -> Vec<Template> {
    let ids = ids(pool, NOTE);
    let read = |id: String| read(pool, id);
    ids.into_iter().filter_map(read).collect()
}

/// Those that somebody was at work on when he was killed, and what cannot be read; with the directory around their files where it
/// is known.
pub(super) fn unfinished(pool: &Pool) -> Vec<(String, Option<PathBuf>)> {
    let broken = ids(pool, NOTE).into_iter().filter(|id| read(pool, id.clone()).is_none());
    let making = ids(pool, MAKING).into_iter();
    let beside = |id: &String| {
        let noted = |kind| beside_of(&std::fs::read(file(pool, id, kind)).ok()?);
        [MAKING, NOTE].into_iter().find_map(noted)
    };
    making.chain(broken).map(|id| (id.clone(), beside(&id))).collect()
}

/// Where the files of what was not finished lie, as far as it is known.
pub(super) fn unfinished_roots(pool: &Pool) -> Vec<PathBuf> {
    let root = |(id, beside): (String, Option<PathBuf>)| beside.map(|beside| root(&beside, &id));
    unfinished(pool).into_iter().filter_map(root).collect()
}

/// The directory around the files of a template, by any note about it.
fn beside_of(note: &[u8]) -> Option<PathBuf> {
    const ROOT: &[u8] = b"\nroot ";
    let at = note.windows(ROOT.len()).position(|window| window == ROOT)?;
    let root = PathBuf::from(OsString::from_vec(note[at + ROOT.len()..].to_vec()));
    Some(root.parent()?.to_owned())
}

fn ids(pool: &Pool, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(pool.templates_dir()).into_iter().flatten().flatten() {
        let path = entry.path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).filter(|id| is_id(id));
        if let (Some(id), true) = (id, path.extension().is_some_and(|extension| extension == kind)) {
            found.push(id.to_owned());
        }
    }
    found
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read(pool: &Pool, id: String) -> Option<Template> {
    // What is being changed is none for the time being.
    if file(pool, &id, MAKING).exists() {
        return None;
    }
    let path = file(pool, &id, NOTE);
    let made_at = path.metadata().ok()?.modified().ok()?;
    let text = std::fs::read(path).ok()?;
    let fields = parse(&text)?;
    Some(Template {
        commit: fields.commit,
        serves: fields.serves,
        root: fields.root,
        made_at: Timestamp::try_from(made_at).ok()?,
        index: index(pool, &id),
        id,
        conditions: fields.conditions,
        identity: fields.identity,
    })
}

struct Fields {
    commit: Oid,
    serves: Strategy,
    identity: String,
    conditions: String,
    root: PathBuf,
}

/// The path comes last because it may hold anything.
fn parse(text: &[u8]) -> Option<Fields> {
    let mut rest = text;
    let mut line = |key: &str| -> Option<String> {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let found = std::str::from_utf8(&rest[..end]).ok()?.strip_prefix(key)?.to_owned();
        rest = &rest[end + 1..];
        Some(found)
    };
    line(FORMAT).filter(String::is_empty)?;
    let commit = line("commit ")?.parse().ok()?;
    let serves = line("serves ")?;
    let serves = Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == serves)?;
    let (identity, conditions) = (line("directory ")?, line("conditions ")? + "\n");
    let root = PathBuf::from(OsString::from_vec(rest.strip_prefix(b"root ")?.to_vec()));
    Some(Fields { commit, serves, identity, conditions, root })
}

/// Tells whether what lies where a template was made is that directory.
pub(super) fn is_there(template: &Template) -> bool {
    identity(&template.root).ok().flatten().as_ref() == Some(&template.identity)
}

fn identity(root: &Path) -> io::Result<Option<String>> {
    let words = |found: DirectoryIdentity| {
        let born = found.born_nanos.map_or_else(|| "-".to_owned(), |nanos| nanos.to_string());
        format!("{} {} {born}", found.filesystem, found.inode)
    };
    Ok(fs::directory_identity(root)?.map(words))
}

/// Notes that somebody is at work on a template; whatever is known of it is no longer so.
pub(super) fn begin(pool: &Pool, id: &str, root: &Path) -> io::Result<()> {
    let mut text = b"\nroot ".to_vec();
    text.extend_from_slice(root.as_os_str().as_bytes());
    let mut making = File::create(file(pool, id, MAKING))?;
    making.write_all(&text)?;
    // A power cut must not leave files of which nobody knows.
    making.sync_all()?;
    remove(&file(pool, id, NOTE))?;
    fs::sync_directory(&pool.templates_dir())
}

/// What is to be noted of a template that is finished.
pub(super) struct Finished<'a> {
    pub(super) id: &'a str,
    pub(super) commit: &'a Oid,
    pub(super) serves: Strategy,
    pub(super) conditions: &'a str,
    pub(super) root: &'a Path,
}

/// Notes that a template can be used.
pub(super) fn finish(pool: &Pool, finished: &Finished<'_>) -> io::Result<()> {
    let identity = identity(finished.root)?.ok_or(io::ErrorKind::NotFound)?;
    let mut text = format!(
        "{FORMAT}\ncommit {}\nserves {}\ndirectory {identity}\nconditions {}root ",
        finished.commit,
        finished.serves.as_str(),
        finished.conditions
    )
    .into_bytes();
    text.extend_from_slice(finished.root.as_os_str().as_bytes());
    std::fs::write(file(pool, finished.id, NOTE), text)?;
    remove(&file(pool, finished.id, MAKING))
}

/// Forgets a template.
pub(super) fn forget(pool: &Pool, id: &str) -> io::Result<()> {
    remove(&index(pool, id))?;
    remove(&index(pool, id).with_extension("index.lock"))?;
    remove(&pin(pool, id))?;
    remove(&file(pool, id, NOTE))?;
    remove(&file(pool, id, MAKING))
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_whatever_the_path_holds() {
        let mut text = format!(
            "{FORMAT}\ncommit {}\nserves clone\ndirectory 1 2 -\nconditions 1 0022 x\nroot ",
            "1".repeat(40)
        )
        .into_bytes();
        text.extend_from_slice(b"/new\nline/\xff");
        let fields = parse(&text).unwrap();
        assert_eq!(fields.root.as_os_str().as_bytes(), b"/new\nline/\xff");
        assert_eq!((fields.serves, fields.conditions.as_str()), (Strategy::Clone, "1 0022 x\n"));
        assert_eq!(fields.identity, "1 2 -");
    }

    #[test]
    fn what_was_cut_short_is_no_note() {
        let whole = format!(
            "{FORMAT}\ncommit {}\nserves copy\ndirectory 1 2 3\nconditions x\nroot /x",
            "1".repeat(40)
        );
        let until = whole.find("root ").unwrap();
        for end in 0..until {
            assert!(parse(&whole.as_bytes()[..end]).is_none(), "{end}");
        }
        assert!(parse(whole.as_bytes()).is_some());
        assert!(parse(whole.replace("template 1", "template 2").as_bytes()).is_none());
        assert!(parse(whole.replace("copy", "magic").as_bytes()).is_none());
    }
}
