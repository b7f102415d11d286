//! Decides whether a checkout needs git itself, because something would change what files look like on disk.
//!
//! It errs towards git: an attribute that matches no file counts as well as one that matches all.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use windrow_model::{EntryMode, TreeEntry};

use super::{
    command::Git,
    config::Config,
    repository::Repository,
    tree::{ObjectError, ObjectReader, Objects},
};

/// Why only git itself can check out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyGit {
    /// A configured filter driver, such as `lfs`.
    Filter(String),
    /// The attribute `ident`.
    Ident,
    /// Line endings are converted.
    LineEndings,
    /// The attribute `working-tree-encoding`.
    Encoding,
    /// `core.symlinks` is off.
    NoSymlinks,
    /// The checkout is sparse.
    Sparse,
    /// Objects may have to be fetched.
    PartialClone,
    /// A file of attributes that we cannot find the way git does.
    AttributesFile(BString),
}

impl fmt::Display for WhyGit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(driver) => write!(f, "the filter `{driver}`"),
            Self::Ident => f.write_str("the attribute `ident`"),
            Self::LineEndings => f.write_str("converted line endings"),
            Self::Encoding => f.write_str("the attribute `working-tree-encoding`"),
            Self::NoSymlinks => f.write_str("`core.symlinks=false`"),
            Self::Sparse => f.write_str("a sparse checkout"),
            Self::PartialClone => f.write_str("a partial clone"),
            Self::AttributesFile(path) => write!(f, "the attributes in `{path}`"),
        }
    }
}

/// Why it cannot be decided.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// An attributes file of the commit cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// An attributes file on disk cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The first reason why `entries` cannot be checked out by us; `None` when every blob goes to disk as it is.
///
/// # Errors
/// A file of attributes cannot be read.
pub fn needs_git(
    git: &Git,
    repo: &Repository,
    objects: &Objects,
    entries: &[TreeEntry],
) -> Result<Option<WhyGit>, AttributesError> {
    if let Some(why) = needs_git_always(git, repo)? {
        return Ok(Some(why));
    }
    by_tree(&mut objects.open_reader()?, entries, &repo.config)
}

/// The reason why no commit of this repository can be checked out by us; `None` when it depends on the commit.
///
/// # Errors
/// A file of attributes cannot be read.
pub fn needs_git_always(git: &Git, repo: &Repository) -> Result<Option<WhyGit>, AttributesError> {
    if let Some(why) = by_repository(repo) {
        return Ok(Some(why));
    }
    for path in attribute_files(git, repo) {
        let path = match path {
            Ok(path) => path,
            Err(unknown) => return Ok(Some(WhyGit::AttributesFile(unknown))),
        };
        if let Some(why) = by_text(&read(&path)?, &repo.config) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

fn by_repository(repo: &Repository) -> Option<WhyGit> {
    let config = &repo.config;
    let is = |key: &str, value: &str| {
        config.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value.as_bytes()))
    };
    let converts = !is("core.autocrlf", "input") && config.truth("core.autocrlf") == Some(true);
    if repo.is_partial_clone() {
        Some(WhyGit::PartialClone)
    } else if repo.sparse().is_some() {
        Some(WhyGit::Sparse)
    } else if converts || is("core.eol", "crlf") {
        Some(WhyGit::LineEndings)
    } else if config.truth("core.symlinks") == Some(false) {
        Some(WhyGit::NoSymlinks)
    } else {
        None
    }
}

/// The files of attributes outside the commit. *Source*: gitattributes(5).
fn attribute_files(git: &Git, repo: &Repository) -> Vec<Result<PathBuf, BString>> {
    let home = || git.variable("HOME").map(PathBuf::from);
    let user = match repo.config.get("core.attributesfile") {
        Some(path) if path.starts_with(b"/") => Some(Ok(PathBuf::from(OsStr::from_bytes(path)))),
        Some(path) => {
            let below_home = path.strip_prefix(b"~/").zip(home());
            Some(
                below_home.map(|(rest, home)| home.join(OsStr::from_bytes(rest))).ok_or_else(|| path.clone()),
            )
        }
        None => {
            let config = git.variable("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
            config
                .or_else(|| home().map(|home| home.join(".config")))
                .map(|dir| Ok(dir.join("git/attributes")))
        }
    };
    let fixed = [repo.common_dir.join("info/attributes"), PathBuf::from("/etc/gitattributes")];
    fixed.into_iter().map(Ok).chain(user).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, AttributesError> {
    match fs::read(path) {
        Ok(text) => Ok(text),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(source) => Err(AttributesError::Io { path: path.to_owned(), source }),
    }
}

fn by_tree(
    reader: &mut ObjectReader,
    entries: &[TreeEntry],
    config: &Config,
) -> Result<Option<WhyGit>, AttributesError> {
    let is_file = |entry: &&TreeEntry| matches!(entry.mode, EntryMode::File | EntryMode::Executable);
    let is_named =
        |entry: &&TreeEntry| entry.path.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes");
    for entry in entries.iter().filter(is_named).filter(is_file) {
        if let Some(why) = by_text(&reader.blob(&entry.oid)?, config) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// The first word of a line is a pattern, or the name of a macro.
fn by_text(text: &[u8], config: &Config) -> Option<WhyGit> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(b"#"));
    lines.flat_map(|line| line.fields().skip(1)).find_map(|word| by_word(word, config))
}

fn by_word(word: &[u8], config: &Config) -> Option<WhyGit> {
    if let Some(driver) = word.strip_prefix(b"filter=") {
        let prefix = format!("filter.{}.", driver.to_str_lossy());
        return config.keys(&prefix).next().map(|_| WhyGit::Filter(driver.to_str_lossy().into_owned()));
    }
    match word {
        b"ident" => Some(WhyGit::Ident),
        b"eol=crlf" => Some(WhyGit::LineEndings),
        _ if word.starts_with(b"working-tree-encoding=") => Some(WhyGit::Encoding),
        _ => None,
    }
}
