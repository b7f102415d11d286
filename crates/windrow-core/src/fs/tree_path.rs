//! Which paths of a tree may be written: the rules by which git protects its own directory.

use bstr::{BStr, BString, ByteSlice};
use windrow_model::EntryMode;

/// Why a path of a tree is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path `{path}` is refused: {why}")]
pub struct TreePathError {
    /// The path.
    pub path: BString,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Checks a slash-separated path from a tree or an index.
///
/// *Source*: `verify_path` of git, with `core.protectNTFS` and `core.protectHFS` both on, because a tree that was made to
/// hurt elsewhere is not wanted here either.
///
/// # Errors
/// Empty components, `.`, `..`, NUL bytes, every spelling of `.git`, and a symbolic link called `.gitmodules`.
pub fn check_tree_path(path: &BStr, mode: EntryMode) -> Result<(), TreePathError> {
    let refuse = |why| TreePathError { path: path.to_owned(), why };
    if path.contains(&0) {
        return Err(refuse("it holds a NUL byte"));
    }
    for part in path.split(|&byte| byte == b'/') {
        component_fault(part, mode).map_or(Ok(()), |why| Err(refuse(why)))?;
    }
    Ok(())
}

fn component_fault(part: &[u8], mode: EntryMode) -> Option<&'static str> {
    match part {
        b"" => Some("it has an empty component"),
        b"." | b".." => Some("it has a component `.` or `..`"),
        _ if part.split(|&byte| byte == b'\\').any(is_dot_git) || is_hfs_dot_git(part) => {
            Some("it has a component that some file systems take for `.git`")
        }
        _ if mode == EntryMode::Symlink && is_git_modules(part) => {
            Some("`.gitmodules` must not be a symbolic link")
        }
        _ => None,
    }
}

/// NTFS: any case, the short name, trailing dots and spaces, and streams.
fn is_dot_git(part: &[u8]) -> bool {
    after_prefix(part, b".git").or_else(|| after_prefix(part, b"git~1")).is_some_and(ends_name)
}

fn is_git_modules(part: &[u8]) -> bool {
    let short = |digit: u8| after_prefix(part, &[b"gitmod~", [digit].as_slice()].concat());
    let rest = after_prefix(part, b".gitmodules").or_else(|| (b'1'..=b'4').find_map(short));
    rest.is_some_and(ends_name)
}

fn after_prefix<'a>(part: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = part.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn ends_name(rest: &[u8]) -> bool {
    let name = rest.split(|&byte| byte == b':').next().unwrap_or_default();
    name.iter().all(|byte| matches!(byte, b'.' | b' '))
}

/// HFS+ ignores these code points when it compares names.
fn is_hfs_dot_git(part: &[u8]) -> bool {
    // Plain names, nearly all there are, were judged above.
    let Some(text) = part.to_str().ok().filter(|text| !text.is_ascii()) else { return false };
    let seen = text.chars().filter(|char| !is_hfs_ignorable(*char)).take(5).collect::<String>();
    seen.eq_ignore_ascii_case(".git")
}

fn is_hfs_ignorable(char: char) -> bool {
    matches!(char, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str) -> bool {
        check_tree_path(path.into(), EntryMode::File).is_err()
    }

    #[test]
    fn hostile_paths_are_refused() {
        let hostile = [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".git",
            ".GIT/config",
            "a/.Git/hooks/x",
            "git~1",
            "GIT~1/config",
            ".git ",
            ".git. ./x",
            ".git::$INDEX_ALLOCATION/x",
            ".git:x",
            "a\\.git\\config",
            ".g\u{200c}it/config",
            "\u{feff}.git",
            ".gi\u{200d}T",
            "a\0b",
        ];
        for path in hostile {
            assert!(refused(path), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            ".gitignore",
            ".github/x",
            "git",
            "git~10",
            "a..b/...",
            ".gitx",
            "a\\b",
            "-x",
            "a\nb",
            ".git-x",
            "\u{200c}x",
        ] {
            assert!(!refused(path), "{path:?}");
        }
        assert!(check_tree_path(BStr::new(b"\xff\xfe"), EntryMode::File).is_ok());
    }

    #[test]
    fn gitmodules_must_be_a_file() {
        for path in [".gitmodules", ".GITMODULES", "gitmod~1", ".gitmodules ."] {
            assert!(check_tree_path(path.into(), EntryMode::Symlink).is_err(), "{path}");
            assert!(check_tree_path(path.into(), EntryMode::File).is_ok(), "{path}");
        }
    }
}
