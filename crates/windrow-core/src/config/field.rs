//! One setting: reading it from what was written, and writing it as TOML.

use std::time::Duration;

use toml::de::DeValue;
use windrow_model::{
    BranchTemplate, DeleteBranch, LandStrategy, LogMode, PortRange, SeedChoice, Strategy, StrategyChoice,
    Submodules, parse_bytes, parse_duration,
};

use super::{directory::is_directory_template, error::shown};

/// A hundred years: more than anyone means, and safe to add to any date.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);
/// What fits the signed integers of TOML and SQLite.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// What `pool.max_worktrees` and `pool.max_bytes` say when there is no limit.
pub(super) const UNLIMITED: &str = "unlimited";

const DELETE: &[(&str, DeleteBranch)] = &[
    ("empty", DeleteBranch::Empty),
    ("landed", DeleteBranch::Landed),
    ("pushed", DeleteBranch::Pushed),
    ("never", DeleteBranch::Never),
];
const STRATEGY: &[(&str, StrategyChoice)] = &[
    ("auto", StrategyChoice::Auto),
    ("overlay", StrategyChoice::Only(Strategy::Overlay)),
    ("snapshot", StrategyChoice::Only(Strategy::Snapshot)),
    ("clone", StrategyChoice::Only(Strategy::Clone)),
    ("copy", StrategyChoice::Only(Strategy::Copy)),
    ("checkout", StrategyChoice::Only(Strategy::Checkout)),
];
const LAND: &[(&str, LandStrategy)] = &[
    ("merge", LandStrategy::Merge),
    ("squash", LandStrategy::Squash),
    ("rebase", LandStrategy::Rebase),
    ("ff", LandStrategy::FastForward),
];
const LOG: &[(&str, LogMode)] = &[("never", LogMode::Never), ("always", LogMode::Always)];
const SEED: &[(&str, SeedChoice)] = &[("auto", SeedChoice::Auto), ("off", SeedChoice::Off)];
const SUBMODULES: &[(&str, Submodules)] =
    &[("none", Submodules::None), ("direct", Submodules::Populate), ("recursive", Submodules::Recursive)];

/// A value as it was written, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// A string.
    Text(String),
    /// An integer that is not negative.
    Integer(u64),
    /// A truth value.
    Boolean(bool),
    /// An array.
    List(Vec<Raw>),
    /// What no setting takes; the words say what it is.
    Other(&'static str),
}

impl Raw {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Self::Other("an integer out of range"), Self::Integer),
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Array(list) => {
                Self::List(list.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            other => Self::Other(kind_of(other)),
        }
    }

    /// The text, when it is text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// What an error says was found.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Text(text) => format!("`{}`", shown(text)),
            Self::Integer(integer) => format!("`{integer}`"),
            Self::List(list) => list
                .iter()
                .find(|item| item.text().is_none_or(|text| !is_pattern(text)))
                .map_or_else(|| "this list".to_owned(), |item| format!("a list with {}", item.found())),
            Self::Boolean(_) => "a boolean".to_owned(),
            Self::Other(kind) => (*kind).to_owned(),
        }
    }
}

/// What a TOML value is, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The place of one setting, typed.
pub(super) enum Field<'a> {
    Count(&'a mut u32),
    Limit(&'a mut Option<u32>),
    Size(&'a mut u64),
    SizeLimit(&'a mut Option<u64>),
    Duration(&'a mut Duration),
    Switch(&'a mut bool),
    Directory(&'a mut String),
    BranchTemplate(&'a mut BranchTemplate),
    Delete(&'a mut DeleteBranch),
    Log(&'a mut LogMode),
    Seed(&'a mut SeedChoice),
    Land(&'a mut LandStrategy),
    Strategy(&'a mut StrategyChoice),
    Submodules(&'a mut Submodules),
    Patterns(&'a mut Vec<String>),
    Directories(&'a mut Vec<String>),
    States(&'a mut Vec<String>),
    Ports(&'a mut PortRange),
    Command(&'a mut Option<String>),
}

impl Field<'_> {
    /// Takes the value over; `None` when it does not fit.
    pub(super) fn set(self, raw: &Raw) -> Option<()> {
        match self {
            Self::Count(place) => *place = count(raw)?,
            Self::Limit(place) => *place = limit(raw)?,
            Self::Size(place) => *place = size(raw)?,
            Self::SizeLimit(place) => *place = size_limit(raw)?,
            Self::Duration(place) => *place = duration(raw)?,
            Self::Switch(place) => *place = switch(raw)?,
            Self::Directory(place) => *place = checked(raw, is_directory_template)?,
            Self::BranchTemplate(place) => *place = raw.text()?.parse().ok()?,
            Self::Delete(place) => *place = choice(DELETE, raw)?,
            Self::Log(place) => *place = choice(LOG, raw)?,
            Self::Seed(place) => *place = choice(SEED, raw)?,
            Self::Land(place) => *place = choice(LAND, raw)?,
            Self::Strategy(place) => *place = choice(STRATEGY, raw)?,
            Self::Submodules(place) => *place = choice(SUBMODULES, raw)?,
            Self::Patterns(place) => *place = list(raw, is_pattern)?,
            Self::Directories(place) => *place = list(raw, is_inner_directory)?,
            Self::Ports(place) => *place = raw.text()?.parse().ok()?,
            Self::Command(place) => *place = command(raw)?,
            Self::States(place) => *place = list(raw, is_state).filter(|states| are_states(states))?,
        }
        Some(())
    }

    /// The value as TOML that reads back as the same value.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Limit(limit) => limit.map_or_else(|| quoted(UNLIMITED), |limit| limit.to_string()),
            Self::Size(bytes) => quoted(&exact_bytes(**bytes)),
            Self::SizeLimit(limit) => {
                limit.map_or_else(|| quoted(UNLIMITED), |bytes| quoted(&exact_bytes(bytes)))
            }
            Self::Duration(duration) => quoted(&exact_duration(**duration)),
            Self::Switch(value) => value.to_string(),
            Self::Directory(text) => quoted(text),
            Self::BranchTemplate(template) => quoted(&template.to_string()),
            Self::Ports(range) => quoted(&range.to_string()),
            Self::Command(command) => quoted(command.as_deref().unwrap_or_default()),
            Self::Delete(value) => quoted(word(DELETE, value)),
            Self::Log(value) => quoted(word(LOG, value)),
            Self::Seed(value) => quoted(word(SEED, value)),
            Self::Land(value) => quoted(word(LAND, value)),
            Self::Strategy(value) => quoted(word(STRATEGY, value)),
            Self::Submodules(value) => quoted(word(SUBMODULES, value)),
            Self::Patterns(list) | Self::Directories(list) | Self::States(list) => {
                let items: Vec<_> = list.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

/// Text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn count(raw: &Raw) -> Option<u32> {
    if let Raw::Integer(integer) = raw { (*integer).try_into().ok() } else { None }
}

/// The outer option says whether the value fits, the inner is the limit.
fn limit(raw: &Raw) -> Option<Option<u32>> {
    match raw {
        Raw::Text(text) if text == UNLIMITED => Some(None),
        other => count(other).filter(|limit| *limit > 0).map(Some),
    }
}

fn switch(raw: &Raw) -> Option<bool> {
    if let Raw::Boolean(value) = raw { Some(*value) } else { None }
}

fn size(raw: &Raw) -> Option<u64> {
    let bytes = match raw {
        Raw::Integer(integer) => *integer,
        other => parse_bytes(other.text()?).ok()?,
    };
    (bytes <= LARGEST).then_some(bytes)
}

/// The outer option says whether the value fits, the inner is the limit.
fn size_limit(raw: &Raw) -> Option<Option<u64>> {
    match raw {
        Raw::Text(text) if text == UNLIMITED => Some(None),
        other => size(other).map(Some),
    }
}

fn duration(raw: &Raw) -> Option<Duration> {
    let duration = match raw {
        Raw::Integer(seconds) => Duration::from_secs(*seconds),
        other => parse_duration(other.text()?).ok()?,
    };
    (duration <= LONGEST).then_some(duration)
}

/// The outer option says whether the value fits; nothing is no command.
fn command(raw: &Raw) -> Option<Option<String>> {
    let text = raw.text().filter(|text| !text.contains('\0'))?;
    Some(Some(text.to_owned()).filter(|text| !text.trim().is_empty()))
}

fn checked(raw: &Raw, good: fn(&str) -> bool) -> Option<String> {
    raw.text().filter(|text| good(text)).map(str::to_owned)
}

fn list(raw: &Raw, good: fn(&str) -> bool) -> Option<Vec<String>> {
    let Raw::List(items) = raw else { return None };
    items.iter().map(|item| checked(item, good)).collect()
}

fn choice<T: Copy>(choices: &[(&str, T)], raw: &Raw) -> Option<T> {
    let text = raw.text()?;
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn word<T: PartialEq>(choices: &[(&'static str, T)], value: &T) -> &'static str {
    choices.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

fn is_pattern(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\0', '\n'])
}

/// A path that stays below where it is taken from.
fn is_inner_directory(text: &str) -> bool {
    is_pattern(text) && text.split('/').all(|part| !["", ".", "..", ".git"].contains(&part))
}

/// The word of a task's state.
fn is_state(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// One at least, and none twice.
fn are_states(states: &[String]) -> bool {
    let twice = (1..states.len()).any(|end| states[..end].contains(&states[end]));
    !states.is_empty() && !twice
}

/// A size without rounding, in its largest whole unit.
fn exact_bytes(bytes: u64) -> String {
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = units.iter().find(|(_, scale)| bytes > 0 && bytes.is_multiple_of(*scale));
    whole.map_or_else(|| bytes.to_string(), |(unit, scale)| format!("{}{unit}", bytes / scale))
}

/// A duration without rounding: `1h`, `1d12h`, `0s`.
fn exact_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts =
        [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let written: String =
        parts.iter().filter(|(_, count)| *count > 0).map(|(unit, count)| format!("{count}{unit}")).collect();
    if written.is_empty() { "0s".to_owned() } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for seconds in [0, 1, 59, 3_600, 90_061, 1_209_600] {
            let shown = exact_duration(Duration::from_secs(seconds));
            assert_eq!(parse_duration(&shown).unwrap().as_secs(), seconds, "{shown}");
        }
        for bytes in [0, 1, 1_023, 1_024, 1_536, 10 << 20, 3 << 40, LARGEST] {
            assert_eq!(parse_bytes(&exact_bytes(bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn a_size_may_have_no_limit() {
        let mut limit = None;
        for (written, read, shown) in [
            (Raw::Text("2GiB".to_owned()), Some(2 << 30), "\"2GiB\""),
            (Raw::Integer(0), Some(0), "\"0\""),
            (Raw::Text(UNLIMITED.to_owned()), None, "\"unlimited\""),
        ] {
            assert_eq!(Field::SizeLimit(&mut limit).set(&written), Some(()));
            assert_eq!((limit, Field::SizeLimit(&mut limit).show().as_str()), (read, shown));
        }
        for wrong in [Raw::Text("much".to_owned()), Raw::Boolean(true), Raw::Integer(LARGEST + 1)] {
            assert_eq!(Field::SizeLimit(&mut limit).set(&wrong), None);
        }
    }

    #[test]
    fn states_are_plain_words_and_different() {
        let list =
            |words: &[&str]| Raw::List(words.iter().map(|word| Raw::Text((*word).to_owned())).collect());
        let mut states = Vec::new();
        assert_eq!(Field::States(&mut states).set(&list(&["open", "in_review-2"])), Some(()));
        assert_eq!(states, ["open", "in_review-2"]);
        let long = "x".repeat(65);
        for wrong in [&[][..], &["open", "open"], &["Open"], &["a b"], &[""], &[long.as_str()]] {
            assert_eq!(Field::States(&mut states).set(&list(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn directories_to_carry_stay_inside() {
        assert!(is_inner_directory(".claude") && is_inner_directory("tools/agent"));
        for bad in ["", "/etc", "../x", "a/../b", ".git", "a//b", "a/"] {
            assert!(!is_inner_directory(bad), "{bad}");
        }
    }
}
