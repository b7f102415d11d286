//! Which part of the code may know which other part.

use super::Violation;
use super::paths::{self, NamedPath};
use crate::source::SourceFile;

const CORE: &str = "crates/windrow-core/src";

/// The parts of core that know nothing but themselves and the model.
const LAYERS: [&str; 5] = ["git", "store", "fs", "process", "config"];

pub(super) fn check(file: &SourceFile) -> Vec<Violation> {
    let mut violations = layers(file);
    violations.extend(crates(file));
    violations
}

fn layers(file: &SourceFile) -> Vec<Violation> {
    let Some(layer) = layer_of(&file.path) else { return Vec::new() };
    let modules = paths::modules(file, CORE);
    let foreign = |path: &NamedPath| foreign(path, &modules[path.at], layer);
    let report = |path: NamedPath| Some(Violation::new(&file.path, path.line, foreign(&path)?));
    paths::all(file).into_iter().filter_map(report).collect()
}

fn layer_of(path: &str) -> Option<&'static str> {
    let inner = path.strip_prefix(CORE)?.strip_prefix('/')?;
    let first = inner.split('/').next()?.trim_end_matches(".rs");
    LAYERS.into_iter().find(|layer| *layer == first)
}

/// Says what is wrong with a path; everything outside the layer is, since a re-export at the root would only
/// hide another layer.
fn foreign(path: &NamedPath, module: &[String], layer: &str) -> Option<String> {
    let bare =
        path.segments.len() == 1 && ["crate", "windrow_core", "self"].contains(&path.segments[0].as_str());
    if bare {
        return Some(format!("`{layer}` must not rename the crate root"));
    }
    match paths::from_root(path, module, "windrow_core")?.first() {
        Some(first) if first == layer => None,
        Some(first) => Some(format!("`{layer}` may import only itself and windrow_model, not `{first}`")),
        None => Some(format!("`{layer}` must not name the crate root")),
    }
}

/// `windrow → windrow-core → windrow-model`, and the test kit only in tests.
fn crates(file: &SourceFile) -> Vec<Violation> {
    let forbidden: &[&str] = if file.path.starts_with("crates/windrow-model/") {
        &["windrow_core", "windrow", "windrow_testkit"]
    } else if file.path.starts_with("crates/windrow-core/") {
        &["windrow", "windrow_testkit"]
    } else if file.path.starts_with("crates/windrow/") {
        &["windrow_testkit"]
    } else if file.path.starts_with("crates/windrow-testkit/") {
        &["windrow_model", "windrow_core", "windrow"]
    } else {
        &[]
    };
    let kit_in_test = |path: &NamedPath| path.starts_with(&["windrow_testkit"]) && file.is_test(path.at);
    let bad = |path: &NamedPath| forbidden.contains(&path.segments[0].as_str()) && !kit_in_test(path);
    let report = |path: NamedPath| {
        let message = format!("`{}` is not below this crate", path.segments[0]);
        Violation::new(&file.path, path.line, message)
    };
    paths::all(file).into_iter().filter(bad).map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&SourceFile::parse(path, text).expect("Rust")).len()
    }

    #[test]
    fn layers_do_not_know_each_other() {
        let bad = [
            "use crate::git::Git;",
            "use crate::{store::Store, git};",
            "use crate::{\n    store::{self, Row},\n    ops::acquire,\n};",
            "use {std::fmt, crate::config::Loaded};",
            "use super::super::git::Git;",
            "use super::super::{store, fs::{copy}};",
            "fn f() { crate::process::kill(1) }",
            "fn f(x: &crate::git::Git) {}",
            "mod tests { use super::super::super::git; }",
            "pub use windrow_core::git;",
            "use crate::*;",
            "use crate as root;",
            "use crate::{self as root};",
            "use super::super as root;",
            "extern crate self as me;",
            "macro_rules! m { () => { $crate::git::x() } }",
            "use crate::Reexported;",
            "use crate::r#git;",
        ];
        for text in bad {
            assert_eq!(found("crates/windrow-core/src/store/row.rs", text), 1, "{text}");
        }
        assert_eq!(found("crates/windrow-core/src/store/mod.rs", "use super::git;"), 1);
        assert_eq!(found("crates/windrow-core/src/store.rs", "use super::git;"), 1);
        assert_eq!(found("crates/windrow-core/src/config/keys.rs", "use crate::fs;"), 1);
    }

    #[test]
    fn layers_know_themselves_and_the_model() {
        let good = "use crate::store::row; use super::{Store, row::X}; use windrow_model::LeaseId; use std::fs;
            pub(crate) fn f() { self::g(); std::process::id(); } mod tests { use super::*; use super::super::X; }";
        assert_eq!(found("crates/windrow-core/src/store/row.rs", good), 0);
        let ops = "use crate::{git, store, fs, process, config}; use super::release;";
        assert_eq!(found("crates/windrow-core/src/ops/acquire.rs", ops), 0);
    }

    #[test]
    fn crates_know_only_those_below() {
        assert_eq!(found("crates/windrow-model/src/id.rs", "use windrow_core::git;"), 1);
        assert_eq!(found("crates/windrow-core/src/lib.rs", "use windrow::{args, cmd};"), 2);
        assert_eq!(found("crates/windrow/src/main.rs", "use windrow_testkit::TestRepo;"), 1);
        assert_eq!(found("crates/windrow-testkit/src/repo.rs", "use windrow_core::git;"), 1);
        let test = "#[cfg(test)] mod tests { use windrow_testkit::TestRepo; }";
        assert_eq!(found("crates/windrow-core/src/git/run.rs", test), 0);
        assert_eq!(
            found("crates/windrow/src/main.rs", "use windrow_core::ops; use windrow_model::LeaseId;"),
            0
        );
    }
}
