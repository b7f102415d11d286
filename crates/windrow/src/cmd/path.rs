//! `windrow path`, and the half of `windrow cd` that a program can do.

use std::{fs::OpenOptions, io::Write, os::unix::ffi::OsStrExt, path::Path};

use rustix::fs::OFlags;
use windrow_core::ops;

use super::{Context, Form, select::selector};
use crate::{
    args::PathArgs,
    environment::CD_FILE,
    errors::{Exit, Problem},
    wire::PathDocument,
};

/// Prints the path of a worktree.
pub(super) fn path(context: &mut Context, args: &PathArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let worktree = ops::find(&pool, &selector)?.worktree;
    let raw = worktree.path.as_os_str().as_bytes();
    match Form::from(args.json) {
        Form::Json => context.document(&PathDocument::from(&worktree))?,
        Form::Human if args.to_file => hand_over(context, raw)?,
        Form::Human => context.raw(&[raw, b"\n"].concat())?,
    }
    Ok(Exit::OK)
}

/// Writes the path where the shell function wants it.
fn hand_over(context: &Context, raw: &[u8]) -> Result<(), Problem> {
    let file = context.surroundings.cd_file().ok_or_else(no_function)?;
    fill(file, raw).map_err(|error| Problem::io(format!("cannot write `{}`", file.display()), &error))
}

/// The function made the file; one that is not there, or a link, is not it.
fn fill(file: &Path, raw: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().write(true).truncate(true).custom_flags(no_follow).open(file)?.write_all(raw)
}

/// What to do when the shell function is not there.
pub(super) fn no_function() -> Problem {
    Problem::usage(format!("changing the directory needs the shell function, which sets `{CD_FILE}`"))
        .hint("put `eval \"$(windrow shell --init bash)\"` into ~/.bashrc; see `windrow shell --help`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_that_the_function_made_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "a long earlier content").unwrap();
        fill(&file, b"/a\n").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"/a\n");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(fill(&link, b"/b").is_err());
        assert!(fill(&dir.path().join("missing"), b"/b").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"/a\n");
    }
}
