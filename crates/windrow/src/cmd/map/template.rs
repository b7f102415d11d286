//! Placeholders: `{name}` in arguments, variables and input stands for a value of the task.
//!
//! Only what looks like a name in braces is one, so that `awk '{print $1}'` and `${HOME}` stay as they are; `{{name}}` is the text
//! `{name}`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// Puts the values in; the error is a name that stands for nothing.
pub(super) fn fill(template: &OsStr, values: &BTreeMap<String, OsString>) -> Result<OsString, String> {
    let mut rest = template.as_bytes();
    let mut filled = Vec::with_capacity(rest.len());
    while let Some(&first) = rest.first() {
        let escaped = rest.strip_prefix(b"{").and_then(name).filter(|(_, after)| after.starts_with(b"}"));
        if let Some((text, after)) = escaped {
            filled.extend_from_slice(format!("{{{text}}}").as_bytes());
            rest = &after[1..];
        } else if let Some((text, after)) = name(rest).filter(|_| filled.last() != Some(&b'$')) {
            let value = values.get(text).ok_or_else(|| text.to_owned())?;
            filled.extend_from_slice(value.as_bytes());
            rest = after;
        } else {
            filled.push(first);
            rest = &rest[1..];
        }
    }
    Ok(OsString::from_vec(filled))
}

/// The name in braces that the text begins with, and what follows it.
fn name(text: &[u8]) -> Option<(&str, &[u8])> {
    let inner = text.strip_prefix(b"{")?;
    let end = inner.iter().position(|byte| *byte == b'}')?;
    let (name, after) = (&inner[..end], &inner[end + 1..]);
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(good);
    std::str::from_utf8(name).ok().filter(|_| is_name).map(|name| (name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let values = [("task", "a {index} b"), ("index", "3")];
        let values = values.map(|(name, value)| (name.to_owned(), value.into())).into();
        fill(template.as_ref(), &values).map(|text| text.into_string().unwrap())
    }

    #[test]
    fn only_names_in_braces_are_placeholders() {
        for (template, expected) in [
            ("{task}!", "a {index} b!"),
            ("x{index}{index}", "x33"),
            ("awk '{print $1}' {} {1} ${HOME} {", "awk '{print $1}' {} {1} ${HOME} {"),
            ("{{index}} {{x}}", "{index} {x}"),
            ("ü{index}", "ü3"),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(expected));
        }
        assert_eq!(filled("{tsk}"), Err("tsk".to_owned()));
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let raw = OsStr::from_bytes(b"\xff{a}");
        let values = [("a".to_owned(), OsString::from_vec(vec![0xfe]))].into();
        assert_eq!(fill(raw, &values).unwrap().as_bytes(), b"\xff\xfe");
    }
}
