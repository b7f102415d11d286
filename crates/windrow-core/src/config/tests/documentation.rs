//! `docs/configuration.md` says what the table says.

use std::fmt::Write;

use super::Fixture;
use crate::config::{Kind, environment_name, keys};

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// The sections of the page, one for each key.
fn sections() -> String {
    let mut text = String::new();
    for doc in keys() {
        writeln!(text, "### `{}`\n", doc.key).unwrap();
        writeln!(text, "{}\n", doc.doc).unwrap();
        writeln!(text, "- Takes: {}", doc.kind.expected()).unwrap();
        writeln!(text, "- Default: `{}`", doc.default).unwrap();
        if doc.key == "min_version" {
            writeln!(text).unwrap();
        } else {
            writeln!(text, "- Variable: `{}`\n", environment_name(doc.key)).unwrap();
        }
    }
    text.trim_end().to_owned()
}

#[test]
fn the_page_lists_every_key_as_the_table_has_it() {
    let expected = sections();
    let (_, keys) = PAGE.split_once("## Keys\n\n").expect("the page has a section of keys");
    assert_eq!(keys.trim_end(), expected);
}

#[test]
fn the_examples_are_valid_and_show_every_key() {
    let example: String =
        PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let loaded = Fixture::new().repository(&example).load().unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let is_command = |key: &str| keys().iter().any(|doc| doc.key == key && doc.kind == Kind::Command);
    // A committed file names none.
    for value in loaded.values.into_iter().filter(|value| !is_command(&value.key)) {
        assert_ne!(value.origin, crate::config::Origin::Default, "no example of {}", value.key);
    }
}
