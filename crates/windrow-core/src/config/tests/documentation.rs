//! `docs/configuration.md` says what the table says.

use std::fmt::Write;

use super::Fixture;
use crate::config::{environment_name, key::PRIVATE, keys};

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
    // What a committed file must not say is no example for one.
    let may_be_committed = |value: &crate::config::Value| !PRIVATE.contains(&value.key.as_str());
    for value in loaded.values.into_iter().filter(may_be_committed) {
        assert_ne!(value.origin, crate::config::Origin::Default, "no example of {}", value.key);
    }
}
