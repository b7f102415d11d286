//! A bad example, and a good one, for every rule.

use super::*;

const CORE: &str = "crates/windrow-core/src/store/row.rs";

fn messages(path: &str, text: &str) -> Vec<String> {
    let file = SourceFile::parse(path, &format!("//! Text.\n{text}")).expect("Rust");
    check(&file).into_iter().map(|violation| violation.message).collect()
}

#[track_caller]
fn assert_bad(path: &str, text: &str, part: &str) {
    let found = messages(path, text);
    assert!(found.iter().any(|message| message.contains(part)), "{text}: {found:?}");
}

#[track_caller]
fn assert_good(path: &str, text: &str) {
    assert_eq!(messages(path, text), Vec::<String>::new(), "{text}");
}

#[test]
fn a_file_begins_with_its_purpose_and_ends_in_time() {
    let file = |text: &str| SourceFile::parse(CORE, text).expect("Rust");
    assert_eq!(check(&file("// no\nfn f() {}")).len(), 1);
    let long = "//! Text.\n".to_owned() + &"const _: () = ();\n".repeat(MAX_LINES);
    assert_eq!(check(&file(&long)).len(), 1);
}

#[test]
fn processes_start_in_one_place() {
    let bad = [
        "use std::process::Command;",
        "use std::{fmt, process::{self, Command as C}};",
        "fn f() { std::process::Command::new(x); }",
        "use std::process; fn f() { process::Command::new(x); }",
        "use std::process as p;",
        "use std::process::*;",
        "#[cfg(not(test))] mod tests { use std::process::Command; }",
    ];
    for text in bad {
        assert_bad(CORE, text, "processes start only");
        assert_bad("crates/windrow-core/src/git/parse.rs", text, "processes start only");
        assert_bad("crates/windrow/src/cmd/run.rs", text, "processes start only");
        assert_good("crates/windrow/tests/it/main.rs", text);
        assert_good("crates/windrow-core/src/git/command.rs", text);
        assert_good("crates/windrow-core/src/process/spawn.rs", text);
    }
    assert_good(CORE, "use std::process::ExitStatus; use clap::Command; use std::process;");
}

#[test]
fn the_library_prints_nothing_and_reads_no_environment() {
    let bad = [
        "fn f() { println!(\"x\"); }",
        "fn f() { eprint ! [\"x\"]; }",
        "fn f() { dbg!(1); }",
        "fn f() { std::io::stdout(); }",
        "fn f() { std::env::var(\"X\"); }",
        "use std::env; fn f() { env::args_os(); }",
        "use std::env::{self, current_dir};",
        "use std::env as e;",
        "use std::env::*;",
    ];
    for text in bad {
        assert_bad(CORE, text, "only `crates/windrow/src`");
        assert_good("crates/windrow/src/render/text.rs", text);
        assert_good("crates/windrow-core/src/store/tests/a.rs", text);
    }
    assert_good(CORE, "fn f() { std::env::set_current_dir(x); env!(\"CARGO_PKG_VERSION\"); }");
}

#[test]
fn nothing_is_allowed_ignored_or_unfinished() {
    assert_bad(CORE, "#![allow(dead_code)]", "instead of `allow`");
    assert_bad(CORE, "#[cfg_attr(test, allow(unused))] fn f() {}", "instead of `allow`");
    assert_bad(CORE, "#[test] #[ignore] fn f() {}", "never ignored");
    assert_bad(CORE, "#[test] #[ignore = \"slow\"] fn f() {}", "never ignored");
    assert_bad(CORE, "#[cfg_attr(unix, ignore)] fn f() {}", "never ignored");
    assert_bad(CORE, "fn f() { todo!() }", "unfinished");
    assert_bad(CORE, "fn f() { unimplemented!(\"x\") }", "unfinished");
    assert_bad(CORE, "#[path = \"../git/run.rs\"] mod run;", "would hide");
    assert_good(CORE, "#[path = \"linux.rs\"] mod system; fn f() { policy.allow(x); ignore(x); todo != x; }");
}

#[test]
fn tests_do_not_sleep() {
    let bad = [
        "#[test] fn f() { std::thread::sleep(x); }",
        "#[cfg(test)] mod tests { use std::thread; fn f() { thread::sleep(x) } }",
        "#[cfg(test)] mod tests { use std::{thread::{sleep}, fmt}; }",
        "#[cfg(test)] mod tests { use std::thread as t; }",
    ];
    for text in bad {
        assert_bad(CORE, text, "never sleep");
    }
    assert_bad("crates/windrow/tests/it/run.rs", "use std::thread::sleep;", "never sleep");
    assert_good(POLLING, "fn f() { std::thread::sleep(x) }");
    assert_good(CORE, "fn f() { std::thread::sleep(x) }");
}

#[test]
fn the_model_is_pure() {
    let model = "crates/windrow-model/src/id.rs";
    for text in
        ["use std::fs;", "use std::{fmt, env};", "fn f() { Timestamp::now(); }", "use std::process::Command;"]
    {
        assert!(!messages(model, text).is_empty(), "{text}");
    }
    assert_good(model, "use std::fmt; #[cfg(test)] mod tests { use std::fs; }");
}
