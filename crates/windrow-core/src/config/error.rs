//! What can be wrong with a configuration.

use std::{fmt, io, path::PathBuf};

use super::Place;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file exists and cannot be read.
    #[error("cannot read configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A directory, pipe or device where a file is expected.
    #[error("configuration file `{}` is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// More than any configuration needs.
    #[error("configuration file `{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// A committed file that is a symlink to something outside.
    #[error("committed configuration file `{}` is a symlink that leaves the repository, to `{}`", path.display(), target.display())]
    LeavesRepository {
        /// The file.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A file or variable that is not UTF-8.
    #[error("{place} is not UTF-8 text")]
    NotText {
        /// Where.
        place: Place,
    },
    /// Not TOML.
    #[error("{place} is not TOML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key, escaped for display.
        key: String,
        /// The nearest key there is.
        suggestion: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("{place}: `{key}` must be {expected}, not {found}")]
    WrongValue {
        /// Where.
        place: Place,
        /// The key or table.
        key: String,
        /// What would be right.
        expected: String,
        /// What is there, shortened and escaped for display.
        found: String,
    },
    /// A key that has no meaning outside a file.
    #[error("{place}: `{key}` can only be set in a file")]
    FileOnly {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
    },
    /// The file asks for a newer Windrow.
    #[error("{place} needs windrow {needed} or newer; this is {program}")]
    TooOld {
        /// Where.
        place: Place,
        /// The version asked for.
        needed: String,
        /// The version of this program.
        program: String,
    },
    /// A committed file that says where on the machine to write.
    #[error(
        "{place}: `{key}` = `{value}` is refused: a committed file may only name a place beside the repository, \
         `{{repo}}` once and first, directly followed by a suffix, with `{{name}}`, without `..` and `.git`, \
         such as `{{repo}}.windrow/{{name}}`"
    )]
    Steers {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
        /// The value, escaped for display.
        value: String,
    },
    /// A committed file that sets variables, by which programs can be made to run code.
    #[error(
        "{place}: `{key}` is refused: a committed file sets no variables, because they can make programs run code; set it in \
         the private file of the repository or in your own"
    )]
    CommittedVariable {
        /// Where.
        place: Place,
        /// The key, escaped for display.
        key: String,
    },
    /// The committed file names a command.
    #[error(
        "{place}: `{key}` is refused: a committed file names no command to run; set it in the private file of the repository or \
         in your own"
    )]
    CommittedCommand {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
    },
    /// The program's own version cannot be compared.
    #[error("`{version}` is not a version such as 1.2.3")]
    ProgramVersion {
        /// The text given.
        version: String,
    },
}

/// Something odd that does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key of the committed file that this version does not know; it has no effect.
    UnknownKey {
        /// Where.
        place: Place,
        /// The key, escaped for display.
        key: String,
        /// The nearest key there is.
        suggestion: Option<String>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::UnknownKey { place, key, suggestion } = self;
        write!(f, "{place}: unknown key `{key}` has no effect{}", did_you_mean(suggestion.as_deref()))
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}

/// Text of a file as it may be shown: escaped, since it could hold terminal sequences, and not endless.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
