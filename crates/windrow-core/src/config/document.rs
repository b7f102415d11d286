//! A file's TOML as dotted keys with their lines.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigError, Origin, Place,
    error::shown,
    field::{Raw, kind_of},
    key::{self, sections},
};

/// One key of a file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Dotted.
    pub(super) key: String,
    /// As written.
    pub(super) raw: Raw,
    /// Where.
    pub(super) place: Place,
}

/// The keys of one file.
pub(super) struct Document {
    entries: Vec<Entry>,
}

impl Document {
    /// Reads the text, sorted by line so that the first mistake is the one reported.
    pub(super) fn parse(text: &str, origin: &Origin) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| syntax(&error, text, origin))?;
        let place = |offset| Place::at(origin, text, offset);
        let mut entries = Vec::new();
        for (name, value) in table.get_ref() {
            let place_of_key = place(name.span().start);
            match (value.get_ref(), sections().any(|section| section == name.get_ref().as_ref())) {
                (DeValue::Table(section), true) => {
                    for (inner, value) in section {
                        let key = format!("{}.{}", name.get_ref(), inner.get_ref());
                        entries.push(entry(key, value, place(inner.span().start)));
                    }
                }
                (_, false) => entries.push(entry(name.get_ref().to_string(), value, place_of_key)),
                (other, true) => return Err(not_a_table(name.get_ref(), other, place_of_key)),
            }
        }
        entries.sort_by_key(|entry| entry.place.line);
        Ok(Self { entries })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn min_version(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key::MIN_VERSION.key)
    }
}

fn entry(key: String, value: &Spanned<DeValue<'_>>, place: Place) -> Entry {
    Entry { key, raw: Raw::from_toml(value.get_ref()), place }
}

fn not_a_table(name: &str, found: &DeValue<'_>, place: Place) -> ConfigError {
    ConfigError::WrongValue {
        place,
        key: name.to_owned(),
        expected: "a table".to_owned(),
        found: kind_of(found).to_owned(),
    }
}

fn syntax(error: &toml::de::Error, text: &str, origin: &Origin) -> ConfigError {
    let place = match error.span() {
        Some(span) => Place::at(origin, text, span.start),
        None => Place::new(origin.clone()),
    };
    ConfigError::Syntax { place, message: shown(error.message()) }
}
