//! Joins the list of hazards with the tests that bear their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::source::{self, SourceFile};

const LIST: &str = include_str!("hazards.txt");
const PAGE: &str = "docs/hazards.md";

const INTRODUCTION: &str = "# Hazards

Each row is something that a tool of this kind has done to its users. A test whose name begins with the row's
number builds the situation with real git and compares content. `cargo xtask hazards` writes this page;
`cargo xtask hazards --check` fails when it is out of date or when a row of the milestone has no test.

| number | hazard | milestone | tests |
|---|---|---|---|
";

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hazard {
    /// `H07`.
    number: String,
    required: bool,
    text: String,
}

/// Test names with their files, by hazard number.
type Tests = BTreeMap<String, BTreeSet<(String, String)>>;

/// Writes the page.
///
/// # Errors
///
/// Fails when a file cannot be read or written, or a test bears a number that is not in the list.
pub(crate) fn write(root: &Path) -> Result {
    let (hazards, tests) = read(root)?;
    fs::write(root.join(PAGE), render(&hazards, &tests))?;
    println!("{}", summary(&hazards, &tests));
    Ok(())
}

/// Compares the page, and checks that every required hazard has a test.
///
/// # Errors
///
/// Fails when either is not so.
pub(crate) fn check(root: &Path) -> Result {
    let (hazards, tests) = read(root)?;
    println!("{}", summary(&hazards, &tests));
    let mut problems = untested(&hazards, &tests);
    let page = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    if page != render(&hazards, &tests) {
        problems.push(format!("{PAGE} is out of date: run `cargo xtask hazards`"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

fn read(root: &Path) -> Result<(Vec<Hazard>, Tests)> {
    let hazards = parse(LIST)?;
    let tests = collect(&source::workspace(root)?);
    let known = |number: &&String| hazards.iter().any(|hazard| hazard.number == **number);
    if let Some(unknown) = tests.keys().find(|number| !known(number)) {
        return Err(
            format!("{:?} bear the number {unknown}, which is not in the list", tests[unknown]).into()
        );
    }
    Ok((hazards, tests))
}

fn parse(list: &str) -> Result<Vec<Hazard>> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse_line).collect()
}

fn parse_line(line: &str) -> Result<Hazard> {
    let bad = || format!("not a hazard: `{line}`");
    let (head, text) = line.split_once('|').ok_or_else(bad)?;
    let (number, stage) = head.trim().split_once(' ').ok_or_else(bad)?;
    let required = match stage.trim() {
        "main" => true,
        "later" => false,
        _ => return Err(bad().into()),
    };
    Ok(Hazard { number: number.to_owned(), required, text: text.trim().to_owned() })
}

fn untested(hazards: &[Hazard], tests: &Tests) -> Vec<String> {
    let missing = hazards.iter().filter(|hazard| hazard.required && !tests.contains_key(&hazard.number));
    missing.map(|hazard| format!("{} has no test: {}", hazard.number, hazard.text)).collect()
}

fn summary(hazards: &[Hazard], tests: &Tests) -> String {
    let required = hazards.iter().filter(|hazard| hazard.required).count();
    format!("{} of {required} required hazards have a test", required - untested(hazards, tests).len())
}

fn collect(files: &[SourceFile]) -> Tests {
    let mut tests = Tests::new();
    for file in files.iter().filter(|file| !file.path.starts_with("xtask/")) {
        for name in test_functions(file) {
            if let Some(number) = number_of(&name) {
                tests.entry(number).or_default().insert((name, file.path.clone()));
            }
        }
    }
    tests
}

/// Lists the functions with a test attribute; a helper that only bears a number proves nothing.
fn test_functions(file: &SourceFile) -> Vec<String> {
    let attributes = file.attributes();
    let is_test = |range: &std::ops::Range<usize>| {
        file.tokens[range.clone()]
            .iter()
            .any(|token| ["test", "rstest", "case"].contains(&token.text.as_str()))
            && !["cfg", "cfg_attr"].contains(&file.at(range.start))
    };
    let names = attributes
        .iter()
        .filter(|range| is_test(range))
        .filter_map(|range| function_after(file, range.end + 1));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the name of the function that begins at `at`, after further attributes and qualifiers.
fn function_after(file: &SourceFile, mut at: usize) -> Option<String> {
    while file.at(at) == "#" {
        let range = file.attributes().into_iter().find(|range| range.start > at)?;
        at = range.end + 1;
    }
    while ["pub", "async", "const", "unsafe", "extern", "(", "crate", ")"].contains(&file.at(at)) {
        at += 1;
    }
    (file.at(at) == "fn").then(|| file.at(at + 1).to_owned())
}

fn number_of(name: &str) -> Option<String> {
    let digits = name.strip_prefix('h')?.get(..2)?;
    let rest = name.get(3..)?;
    (digits.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('_')).then(|| format!("H{digits}"))
}

fn render(hazards: &[Hazard], tests: &Tests) -> String {
    let mut page = INTRODUCTION.to_owned();
    for hazard in hazards {
        let stage = if hazard.required { "main job" } else { "not yet" };
        let links: Vec<String> = tests.get(&hazard.number).into_iter().flatten().map(link).collect();
        let links = if links.is_empty() { "–".to_owned() } else { links.join("<br>") };
        writeln!(page, "| {} | {} | {stage} | {links} |", hazard.number, hazard.text).expect("memory");
    }
    page
}

/// No line number: it would be out of date with every edit above the test.
fn link((name, path): &(String, String)) -> String {
    format!("[`{name}`](../{path})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_of(text: &str) -> Vec<String> {
        test_functions(&SourceFile::parse("crates/x/tests/a.rs", text).expect("Rust"))
    }

    #[test]
    fn the_list_has_every_number_once() {
        let numbers: Vec<String> =
            parse(LIST).expect("well formed").into_iter().map(|hazard| hazard.number).collect();
        let expected: Vec<String> = (1..=60).map(|number| format!("H{number:02}")).collect();
        assert_eq!(numbers, expected);
        assert_eq!(parse(LIST).expect("well formed").iter().filter(|hazard| hazard.required).count(), 54);
    }

    #[test]
    fn a_malformed_row_is_an_error() {
        assert!(parse_line("H01 sometimes | x").is_err());
        assert!(parse_line("H01 main x").is_err());
    }

    #[test]
    fn only_tests_count() {
        let text = "#[test] fn h07_a() {} fn h08_helper() {} #[test] #[cfg(unix)] pub(crate) fn h09_b() {}
            #[rstest] #[case(1)] fn h10_c() {} #[cfg(test)] fn h11_helper() {} // #[test] fn h12_comment() {}";
        assert_eq!(tests_of(text), ["h07_a", "h09_b", "h10_c"]);
    }

    #[test]
    fn a_number_is_two_digits_and_an_underscore() {
        assert_eq!(number_of("h07_removal"), Some("H07".to_owned()));
        for name in ["h7_x", "h077_x", "history", "h07", "x07_y", "hé7_x"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_required_hazard_without_a_test_is_a_problem() {
        let hazards = parse("H01 main | a\nH02 later | b\nH03 main | c").expect("well formed");
        let files = [SourceFile::parse("crates/x/tests/a.rs", "#[test] fn h03_x() {}").expect("Rust")];
        let tests = collect(&files);
        assert_eq!(untested(&hazards, &tests), ["H01 has no test: a"]);
        assert!(
            render(&hazards, &tests).contains("| H03 | c | main job | [`h03_x`](../crates/x/tests/a.rs) |")
        );
        assert_eq!(summary(&hazards, &tests), "1 of 2 required hazards have a test");
    }
}
