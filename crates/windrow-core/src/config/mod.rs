//! Layered configuration: defaults, three files, the environment and flags become one [`Settings`].
//!
//! A later layer wins key by key: default < user < repository < private < environment < flag. Lists replace, they are
//! not joined. One table ([`keys`]) drives parsing, errors and `docs/configuration.md`.
//!
//! The environment speaks through `WINDROW_CONFIG__<SECTION>__<KEY>` only (`WINDROW_CONFIG__POOL__MAX_WORKTREES`): two
//! underscores stand for the dot, and no variable that Windrow gives to commands (`WINDROW_NAME`, `WINDROW_PATH`, …)
//! begins like that.
//!
//! # Compatibility
//! The committed file may have been written for a newer Windrow, so a key that is not known there is a [`Warning`];
//! everywhere else it is an error. `min_version` is checked before anything else in a file is looked at.

mod directory;
mod document;
mod error;
mod field;
mod file;
mod key;
mod origin;
mod suggest;
#[cfg(test)]
mod tests;
mod text;
mod variable;
mod version;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use windrow_model::Settings;

use self::{
    directory::stays_beside_repository,
    document::{Document, Entry},
    field::Raw,
    file::Links,
    version::Version,
};
pub use self::{
    error::{ConfigError, Warning},
    key::{KeyDoc, Kind, environment_name, keys},
    origin::{Origin, Place},
    version::is_older,
};

/// Where configuration comes from; what is absent adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The user's file, under XDG_CONFIG_HOME.
    pub user: Option<PathBuf>,
    /// The committed `windrow.toml` at the top of the main checkout, never that of a worktree an agent can write.
    pub repository: Option<PathBuf>,
    /// `windrow/config.toml` in the git common dir.
    pub private: Option<PathBuf>,
    /// The whole environment; only `WINDROW_CONFIG__…` is read.
    pub environment: Vec<(OsString, OsString)>,
    /// `--config key=value` in the order given; the last of equal keys wins.
    pub flags: Vec<(String, String)>,
}

/// The configuration with its history.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// Every key, sorted, with its value and where that came from.
    pub values: Vec<Value>,
    /// What is odd but does no harm.
    pub warnings: Vec<Warning>,
}

/// One key as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The dotted key, `pool.ttl`.
    pub key: String,
    /// The value as TOML text, `"1h"`.
    pub value: String,
    /// The last layer that gave it.
    pub origin: Origin,
}

/// Reads every layer and resolves them.
///
/// A file that does not exist adds nothing. `program_version` is compared with `min_version` of the files.
///
/// # Errors
/// A file that cannot be read, is no regular file, larger than 1 MiB, not TOML or asks for a newer Windrow; a key that is
/// not known (other than in the committed file); a value of the wrong type or out of range; a committed file that is
/// a symlink out of the repository or wants worktrees elsewhere than beside it.
pub fn load(sources: &Sources, program_version: &str) -> Result<Loaded, ConfigError> {
    let program = Version::parse_program(program_version)
        .ok_or_else(|| ConfigError::ProgramVersion { version: program_version.to_owned() })?;
    let mut resolver = Resolver::new(program, program_version);
    resolver.file(sources.user.as_ref(), Origin::User, Links::Followed)?;
    resolver.file(sources.repository.as_ref(), Origin::Repository, Links::WithinParent)?;
    resolver.file(sources.private.as_ref(), Origin::Private, Links::Followed)?;
    resolver.environment(&sources.environment)?;
    for (key, text) in &sources.flags {
        resolver.text(key, text, &Place::new(Origin::Flag(key.clone())))?;
    }
    Ok(resolver.finish())
}

/// The layers read so far.
struct Resolver<'a> {
    program: Version,
    program_version: &'a str,
    settings: Settings,
    min_version: String,
    /// One for each key, in the table's order.
    origins: Vec<Origin>,
    /// By the names of the variables that are set.
    variables: BTreeMap<String, Origin>,
    warnings: Vec<Warning>,
}

impl<'a> Resolver<'a> {
    fn new(program: Version, program_version: &'a str) -> Self {
        Self {
            program,
            program_version,
            settings: Settings::default(),
            min_version: version::ANY.to_owned(),
            origins: vec![Origin::Default; keys().len()],
            variables: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn file(
        &mut self,
        path: Option<&PathBuf>,
        origin: fn(PathBuf) -> Origin,
        links: Links,
    ) -> Result<(), ConfigError> {
        let Some(path) = path else { return Ok(()) };
        let origin = origin(path.clone());
        let Some(text) = file::read(path, links, &origin)? else { return Ok(()) };
        let document = Document::parse(&text, &origin)?;
        if let Some(entry) = document.min_version() {
            self.require_version(entry)?;
        }
        document.entries().iter().try_for_each(|entry| self.entry(entry))
    }

    /// Refuses a file that was written for a newer Windrow, before its other keys can look wrong.
    fn require_version(&self, entry: &Entry) -> Result<(), ConfigError> {
        let needed = match &entry.raw {
            Raw::Text(text) => Version::parse_needed(text).map(|version| (text, version)),
            _ => None,
        };
        let (text, version) =
            needed.ok_or_else(|| wrong_value(&key::MIN_VERSION, &entry.raw, &entry.place))?;
        if version > self.program {
            return Err(ConfigError::TooOld {
                place: entry.place.clone(),
                needed: text.clone(),
                program: self.program_version.to_owned(),
            });
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        if let Some(name) = variable::name_in(&entry.key) {
            return self.variable(name, &entry.raw, &entry.place);
        }
        let Some(index) = key::position(&entry.key) else {
            return self.unknown(entry);
        };
        self.apply(index, &entry.raw, &entry.place)
    }

    fn unknown(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        let error = unknown_key(&entry.key, &entry.place);
        match (&entry.place.origin, error) {
            (Origin::Repository(_), ConfigError::UnknownKey { place, key, suggestion }) => {
                self.warnings.push(Warning::UnknownKey { place, key, suggestion });
                Ok(())
            }
            (_, error) => Err(error),
        }
    }

    /// Sets a variable for the commands in worktrees.
    fn variable(&mut self, name: &str, raw: &Raw, place: &Place) -> Result<(), ConfigError> {
        let (name, value) = variable::check(name, raw, place)?;
        self.settings.env.insert(name.clone(), value);
        self.variables.insert(name, place.origin.clone());
        Ok(())
    }

    fn environment(&mut self, environment: &[(OsString, OsString)]) -> Result<(), ConfigError> {
        for (name, value) in environment {
            if !name.as_encoded_bytes().starts_with(key::ENVIRONMENT_PREFIX.as_bytes()) {
                continue;
            }
            let lossy = name.to_string_lossy().into_owned();
            let place = Place::new(Origin::Environment(lossy.clone()));
            let text = value.to_str().ok_or_else(|| ConfigError::NotText { place: place.clone() })?;
            if let Some(name) = variable::name_in_environment(&lossy) {
                self.variable(name, &Raw::Text(text.to_owned()), &place)?;
                continue;
            }
            match keys().iter().find(|key| name.as_os_str() == environment_name(key.key).as_str()) {
                Some(key) => self.text(key.key, text, &place)?,
                None => return Err(unknown_key(&key::key_of_environment_name(&lossy), &place)),
            }
        }
        Ok(())
    }

    fn text(&mut self, key: &str, text: &str, place: &Place) -> Result<(), ConfigError> {
        if let Some(name) = variable::name_in(key) {
            return self.variable(name, &Raw::Text(text.to_owned()), place);
        }
        let index = key::position(key).ok_or_else(|| unknown_key(key, place))?;
        let doc = &keys()[index];
        if doc.kind == Kind::Version {
            return Err(ConfigError::FileOnly { place: place.clone(), key: doc.key });
        }
        let raw =
            text::raw(doc.kind, text).ok_or_else(|| wrong_value(doc, &Raw::Text(text.to_owned()), place))?;
        self.apply(index, &raw, place)
    }

    fn apply(&mut self, index: usize, raw: &Raw, place: &Place) -> Result<(), ConfigError> {
        let doc = &keys()[index];
        if let (Kind::Directory, Origin::Repository(_), Raw::Text(text)) = (doc.kind, &place.origin, raw)
            && !stays_beside_repository(text)
        {
            return Err(ConfigError::Steers {
                place: place.clone(),
                key: doc.key,
                value: error::shown(text),
            });
        }
        if let (Kind::Command, Origin::Repository(_)) = (doc.kind, &place.origin) {
            return Err(ConfigError::CommittedCommand { place: place.clone(), key: doc.key });
        }
        let set = match doc.field(&mut self.settings) {
            Some(field) => field.set(raw),
            None => raw.text().map(|text| text.clone_into(&mut self.min_version)),
        };
        set.ok_or_else(|| wrong_value(doc, raw, place))?;
        self.origins[index] = place.origin.clone();
        Ok(())
    }

    fn finish(mut self) -> Loaded {
        let mut values = Vec::new();
        for (doc, origin) in keys().iter().zip(self.origins) {
            let value = match doc.field(&mut self.settings) {
                Some(field) => field.show(),
                None => field::quoted(&self.min_version),
            };
            values.push(Value { key: doc.key.to_owned(), value, origin });
        }
        for (name, origin) in self.variables {
            let value = self.settings.env.get(&name).map(|value| field::quoted(value)).unwrap_or_default();
            values.push(Value { key: format!("{}.{name}", key::VARIABLES), value, origin });
        }
        values.sort_by(|a, b| a.key.cmp(&b.key));
        Loaded { settings: self.settings, values, warnings: self.warnings }
    }
}

fn unknown_key(key: &str, place: &Place) -> ConfigError {
    let suggestion = suggest::nearest(key);
    ConfigError::UnknownKey { place: place.clone(), key: error::shown(key), suggestion }
}

fn wrong_value(doc: &KeyDoc, raw: &Raw, place: &Place) -> ConfigError {
    ConfigError::WrongValue {
        place: place.clone(),
        key: doc.key.to_owned(),
        expected: doc.kind.expected(),
        found: raw.found(),
    }
}
