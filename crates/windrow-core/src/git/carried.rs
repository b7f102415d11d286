//! The list of what was carried into a worktree, in its administrative directory: for when the records are lost, because what
//! was carried must not go into the object database even then.
//!
//! # Crash safety
//! Written before the worktree is handed out, and replaced by one rename; it goes with the directory.
//!
//! # Compatibility
//! A first line with the format, then for each path `KIND HASH MODE SIZE PATH`, ended by a zero byte; `-` is no hash, the mode
//! is octal. A list of another format is an error.

use std::{fs, io, path::Path};

use bstr::{BString, ByteSlice};
use windrow_model::{CarriedFile, CarriedKind};

use super::{admin::write_new, facts::read_plain};

const FILE: &str = "windrow-carried";
const FORMAT: &[u8] = b"windrow-carried 1\n";

/// Writes the list anew; without anything carried there is none.
///
/// # Errors
/// The file system refuses.
pub fn write_carried(admin: &Path, files: &[CarriedFile]) -> io::Result<()> {
    let place = admin.join(FILE);
    if files.is_empty() {
        return gone(fs::remove_file(&place));
    }
    let mut text = FORMAT.to_vec();
    for file in files {
        let hash = if file.hash.is_empty() { "-" } else { &file.hash };
        text.extend(format!("{} {hash} {:o} {} ", file.kind, file.mode, file.size).into_bytes());
        text.extend_from_slice(&file.path);
        text.push(0);
    }
    let aside = admin.join(format!("{FILE}.new"));
    gone(fs::remove_file(&aside))?;
    write_new(&aside, &text)?;
    fs::rename(&aside, &place)
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads the list; empty when there is none, in the order it was written.
///
/// # Errors
/// It is no plain file, cannot be read, or says something else than such a list does.
pub fn read_carried(admin: &Path) -> io::Result<Vec<CarriedFile>> {
    let Some(text) = read_plain(&admin.join(FILE))? else { return Ok(Vec::new()) };
    let lines = text.strip_prefix(FORMAT).and_then(|rest| rest.strip_suffix(b"\0"));
    let files = lines.and_then(|lines| lines.split(|byte| *byte == 0).map(parse).collect());
    files.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a list of carried files"))
}

fn parse(line: &[u8]) -> Option<CarriedFile> {
    let mut words = line.splitn(5, |byte| *byte == b' ');
    let mut text = || words.next()?.to_str().ok();
    let kind = text()?.parse::<CarriedKind>().ok()?;
    let hash = text()?.trim_start_matches('-').to_owned();
    let mode = u32::from_str_radix(text()?, 8).ok()?;
    let size = text()?.parse().ok()?;
    let path = BString::from(words.next()?);
    is_below(&path).then_some(CarriedFile { path, kind, hash, mode, size })
}

/// Whoever works in the worktree can have written the list.
fn is_below(path: &BString) -> bool {
    path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &[u8], kind: CarriedKind, hash: &str) -> CarriedFile {
        CarriedFile { path: path.into(), kind, hash: hash.to_owned(), mode: 0o640, size: 3 }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let admin = tempfile::tempdir().unwrap();
        assert_eq!(read_carried(admin.path()).unwrap(), []);
        let mut all = vec![
            file(b".claude", CarriedKind::Directory, ""),
            file(b".claude/a b\n\xff", CarriedKind::File, "0a1b"),
            file(b"link", CarriedKind::Link, "ff"),
            file(b"other", CarriedKind::Symlink, "ff"),
        ];
        write_carried(admin.path(), &all).unwrap();
        assert_eq!(read_carried(admin.path()).unwrap(), all);
        all.truncate(2);
        write_carried(admin.path(), &all).unwrap();
        assert_eq!(read_carried(admin.path()).unwrap(), all);
        write_carried(admin.path(), &[]).unwrap();
        assert_eq!(fs::read_dir(admin.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_such_list_is_an_error() {
        let admin = tempfile::tempdir().unwrap();
        for text in [
            "",
            "windrow-carried 2\nfile - 644 0 a\0",
            "windrow-carried 1\n",
            "windrow-carried 1\nfile - 644 0 a",
            "windrow-carried 1\nfile - 644 0\0",
            "windrow-carried 1\nroom - 644 0 a\0",
            "windrow-carried 1\nfile - 9 0 a\0",
            "windrow-carried 1\nfile - 644 0 a\0file - 644 0 ../b\0",
            "windrow-carried 1\nfile - 644 0 /a\0",
        ] {
            fs::write(admin.path().join(FILE), text).unwrap();
            assert!(read_carried(admin.path()).is_err(), "{text:?}");
        }
    }
}
