//! Untracked files that come along: which ones, unchanged in content and mode, hidden from commits, never worktrees.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::Value;
use windrow_testkit::{EntryKind, Include, RepoFingerprint, TestRepo, TreeSnapshot, assert_same};

use crate::leasing::{
    Leased, acquire, assert_nothing_left, listed, pool_directory, release, repository, wait_for_empty_trash,
};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own");
}

fn carried(document: &Value) -> (u64, u64) {
    let number = |key: &str| document["carried"][key].as_u64().expect("a number");
    (number("files"), number("size_bytes"))
}

fn skipped(document: &Value) -> Vec<(String, String)> {
    let list = document["carried"]["skipped"].as_array().expect("a list");
    let text = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
    list.iter().map(|one| (text(one, "path"), text(one, "reason"))).collect()
}

/// What lies in a worktree beyond the files that git tracks.
fn brought(repo: &TestRepo, leased: &Leased) -> Vec<String> {
    let listed = repo.git_in(&leased.path, ["ls-files", "-z", "--others"]);
    listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// Puts an agent's context with files, modes, links and empty directories into the main worktree.
fn with_context(repo: &TestRepo) {
    repo.write(".agent/notes/plan.md", "plan");
    repo.write(".agent/bin/run.sh", "#!/bin/sh\necho run\n");
    repo.write(".agent/secret", "token");
    repo.write(".agent/read-only/file", "fixed");
    fs::create_dir_all(repo.path().join(".agent/empty/deeper")).expect("made");
    symlink("../notes/plan.md", repo.path().join(".agent/bin/plan")).expect("linked");
    symlink("nowhere", repo.path().join(".agent/dangling")).expect("linked");
    let modes = [("bin/run.sh", 0o750), ("secret", 0o600), ("read-only/file", 0o444), ("read-only", 0o555)];
    for (path, mode) in modes {
        set_mode(&repo.path().join(".agent").join(path), mode);
    }
    set_mode(&repo.path().join(".agent/empty"), 0o700);
    set_mode(&repo.path().join(".agent"), 0o750);
}

#[test]
fn context_comes_along_with_modes_links_and_empty_directories() {
    let repo = repository();
    with_context(&repo);
    for name in [".agents", ".claude", ".codex", ".cursor", ".gemini", ".aider", ".windsurf", ".continue"] {
        repo.write(format!("{name}/settings"), name);
    }
    repo.write("untracked", "stays at home");
    repo.write(".env", "stays at home");
    repo.write("sub/.claude/settings", "stays at home");
    let before = RepoFingerprint::of(&repo);
    let leased = acquire(&repo, &[]);
    for name in [".agent", ".agents", ".claude", ".codex", ".cursor", ".gemini", ".aider", ".windsurf"] {
        let of = |root: &Path| TreeSnapshot::of(&root.join(name), &Include::Everything);
        assert_same(&of(repo.path()), &of(&leased.path));
    }
    let mode = |root: &Path| fs::metadata(root.join(".agent")).expect("there").mode() & 0o777;
    assert_eq!((mode(repo.path()), mode(&leased.path)), (0o750, 0o750));
    let modified = |root: &Path| fs::metadata(root.join(".agent/secret")).expect("there").mtime();
    assert_eq!(modified(repo.path()), modified(&leased.path));
    for path in ["untracked", ".env", "sub"] {
        assert!(!leased.path.join(path).exists(), "{path}");
    }
    assert_eq!(repo.git_in(&leased.path, ["diff", "HEAD"]), "");
    before.assert_unchanged(&repo);
    release(&repo, &leased.name);
    wait_for_empty_trash(&repo);
    assert_nothing_left(&repo);
    before.assert_unchanged(&repo);
}

#[test]
fn the_summary_counts_what_came_and_names_what_did_not() {
    let repo = repository();
    repo.write(".agent/one", "12345");
    repo.write(".agent/two", "1234567");
    symlink("one", repo.path().join(".agent/link")).expect("linked");
    symlink("/etc/hostname", repo.path().join(".agent/out")).expect("linked");
    let _socket = UnixListener::bind(repo.path().join(".agent/socket")).expect("bound");
    let leased = acquire(&repo, &[]);
    assert_eq!(carried(&leased.document), (3, 12));
    let reasons = skipped(&leased.document);
    let names: Vec<_> = reasons.iter().map(|(path, _)| path.as_str()).collect();
    assert!(names.contains(&".agent/out"), "{reasons:?}");
    let run = repo.windrow(["run", "--json", "--", "true"]).run().assert_success();
    assert_eq!(carried(&run.json()), (3, 12));
    let told = repo.windrow(["run", "--", "true"]).run().assert_success().stderr_text();
    assert!(!told.contains("rescued"), "unchanged carried files are nothing to save: {told}");
    let shown = repo.windrow(["acquire"]).run().assert_success().stderr_text();
    assert!(shown.contains("3 untracked paths, 12 B") && shown.contains(".agent/out"), "{shown}");
    for one in listed(&repo) {
        release(&repo, one["name"].as_str().expect("a name"));
    }
}

#[test]
fn the_include_file_takes_what_matches_and_is_ignored() {
    let repo = repository();
    repo.write(".gitignore", "target/\n*.log\n.env*\nlocal/\n/build.out\n");
    repo.write(
        ".worktreeinclude",
        "# secrets\n.env*\n!.env.example\nlocal/keep/\nplain.txt\nREADME.md\n*.log\n!no.log\n",
    );
    repo.commit("Include");
    let files = [
        (".env", true),
        ("deep/er/.env.local", true),
        (".env.example", false),
        ("local/keep/one", true),
        ("local/keep/two/three", true),
        ("local/other", false),
        ("yes.log", true),
        ("no.log", false),
        ("plain.txt", false),
        ("build.out", false),
        ("target/debug/app.log", false),
    ];
    for (path, _) in files {
        repo.write(path, path);
        set_mode(&repo.path().join(path), 0o640);
    }
    repo.write("README.md", "dirty in the main worktree\n");
    repo.write("Cargo.toml", "[package]\n");
    let leased = acquire(&repo, &[]);
    for (path, comes) in files {
        let found = leased.path.join(path);
        assert_eq!(found.exists(), comes, "{path}: {}", leased.document);
        if comes {
            assert_eq!(fs::read_to_string(&found).expect("there"), path);
            assert_eq!(fs::metadata(&found).expect("there").mode() & 0o777, 0o640, "{path}");
        }
    }
    assert_eq!(fs::read_to_string(leased.path.join("README.md")).expect("there"), "# A test\n");
    assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain"]), "");
    release(&repo, &leased.name);
}

#[test]
fn the_link_file_makes_links_that_removal_does_not_follow() {
    let repo = repository();
    repo.write(".gitignore", "node_modules\ntarget/\n*.log\n.env\n");
    repo.write(".worktreelink", "node_modules\n");
    repo.commit("Link");
    repo.write("node_modules/left-pad/index.js", "pad");
    let before = RepoFingerprint::of(&repo);
    let leased = acquire(&repo, &[]);
    let target = fs::read_link(leased.path.join("node_modules")).expect("a link");
    assert_eq!(target, repo.path().join("node_modules"));
    assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain"]), "");
    let released = release(&repo, &leased.name);
    assert!(released["released"]["rescue"].is_null(), "{released}");
    wait_for_empty_trash(&repo);
    before.assert_unchanged(&repo);
}

#[test]
fn the_configuration_takes_and_leaves_out() {
    let repo = repository();
    let config = "[carry]\ninclude = [\"notes/\", \"/data.db\"]\nexclude = [\"*.tmp\", \".claude/cache/\"]\n\
                  link = [\"shared\"]\ncontext = [\".claude\", \".mine\"]\n";
    repo.write("windrow.toml", config);
    repo.commit("Configure");
    for path in ["notes/a", "notes/b.tmp", "data.db", "deep/data.db", "shared/big", ".mine/x", ".agent/x"] {
        repo.write(path, path);
    }
    repo.write(".claude/settings", "settings");
    repo.write(".claude/cache/blob", "blob");
    let leased = acquire(&repo, &[]);
    assert_eq!(brought(&repo, &leased), [".claude/settings", ".mine/x", "data.db", "notes/a", "shared"]);
    assert_eq!(fs::read_link(leased.path.join("shared")).expect("a link"), repo.path().join("shared"));
    let none = acquire(&repo, &["--no-carry"]);
    assert_eq!(brought(&repo, &none), Vec::<String>::new());
    assert_eq!(carried(&none.document), (0, 0));
    release(&repo, &leased.name);
    release(&repo, &none.name);
    assert_eq!(repo.read("shared/big"), b"shared/big");
}

#[test]
fn tracked_context_is_the_branchs_and_only_the_rest_comes_along() {
    let repo = repository();
    repo.write(".claude/settings.json", "committed");
    repo.commit("Settings");
    repo.write(".claude/settings.json", "dirty in the main worktree");
    repo.write(".claude/settings.local.json", "local");
    let leased = acquire(&repo, &[]);
    let read = |name: &str| fs::read_to_string(leased.path.join(".claude").join(name)).expect("there");
    assert_eq!(read("settings.json"), "committed");
    assert_eq!(read("settings.local.json"), "local");
    assert_eq!(carried(&leased.document), (1, 5));
    release(&repo, &leased.name);
}

const COMMIT_ALL: &str = "git add -A && git commit -qm All";

#[test]
fn carried_files_are_not_swept_into_a_commit() {
    let repo = repository();
    repo.write(".agent/notes", "notes");
    repo.write(".agent/sp ace [x]*?#!", "odd");
    repo.write(".agent/b\u{e9}", "odd");
    let script = format!("echo new > .agent/new; echo more >> .agent/notes; echo work > work; {COMMIT_ALL}");
    let run = repo.windrow(["run", "--json", "--name", "fern", "--", "sh", "-ec", &script]);
    let document = run.run().assert_success().json();
    let names = repo.git(["diff", "--name-only", "main", "windrow/fern"]);
    assert_eq!(names, ".agent/new\nwork", "the agent's own files are committed, carried ones are not");
    assert_eq!(document["released"]["unsaved"], 1, "the changed carried file is saved: {document}");
    let id = document["released"]["rescue"]["id"].as_str().expect("a rescue");
    let restored = repo.windrow(["restore", "--json", id]).run().assert_success().json();
    let path = PathBuf::from(restored["lease"]["path"].as_str().expect("a path"));
    assert_eq!(fs::read_to_string(path.join(".agent/notes")).expect("there"), "notesmore\n");
    assert_eq!(repo.read(".agent/notes"), b"notes");
}

#[test]
fn a_name_with_line_ends_hides_nothing_of_the_agents() {
    let repo = repository();
    repo.write(".agent/a\nwork", "odd");
    repo.write(".agent/b\r\nsrc", "odd");
    let script = format!("echo work > work; echo more > src/more; {COMMIT_ALL}");
    repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", &script]).run().assert_success();
    assert_eq!(repo.git(["diff", "--name-only", "main", "windrow/fern"]), "src/more\nwork");
}

#[test]
fn names_that_are_not_text_come_along() {
    let repo = repository();
    let name = std::ffi::OsStr::from_bytes(b".agent/caf\xe9\n");
    repo.write(name, "raw");
    let script = format!("echo work > work; {COMMIT_ALL}; test -z \"$(git status --porcelain)\"");
    let leased = acquire(&repo, &[]);
    assert_eq!(fs::read(leased.path.join(name)).expect("there"), b"raw");
    release(&repo, &leased.name);
    repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", &script]).run().assert_success();
    assert_eq!(repo.git(["diff", "--name-only", "main", "windrow/fern"]), "work");
}

#[test]
fn the_users_own_excludes_stay_in_force() {
    let repo = repository();
    let excludes = repo.root().join("my-ignore");
    fs::write(&excludes, "*.swp").expect("written");
    repo.git(["config", "--global", "core.excludesFile", excludes.to_str().expect("UTF-8")]);
    repo.write(".agent/notes", "notes");
    let script = format!("echo x > a.swp; echo work > work; {COMMIT_ALL}");
    repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", &script]).run().assert_success();
    assert_eq!(repo.git(["diff", "--name-only", "main", "windrow/fern"]), "work");
    assert_eq!(fs::read_to_string(&excludes).expect("there"), "*.swp");
}

/// The manifest knows contents, not only sizes and times: nothing unchanged is saved, nothing changed is missed.
#[test]
fn the_manifest_tells_changed_files_by_content() {
    let repo = repository();
    repo.write(".worktreeinclude", ".env\n*.log\n");
    repo.commit("Include");
    for path in [".env", "same.log", "touched.log", "gone.log", "mode.log", ".agent/notes", ".agent/same"] {
        repo.write(path, "0123456789");
    }
    let script = "
        touch -r .env stamp; printf 9876543210 > .env; touch -r stamp .env; rm stamp
        touch -d 2001-01-01 touched.log; rm gone.log; chmod 600 mode.log
        cp .agent/same copy; cat copy > .agent/same; rm copy; printf 98765 > .agent/notes";
    let run = repo.windrow(["run", "--json", "--", "sh", "-ec", script]);
    let document = run.run().assert_success().json();
    assert_eq!(document["released"]["unsaved"], 3, "`.env`, `.agent/notes` and `mode.log`: {document}");
    let id = document["released"]["rescue"]["id"].as_str().expect("a rescue");
    let restored = repo.windrow(["restore", "--json", id]).run().assert_success().json();
    let path = PathBuf::from(restored["lease"]["path"].as_str().expect("a path"));
    assert_eq!(fs::read_to_string(path.join(".env")).expect("there"), "9876543210");
    assert_eq!(fs::read_to_string(path.join(".agent/notes")).expect("there"), "98765");
    assert_eq!(fs::metadata(path.join("mode.log")).expect("there").mode() & 0o777, 0o600);
    assert!(!path.join("gone.log").exists(), "what the agent deleted stays deleted");
    let touch = "touch -d 2001-01-01 .env .agent/notes .agent; cp .env copy; cat copy > .env; rm copy";
    let document = repo.windrow(["run", "--json", "--", "sh", "-ec", touch]).run().assert_success().json();
    assert_eq!(document["released"]["unsaved"], 0, "{document}");
    assert!(document["released"]["rescue"].is_null(), "{document}");
}

#[test]
fn nothing_is_carried_from_the_worktree_one_stands_in() {
    let repo = repository();
    repo.write(".agent/notes", "main's");
    let first = acquire(&repo, &[]);
    fs::write(first.path.join(".agent/notes"), "the first one's").expect("written");
    fs::write(first.path.join(".agent/more"), "the first one's").expect("written");
    let outcome = repo.windrow(["acquire", "--json"]).current_dir(&first.path).run().assert_success().json();
    let second = PathBuf::from(outcome["lease"]["path"].as_str().expect("a path"));
    assert_eq!(fs::read_to_string(second.join(".agent/notes")).expect("there"), "main's");
    assert!(!second.join(".agent/more").exists());
    for one in listed(&repo) {
        release(&repo, one["name"].as_str().expect("a name"));
    }
}

#[test]
fn h44_worktrees_inside_context_directories_are_not_carried() {
    let repo = repository();
    repo.write(".claude/settings", "settings");
    let nested = repo.path().join(".claude/worktrees/one");
    repo.git(["worktree", "add", "--quiet", "-b", "one", nested.to_str().expect("UTF-8")]);
    fs::write(nested.join("work"), "work").expect("written");
    repo.git(["init", "--quiet", ".agent/own"]);
    repo.write(".agent/own/file", "own");
    repo.git(["clone", "--quiet", "--bare", ".", ".agent/bare.git"]);
    let leased = acquire(&repo, &[]);
    assert_eq!(fs::read_to_string(leased.path.join(".claude/settings")).expect("there"), "settings");
    for path in [".claude/worktrees/one", ".agent/own"] {
        assert!(!leased.path.join(path).exists(), "{path} was carried");
        let found = skipped(&leased.document).into_iter().find(|(name, _)| name == path);
        assert_eq!(found.map(|(_, reason)| reason).as_deref(), Some("a repository of its own"), "{path}");
    }
    release(&repo, &leased.name);
    assert_eq!(fs::read(nested.join("work")).expect("kept"), b"work");
    assert_eq!(repo.git_in(&nested, ["status", "--porcelain"]), "?? work");
}

/// Worktrees that lie inside the repository, where every new one would take the former ones along.
fn grow(directory: &str, include: &str) {
    let repo = repository();
    repo.write(".gitignore", "target/\n*.log\n.env\n.worktrees/\nlocal/\n");
    repo.write(".worktreeinclude", include);
    repo.commit("Include");
    repo.write(".env", "PORT=1");
    repo.write(".claude/settings", "settings");
    repo.write("local/keep", "keep");
    let setting = format!("pool.directory={{repo}}/{directory}/{{name}}");
    let names = ["one", "two", "three", "four"];
    let leased = names.map(|name| acquire(&repo, &["--name", name, "--config", &setting]));
    let first = TreeSnapshot::of(&leased[0].path, &Include::without_git());
    assert!(matches!(first.get(".env").map(|entry| &entry.kind), Some(EntryKind::File { .. })));
    for one in &leased {
        assert_eq!(one.path.parent(), Some(repo.path().join(directory).as_path()));
        assert_same(&first, &TreeSnapshot::of(&one.path, &Include::without_git()));
        let inner = one.path.join(directory);
        let found = TreeSnapshot::of(&inner, &Include::Everything);
        assert_eq!(found.paths().find(|path| !path.starts_with("settings")), None, "{directory}");
        assert_eq!(carried(&one.document), carried(&leased[0].document));
    }
    for one in &leased {
        let released = release(&repo, &one.name);
        assert_eq!(released["released"]["unsaved"], 0, "{released}");
    }
    assert_eq!(repo.read("local/keep"), b"keep");
}

#[test]
fn h44_worktrees_inside_the_repository_do_not_grow_into_each_other() {
    grow(".worktrees", "*\n");
    grow(".worktrees", ".worktrees/\n.env\n");
}

#[test]
fn h44_worktrees_inside_a_carried_directory_do_not_grow_into_each_other() {
    grow(".claude/worktrees", ".env\n");
    grow("local/trees", "local/\n.env\n");
}

#[test]
fn h44_a_pattern_for_everything_takes_neither_git_nor_the_pool() {
    let repo = repository();
    repo.write("windrow.toml", "[carry]\ninclude = [\"*\", \"/.git/\", \"../*\"]\n");
    repo.commit("Everything");
    repo.write("untracked", "untracked");
    let trash_and_all = acquire(&repo, &[]);
    release(&repo, &trash_and_all.name);
    let leased = acquire(&repo, &[]);
    assert_eq!(brought(&repo, &leased), ["untracked"]);
    assert!(leased.path.join(".git").is_file());
    assert!(pool_directory(&repo).exists());
    release(&repo, &leased.name);
}
