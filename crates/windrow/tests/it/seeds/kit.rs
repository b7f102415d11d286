//! A workspace without dependencies whose program prints what its sources hold, and the real cargo.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use windrow_testkit::{Invocation, TestRepo};

use crate::pool::{put, repository};

const MEMBERS: [&str; 4] = ["app", "lib", "watch", "quiet"];

/// A build script that passes on what lies in `data`; `told` is what it says of what it reads.
fn script(told: &str) -> String {
    format!(
        r#"fn main() {{
    {told}
    let mut names: Vec<_> = std::fs::read_dir("data").unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let read = |path: &std::path::PathBuf| format!("{{}}={{}};", path.display(), std::fs::read_to_string(path).unwrap().trim());
    println!("cargo:rustc-env=DATA={{}}", names.iter().map(read).collect::<String>());
}}
"#
    )
}

/// A repository with the workspace, nothing of it built.
pub(crate) fn workspace() -> TestRepo {
    let repo = repository();
    furnish(&repo);
    repo
}

pub(crate) fn furnish(repo: &TestRepo) {
    let root = repo.path();
    fs::remove_dir_all(root.join("src")).unwrap();
    let write = |path: &str, text: &str| put(&root.join(path), text);
    write("Cargo.toml", &format!("[workspace]\nmembers = {MEMBERS:?}\nresolver = \"3\"\n"));
    for name in MEMBERS {
        let mut text = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        if name == "app" {
            text.push_str("[dependencies]\nlib.path = \"../lib\"\nwatch.path = \"../watch\"\nquiet.path = \"../quiet\"\n");
        }
        write(&format!("{name}/Cargo.toml"), &text);
    }
    write("lib/src/lib.rs", "pub mod part;\npub const WORDS: &str = include_str!(\"../words.txt\");\n");
    write("lib/src/part.rs", "pub const PART: &str = include_str!(\"part.txt\");\n");
    write("lib/src/part.txt", "part 0\n");
    write("lib/words.txt", "words 0\n");
    for (name, told) in [("watch", "println!(\"cargo:rerun-if-changed=data\");"), ("quiet", "")] {
        write(&format!("{name}/build.rs"), &script(told));
        write(&format!("{name}/src/lib.rs"), "pub const DATA: &str = env!(\"DATA\");\n");
        for file in ["one", "two", "deep"] {
            write(&format!("{name}/data/{file}"), &format!("{file} 0\n"));
        }
    }
    write(
        "app/src/main.rs",
        "fn main() { print!(\"{}|{}|{}|{}\", lib::part::PART, lib::WORDS, watch::DATA, quiet::DATA); }\n",
    );
    write(
        "app/tests/paths.rs",
        "#[test]\nfn paths() {\n    for path in [env!(\"CARGO_BIN_EXE_app\"), env!(\"CARGO_MANIFEST_DIR\"), env!(\"CARGO_TARGET_TMPDIR\")] \
         {\n        println!(\"path={path}\");\n    }\n}\n",
    );
    cargo(repo, root, &["generate-lockfile"]).run().assert_success();
    repo.commit("a workspace");
}

/// A call of the real cargo, which reaches no network.
pub(crate) fn cargo(repo: &TestRepo, directory: &Path, arguments: &[&str]) -> Invocation {
    let cargo = Path::new(env!("CARGO"));
    let call = repo.command(cargo, directory).args(arguments).env("CARGO_NET_OFFLINE", "true");
    call.env("RUSTC", cargo.with_file_name("rustc")).env("CARGO_HOME", repo.root().join("cargo"))
}

/// Builds everything, tests too, and names the packages of which anything was compiled or run.
#[track_caller]
pub(crate) fn compiled(repo: &TestRepo, directory: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let mut all = arguments.to_vec();
    all.push("--message-format=json");
    let outcome = cargo(repo, directory, &all).run().assert_success();
    let text = outcome.text();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let stale = messages.filter(|message| message["fresh"] == false);
    stale.map(|message| message["target"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What the program prints when it is built in a directory.
#[track_caller]
pub(crate) fn printed(repo: &TestRepo, directory: &Path) -> String {
    cargo(repo, directory, &["run", "--quiet", "--bin", "app"]).run().assert_success().text()
}

/// What the program has to print, read from the sources.
pub(crate) fn expected(directory: &Path) -> String {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    let data = |name: &str| {
        let place = directory.join(name).join("data");
        let mut names: Vec<_> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let read = |file: &String| format!("data/{file}={};", text(place.join(file)).trim());
        names.iter().map(read).collect::<String>()
    };
    let (part, words) = (text(directory.join("lib/src/part.txt")), text(directory.join("lib/words.txt")));
    format!("{part}|{words}|{}|{}", data("watch"), data("quiet"))
}

/// Builds everything in the main worktree.
#[track_caller]
pub(crate) fn build_main(repo: &TestRepo) {
    compiled(repo, repo.path(), &["build"]);
    compiled(repo, repo.path(), &["test", "--no-run"]);
}
