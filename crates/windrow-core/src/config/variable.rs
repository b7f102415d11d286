//! The table `[env]`: variables for the commands in worktrees, under names of the user's choice.

use windrow_model::is_worktree_template;

use super::{ConfigError, Origin, Place, error::shown, field::Raw, key};

/// What a value must be, as it continues "must be".
const EXPECTED: &str =
    "text in which {name}, {slug}, {port}, {port_1}, {repo}, {main}, {worktree} or {state} may stand";

/// The name of the variable that a key sets.
pub(super) fn name_in(key: &str) -> Option<&str> {
    key.strip_prefix(key::VARIABLES)?.strip_prefix('.')
}

/// The name of the variable that an environment variable of ours sets, in the spelling it has there.
pub(super) fn name_in_environment(name: &str) -> Option<&str> {
    name.strip_prefix(key::ENVIRONMENT_PREFIX)?.strip_prefix("ENV__")
}

/// The name and value, if they may be set there.
pub(super) fn check(name: &str, raw: &Raw, place: &Place) -> Result<(String, String), ConfigError> {
    let key = || shown(&format!("{}.{name}", key::VARIABLES));
    let wrong = |expected: &str, found: String| ConfigError::WrongValue {
        place: place.clone(),
        key: key(),
        expected: expected.to_owned(),
        found,
    };
    if matches!(place.origin, Origin::Repository(_)) {
        return Err(ConfigError::CommittedVariable { place: place.clone(), key: key() });
    }
    if !is_free(name) {
        return Err(wrong("the name of a variable that is not ours or git's", format!("`{}`", shown(name))));
    }
    let text = raw.text().filter(|text| !text.contains('\0') && is_worktree_template(text));
    let text = text.ok_or_else(|| wrong(EXPECTED, raw.found()))?;
    Ok((name.to_owned(), text.to_owned()))
}

/// A name that a shell can use, and that does not change what we tell commands.
fn is_free(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(good);
    is_name && !name.starts_with("WINDROW_") && !name.starts_with("GIT_") && name != "PWD"
}
