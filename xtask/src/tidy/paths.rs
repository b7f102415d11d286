//! All paths that a file names, `use` groups written out and `super` resolved.

use crate::source::SourceFile;

/// A path as it is written, one per leaf of a group: `use a::{b, c as d}` gives `a::b` and `a::c as d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPath {
    pub(super) segments: Vec<String>,
    pub(super) renamed: Option<String>,
    pub(super) line: usize,
    /// The token it begins at.
    pub(super) at: usize,
}

impl NamedPath {
    /// Says whether the path begins with these segments.
    pub(super) fn starts_with(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len() && self.segments.iter().zip(segments).all(|(a, b)| a == b)
    }
}

/// Lists every path of at least two segments, and single ones that are renamed.
pub(super) fn all(file: &SourceFile) -> Vec<NamedPath> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < file.tokens.len() {
        if starts_path(file, at) {
            let line = file.tokens[at].line;
            let start = NamedPath { segments: Vec::new(), renamed: None, line, at };
            at = read(file, at, &start, &mut paths).max(at + 1);
        } else {
            at += 1;
        }
    }
    paths.retain(|path| path.segments.len() > 1 || path.renamed.is_some());
    paths
}

fn starts_path(file: &SourceFile, at: usize) -> bool {
    is_name(file.at(at)) && (is_separator(file, at + 1) || file.at(at + 1) == "as")
}

/// Reads the path or tree at `at`, adds its leaves, and returns the index after it.
fn read(file: &SourceFile, at: usize, so_far: &NamedPath, paths: &mut Vec<NamedPath>) -> usize {
    if file.at(at) == "{" {
        return read_group(file, at + 1, so_far, paths);
    }
    let mut path = so_far.clone();
    path.segments.push(file.at(at).to_owned());
    path.line = file.tokens.get(at).map_or(path.line, |token| token.line);
    if is_separator(file, at + 1) && continues(file.at(at + 3)) {
        return read(file, at + 3, &path, paths);
    }
    let mut end = at + 1;
    if file.at(end) == "as" {
        path.renamed = Some(file.at(end + 1).to_owned());
        end += 2;
    }
    // `use a::{self}` names `a` itself.
    if path.segments.len() > 1 && path.segments.last().is_some_and(|last| last == "self") {
        path.segments.pop();
        path.renamed.get_or_insert_with(|| path.segments.last().cloned().unwrap_or_default());
    }
    paths.push(path);
    end
}

fn read_group(file: &SourceFile, start: usize, so_far: &NamedPath, paths: &mut Vec<NamedPath>) -> usize {
    let mut at = start;
    while at < file.tokens.len() && file.at(at) != "}" {
        if is_name(file.at(at)) || file.at(at) == "*" {
            at = read(file, at, so_far, paths);
        } else {
            at += 1;
        }
    }
    at + 1
}

fn continues(text: &str) -> bool {
    is_name(text) || text == "{" || text == "*"
}

fn is_separator(file: &SourceFile, at: usize) -> bool {
    file.matches(at, &[":", ":"])
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The module that each token of a file belongs to, from the crate root.
pub(super) fn modules(file: &SourceFile, source_root: &str) -> Vec<Vec<String>> {
    let mut stack: Vec<(usize, String)> = Vec::new();
    let mut depth = 0_usize;
    let base = file_module(&file.path, source_root);
    let mut modules = Vec::with_capacity(file.tokens.len());
    for at in 0..file.tokens.len() {
        match file.at(at) {
            "{" => {
                depth += 1;
                if at >= 2 && file.at(at - 2) == "mod" {
                    stack.push((depth, file.at(at - 1).to_owned()));
                }
            }
            "}" => {
                stack.pop_if(|(opened, _)| *opened == depth);
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        modules.push(base.iter().cloned().chain(stack.iter().map(|(_, name)| name.clone())).collect());
    }
    modules
}

fn file_module(path: &str, source_root: &str) -> Vec<String> {
    let inner = path.trim_start_matches(source_root).trim_matches('/').trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Writes a path from the crate root: `crate::`, `super::` and `self::` taken away. None for other crates' and
/// for plain relative paths, which cannot leave their module.
pub(super) fn from_root(path: &NamedPath, module: &[String], crate_name: &str) -> Option<Vec<String>> {
    let first = path.segments.first()?;
    if first == "crate" || first == crate_name {
        return Some(path.segments[1..].to_vec());
    }
    if first != "super" && first != "self" {
        return None;
    }
    let steps = path.segments.iter().take_while(|segment| *segment == "super" || *segment == "self").count();
    let up = path.segments[..steps].iter().filter(|segment| *segment == "super").count();
    let mut whole = module[..module.len().saturating_sub(up)].to_vec();
    whole.extend_from_slice(&path.segments[steps..]);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written_out(text: &str) -> Vec<String> {
        let file = SourceFile::parse("crates/x/src/a.rs", text).expect("Rust");
        let line = |path: NamedPath| {
            path.segments.join("::") + &path.renamed.map_or(String::new(), |new| format!(" as {new}"))
        };
        all(&file).into_iter().map(line).collect()
    }

    #[test]
    fn groups_are_written_out() {
        let text = "use crate::{git::{self, run as go}, store, fs::*};";
        assert_eq!(
            written_out(text),
            ["crate::git as git", "crate::git::run as go", "crate::store", "crate::fs::*"]
        );
        assert_eq!(written_out("use {crate::a::b, ::std::fs};"), ["crate::a::b", "std::fs"]);
        assert_eq!(written_out("use crate as c; extern crate self as me;"), ["crate as c", "self as me"]);
    }

    #[test]
    fn expressions_and_line_breaks_count_too() {
        assert_eq!(
            written_out("fn f() -> crate::\n git::X { super::g::<u8>() }"),
            ["crate::git::X", "super::g"]
        );
        assert_eq!(written_out("pub(crate) fn f() { g(|x| x) }"), Vec::<String>::new());
    }

    #[test]
    fn relative_paths_are_resolved_in_inline_modules_too() {
        let text = "use super::a; mod tests { fn f() { super::super::b::c() } } fn g() { super::d() }";
        let file = SourceFile::parse("crates/x/src/git/run.rs", text).expect("Rust");
        let modules = modules(&file, "crates/x/src");
        let resolve =
            |path: NamedPath| from_root(&path, &modules[path.at], "x").map(|parts| parts.join("::"));
        let resolved: Vec<_> = all(&file).into_iter().filter_map(resolve).collect();
        assert_eq!(resolved, ["git::a", "git::b::c", "git::d"]);
    }
}
