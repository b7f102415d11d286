//! The configuration.

use windrow_core::config::{Origin, Value};

use super::{
    View,
    style::{FAINT, GOOD, paint},
    text::{path, safe},
};

/// Whether to tell where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    Shown,
    Hidden,
}

/// Every key with its value, one a line.
pub(crate) fn config(values: &[Value], origins: Origins, view: &View<'_>) -> String {
    values.iter().map(|value| line(value, origins, view)).collect()
}

fn line(value: &Value, origins: Origins, view: &View<'_>) -> String {
    let key = match value.origin {
        Origin::Default => value.key.clone(),
        _ => paint(GOOD, &value.key),
    };
    let text = format!("{key} = {}", safe(&value.value));
    match origins {
        Origins::Hidden => format!("{text}\n"),
        Origins::Shown => format!("{text}  {}\n", paint(FAINT, format!("# {}", origin(&value.origin, view)))),
    }
}

/// Where a value comes from, in words.
fn origin(origin: &Origin, view: &View<'_>) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::User(file) => format!("user: {}", path(file, view)),
        Origin::Repository(file) => format!("repository: {}", path(file, view)),
        Origin::Private(file) => format!("private: {}", path(file, view)),
        Origin::Environment(variable) => format!("environment: {}", safe(variable)),
        Origin::Flag(key) => format!("flag: --config {}", safe(key)),
    }
}
