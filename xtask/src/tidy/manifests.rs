//! The same directions in the manifests, where a dependency would make an import possible at all.

use std::fs;
use std::path::Path;

use super::Violation;
use crate::Result;

/// Where the reasons for dependencies stand.
const REASONS: &str = "docs/dependencies.md";

/// Each crate with what of this workspace it may depend on.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("windrow-model", &[]),
    ("windrow-core", &["windrow-model"]),
    ("windrow", &["windrow-core", "windrow-model"]),
    ("windrow-testkit", &[]),
];

/// Checks the manifests of the crates that exist.
///
/// # Errors
///
/// Fails when one cannot be read.
pub(super) fn check(root: &Path) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for (name, allowed) in ALLOWED {
        let path = format!("crates/{name}/Cargo.toml");
        violations.extend(check_text(&path, &fs::read_to_string(root.join(&path))?, allowed));
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    violations.extend(unexplained(&manifest, &fs::read_to_string(root.join(REASONS))?));
    Ok(violations)
}

/// Finds dependencies of the workspace without a row in the page of reasons.
fn unexplained(manifest: &str, reasons: &str) -> Vec<Violation> {
    let section = manifest.split("\n[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split([' ', '=', '.']).next()).filter(|name| !name.is_empty());
    let foreign = names.filter(|name| !name.starts_with("windrow-") && !name.starts_with('#'));
    let cells: Vec<&str> = reasons.lines().filter_map(|line| line.split('|').nth(1)).collect();
    let explained = |name: &str| cells.iter().any(|cell| cell.split([',', ' ']).any(|word| word == name));
    let missing = foreign.filter(|name| !explained(name));
    missing.map(|name| Violation::new(REASONS, 1, format!("`{name}` has no reason to be here"))).collect()
}

fn check_text(path: &str, text: &str, allowed: &[&str]) -> Vec<Violation> {
    let mut section = "";
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        if let Some(name) = dependency(section, line)
            && !allowed.contains(&name)
        {
            violations.push(Violation::new(path, index + 1, format!("must not depend on `{name}`")));
        }
    }
    violations
}

/// Returns the crate of this workspace that a line names as a dependency outside of tests.
fn dependency<'text>(section: &'text str, line: &'text str) -> Option<&'text str> {
    if section.contains("dev-dependencies") {
        return None;
    }
    let name = if section.ends_with("dependencies") {
        line.split(['.', '=', ' ']).next()?
    } else {
        // `[dependencies.name]` counts once, at its heading.
        section.rsplit_once("dependencies.").filter(|_| line.starts_with('['))?.1
    };
    let ours = name == "windrow" || name.starts_with("windrow-");
    ours.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check_text("Cargo.toml", text, &["windrow-model"]).len()
    }

    #[test]
    fn every_dependency_has_its_reason() {
        let manifest = "[workspace]\n[workspace.dependencies]\nwindrow-x = \"1\"\ntar = \"1\"\nzstd = { version = \"1\" }\n[profile.dev]\ndebug = 1";
        assert_eq!(unexplained(manifest, "| crate | why |\n| tar, zstd | archives |"), []);
        assert_eq!(unexplained(manifest, "| crate | why |\n| tar | instead of zstd |").len(), 1);
    }

    #[test]
    fn only_what_lies_below_may_be_depended_on() {
        assert_eq!(
            found("[dependencies]\nwindrow-model.workspace = true\nwindrow-testkit.workspace = true"),
            1
        );
        assert_eq!(found("[dependencies]\nwindrow = { path = \"../windrow\" }"), 1);
        assert_eq!(found("[target.'cfg(unix)'.dependencies]\nwindrow-testkit = \"1\""), 1);
        assert_eq!(found("[dependencies.windrow-core]\npath = \"x\""), 1);
        assert_eq!(
            found("[package]\nname = \"windrow-core\"\n[dev-dependencies]\nwindrow-testkit = \"1\""),
            0
        );
    }
}
