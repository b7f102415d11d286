//! The smallest parts of documents.

use std::{ffi::OsStr, fmt::Write, os::unix::ffi::OsStrExt, path::Path};

use schemars::JsonSchema;
use serde::Serialize;

/// The version of the envelope.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("const" = 1))]
pub(crate) struct V1(u8);

impl V1 {
    pub(crate) const HERE: Self = Self(1);
}

/// Raw bytes such as a path: a string when they are UTF-8, else an object with their hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Bytes {
    /// The text itself.
    Text(String),
    /// Bytes that are not UTF-8.
    Raw {
        /// Two lower-case hexadecimal digits for each byte.
        hex: String,
    },
}

impl Bytes {
    pub(crate) fn new(raw: &[u8]) -> Self {
        match std::str::from_utf8(raw) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Raw { hex: hexadecimal(raw) },
        }
    }

    pub(crate) fn path(path: &Path) -> Self {
        Self::os(path.as_os_str())
    }

    pub(crate) fn os(text: &OsStr) -> Self {
        Self::new(text.as_bytes())
    }
}

fn hexadecimal(raw: &[u8]) -> String {
    let mut digits = String::with_capacity(raw.len() * 2);
    for byte in raw {
        // Writing into a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// A moment, in RFC 3339 with `Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "date-time"))]
pub(crate) struct Time(String);

impl From<jiff::Timestamp> for Time {
    fn from(moment: jiff::Timestamp) -> Self {
        Self(moment.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_never_changed() {
        let json = |raw: &[u8]| serde_json::to_string(&Bytes::new(raw)).unwrap();
        assert_eq!(json(b"/a\nb"), r#""/a\nb""#);
        assert_eq!(json(b"/a\xff"), r#"{"hex":"2f61ff"}"#);
    }
}
