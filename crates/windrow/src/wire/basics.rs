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

/// How much room something takes on the disk.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Usage {
    /// Sum of the lengths of its files; holes count.
    apparent_bytes: u64,
    /// What the file system set aside for it.
    allocated_bytes: u64,
    /// How much of that other files hold as well; null when it cannot be told.
    shared_bytes: Option<u64>,
    /// How much of that nothing else holds; null when it cannot be told.
    unique_bytes: Option<u64>,
    /// Files, links and directories; several names of one file are one.
    inodes: u64,
}

impl From<&windrow_model::Usage> for Usage {
    fn from(usage: &windrow_model::Usage) -> Self {
        Self {
            apparent_bytes: usage.apparent_bytes,
            allocated_bytes: usage.allocated_bytes,
            shared_bytes: usage.shared_bytes,
            unique_bytes: usage.unique_bytes(),
            inodes: usage.inodes,
        }
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
