//! Values from the environment and from flags, which are plain text.

use super::{Kind, field::Raw};

/// Reads text as a value of this kind; `None` when it cannot be one.
///
/// Text that begins with a quotation mark is a TOML string. A list is a TOML array when it begins with `[`, else it
/// has this one entry.
pub(super) fn raw(kind: Kind, text: &str) -> Option<Raw> {
    match kind {
        Kind::Patterns | Kind::Directories | Kind::States if text.starts_with('[') => toml(text),
        Kind::Patterns | Kind::Directories | Kind::States => Some(Raw::List(vec![scalar(text)?])),
        Kind::Count | Kind::Limit => Some(text.parse().map(Raw::Integer).unwrap_or(scalar(text)?)),
        Kind::Switch => Some(text.parse().map(Raw::Boolean).unwrap_or(scalar(text)?)),
        _ => scalar(text),
    }
}

fn scalar(text: &str) -> Option<Raw> {
    if text.starts_with(['"', '\'']) { toml(text) } else { Some(Raw::Text(text.to_owned())) }
}

fn toml(text: &str) -> Option<Raw> {
    let value = toml::de::DeValue::parse(text).ok()?;
    Some(Raw::from_toml(value.get_ref()))
}
