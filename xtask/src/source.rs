//! Rust files as flat token lists: comments and strings cannot fool the rules, nor can line breaks hide anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Result;

/// One token with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A parsed file.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// For each token whether it belongs to test code.
    in_test: Vec<bool>,
}

impl SourceFile {
    /// Parses a file.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a sequence of Rust tokens.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self> {
        let stream = TokenStream::from_str(text).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let in_test = if is_test_path(path) { vec![true; tokens.len()] } else { test_tokens(&tokens) };
        Ok(Self { path: path.to_owned(), text: text.to_owned(), tokens, in_test })
    }

    pub(crate) fn is_test(&self, index: usize) -> bool {
        self.in_test[index]
    }

    /// Says whether the tokens from `index` on are exactly `texts`.
    pub(crate) fn matches(&self, index: usize, texts: &[&str]) -> bool {
        let end = index + texts.len();
        end <= self.tokens.len()
            && self.tokens[index..end].iter().zip(texts).all(|(token, text)| token.text == *text)
    }

    /// Returns the text of a token, empty beyond the end.
    pub(crate) fn at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &token.text)
    }

    /// Lists the attributes as ranges of tokens between their brackets.
    pub(crate) fn attributes(&self) -> Vec<std::ops::Range<usize>> {
        let opens = (0..self.tokens.len()).filter(|at| self.at(*at) == "#");
        opens.filter_map(|at| attribute(&self.tokens, at)).collect()
    }

    fn mark_as_test(&mut self) {
        self.in_test.fill(true);
    }
}

/// Reads all Rust files of the workspace, in order of paths.
///
/// # Errors
///
/// Fails when one cannot be read or is not Rust.
pub(crate) fn workspace(root: &Path) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    for place in ["crates", "examples", "benches", "xtask"] {
        collect(&root.join(place), &mut paths)?;
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let relative = path.strip_prefix(root)?.to_str().ok_or("a path is not UTF-8")?;
        files.push(SourceFile::parse(relative, &fs::read_to_string(&path)?)?);
    }
    mark_test_modules(&mut files);
    Ok(files)
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> Result {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            // `r#type` and `type` name the same module.
            TokenTree::Ident(ident) => {
                let text = ident.to_string();
                tokens.push(Token { text: text.trim_start_matches("r#").to_owned(), line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

fn is_test_path(path: &str) -> bool {
    path.starts_with("crates/windrow-testkit/")
        || path.ends_with("/tests.rs")
        || path.split('/').any(|part| part == "tests" || part == "benches")
}

/// Marks the files of modules that are declared as `#[cfg(test)] mod name;`.
fn mark_test_modules(files: &mut [SourceFile]) {
    let modules: BTreeSet<String> = files.iter().flat_map(test_modules).collect();
    for file in files {
        let inside = |module: &String| {
            file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))
        };
        if modules.iter().any(inside) {
            file.mark_as_test();
        }
    }
}

/// Lists modules declared for tests, as paths without extension.
fn test_modules(file: &SourceFile) -> Vec<String> {
    let directory = module_directory(&file.path);
    let declared = |at: &usize| file.at(*at) == "mod" && file.at(at + 2) == ";" && file.is_test(*at);
    (0..file.tokens.len()).filter(declared).map(|at| format!("{directory}/{}", file.at(at + 1))).collect()
}

/// The directory that holds the files of a file's submodules.
fn module_directory(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    let (directory, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    if ["mod", "lib", "main"].contains(&name) { directory.to_owned() } else { stem.to_owned() }
}

/// Returns the inside of the attribute whose `#` is at `at`.
fn attribute(tokens: &[Token], at: usize) -> Option<std::ops::Range<usize>> {
    let bang = usize::from(tokens.get(at + 1)?.text == "!");
    let open = at + 1 + bang;
    (tokens.get(open)?.text == "[").then(|| open + 1..closing(tokens, open))
}

/// Returns the index of the token that closes the group opened at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len()
}

/// Marks the items under `#[cfg(test)]` and `#[test]`.
fn test_tokens(tokens: &[Token]) -> Vec<bool> {
    let mut marks = vec![false; tokens.len()];
    for at in 0..tokens.len() {
        if let Some(inside) = (tokens[at].text == "#").then(|| attribute(tokens, at)).flatten()
            && means_test(&tokens[inside.clone()])
        {
            let end =
                if tokens[at + 1].text == "!" { tokens.len() } else { item_end(tokens, inside.end + 1) };
            marks[at..end].fill(true);
        }
    }
    marks
}

fn means_test(attribute: &[Token]) -> bool {
    let texts: Vec<&str> = attribute.iter().map(|token| token.text.as_str()).collect();
    matches!(texts.as_slice(), ["test"] | ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..])
}

/// Returns the index after the item that begins at `start`: after its first braces or its semicolon.
fn item_end(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return closing(tokens, at) + 1,
            "(" | "[" => at = closing(tokens, at),
            _ => {}
        }
        at += 1;
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_lines(text: &str) -> Vec<usize> {
        let file = SourceFile::parse("crates/x/src/a.rs", text).expect("Rust");
        let lines: BTreeSet<usize> =
            (0..file.tokens.len()).filter(|at| file.is_test(*at)).map(|at| file.tokens[at].line).collect();
        lines.into_iter().collect()
    }

    #[test]
    fn test_code_is_told_from_the_rest() {
        assert_eq!(test_lines("fn a() {}\n#[cfg(test)]\nmod t {\nfn b() {}\n}\nfn c() {}"), [2, 3, 4, 5]);
        assert_eq!(test_lines("#[test]\nfn a(x: [u8; 2]) {\n}\nfn b() {}"), [1, 2, 3]);
        assert_eq!(
            test_lines("#[cfg(not(test))]\nmod a {}\n#[cfg(all(test, unix))]\nuse x;\nfn b() {}"),
            [3, 4]
        );
    }

    #[test]
    fn modules_declared_for_tests_are_test_code() {
        let parse = |path: &str, text: &str| SourceFile::parse(path, text).expect("Rust");
        let mut files = [
            parse("crates/x/src/lib.rs", "#[cfg(test)] mod kit; mod real;"),
            parse("crates/x/src/kit.rs", "fn a() {}"),
            parse("crates/x/src/kit/more.rs", "fn a() {}"),
            parse("crates/x/src/real.rs", "fn a() {}"),
        ];
        mark_test_modules(&mut files);
        assert_eq!(files.each_ref().map(|file| file.is_test(1)), [true, true, true, false]);
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let file =
            SourceFile::parse("a.rs", "// crate::git\n/// crate::git\nconst A: &str = \"crate::git\";")
                .expect("Rust");
        assert!(!file.tokens.iter().any(|token| token.text == "crate"));
    }
}
