//! Hostile input: names that would steer a path, a ref or an option, links that lead out, worktrees that run code in whoever looks.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use windrow_testkit::{
    EntryKind, Include, Outcome, RepoFingerprint, TestRepo, TreeSnapshot, assert_same, poll_until,
};

use crate::leasing::{
    acquire, assert_nothing_left, branches, builder, listed, pool_directory, pool_entries, release,
    repository,
};

/// Names that no worktree may have: paths, options, control characters, reserved words, other alphabets, too long ones.
fn hostile_names() -> Vec<OsString> {
    let plain = [
        "",
        ".",
        "..",
        "../../x",
        "/tmp/x",
        "a/b",
        "a\\b",
        "-x",
        "x-",
        "--",
        "--upload-pack=touch pwned",
        "~",
        "a b",
        " ",
        "a\nb",
        "a\tb",
        "a\u{1b}[31mb",
        "a\u{7f}",
        "a\u{9b}31mb",
        "a\u{202e}b",
        "é",
        "e\u{301}",
        "ﬁ",
        "а",
        "x.lock",
        ".hidden",
        "a.b",
        "a_b",
        "A",
        "con",
        "CON",
        "nul",
        "com1",
        "lpt9",
        "head",
        "HEAD",
        "null",
        "undefined",
        "@",
        "@{1}",
        "*",
        "?",
        "$(touch pwned)",
        "`touch pwned`",
        ";touch pwned",
        "{name}",
        "%2e%2e",
    ];
    let mut names: Vec<OsString> = plain.into_iter().map(OsString::from).collect();
    names.extend([65, 300, 5_000].map(|length| "x".repeat(length).into()));
    names.push(OsStr::from_bytes(b"caf\xe9").to_owned());
    names
}

fn option(name: &str, value: &OsStr) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(value);
    option
}

/// An error is one that a person can read: it says so, and no byte of the input steers the terminal.
#[track_caller]
fn assert_clear_error(outcome: &Outcome, what: &OsStr) {
    let said = outcome.stderr_text();
    assert!(said.starts_with("error: "), "{what:?}: {outcome}");
    assert!(!said.contains("panicked"), "{what:?}: {outcome}");
    let steering = |c: char| c.is_ascii_control() && !"\n\t".contains(c);
    assert!(!said.contains(steering), "{what:?} reaches the terminal: {said:?}");
    assert!(outcome.stdout.is_empty(), "{what:?}: {outcome}");
}

/// Everything around the repository, but for what looking at it may leave.
fn surroundings(repo: &TestRepo) -> TreeSnapshot {
    TreeSnapshot::of(repo.root(), &Include::except(["tmp", "repo/.git/windrow", "repo.windrow/.trash"]))
}

#[test]
fn h54_hostile_worktree_names_are_refused_before_anything_is_done() {
    let repo = repository();
    let before = surroundings(&repo);
    for name in hostile_names() {
        let outcome = repo.windrow(["acquire"]).arg(option("--name", &name)).run().assert_code(2);
        assert_clear_error(&outcome, &name);
    }
    assert_same(&before, &surroundings(&repo));
    assert!(!repo.git_dir().join("windrow").exists(), "not even a state directory was made");
    for name in ["../../x", "CON", "-x"] {
        let run = repo.windrow(["run"]).arg(option("--name", name.as_ref())).args(["--", "touch", "pwned"]);
        run.run().assert_code(2);
    }
    assert_same(&before, &surroundings(&repo));
}

#[test]
fn h54_the_longest_name_works_everywhere() {
    let repo = repository();
    let name = "x".repeat(64);
    let leased = acquire(&repo, &["--name", &name]);
    assert_eq!(leased.branch, format!("windrow/{name}"));
    fs::write(leased.path.join("work"), "work").expect("written");
    let released = release(&repo, &name);
    let rescue = released["released"]["rescue"]["id"].as_str().expect("a rescue").to_owned();
    let restored = repo.windrow(["restore", "--json", &rescue]).run().assert_success().json();
    let path = restored["lease"]["path"].as_str().expect("a path");
    assert_eq!(fs::read(Path::new(path).join("work")).expect("restored"), b"work");
    release(&repo, restored["lease"]["name"].as_str().expect("a name"));
}

#[test]
fn h54_hostile_names_select_nothing() {
    let repo = repository();
    let leased = acquire(&repo, &["--name", "fern"]);
    fs::write(leased.path.join("work"), "unsaved").expect("written");
    let before = surroundings(&repo);
    let commands: [&[&str]; 6] =
        [&["release", "--discard"], &["show"], &["path"], &["renew"], &["exec"], &["rescue", "drop"]];
    for command in commands {
        for name in
            ["..", "../../x", "/tmp/x", "-x", "--", "a\nb", "a\u{1b}[31mb", "e\u{301}", "HEAD", "$(x)"]
        {
            let tail: &[&str] = if command == ["exec"] { &["--", "touch", "pwned"] } else { &[] };
            let head: &[&str] = if command == ["exec"] { &[] } else { &["--"] };
            let outcome = repo.windrow(command).args(head).arg(name).args(tail).run();
            assert!(outcome.code == 1 || outcome.code == 2, "{outcome}");
            assert_clear_error(&outcome, name.as_ref());
        }
        if command != ["exec"] {
            assert_same(&before, &surroundings(&repo));
        }
    }
    assert_same(&before, &surroundings(&repo));
    assert_eq!(listed(&repo).len(), 1);
    release(&repo, "fern");
}

#[test]
fn h54_hostile_branch_names_are_refused() {
    let repo = repository();
    let before = surroundings(&repo);
    let long = "x".repeat(300);
    let bad = [
        "", "-x", "--force", "@", "HEAD", "..", "../x", "a..b", "a/../b", "/x", "x/", "a//b", ".x", "a/.x",
        "x.lock", "a.lock/b", "x.", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{1}", "@{-1}",
        "a\nb", "a\u{1b}b", "a\u{7f}b", &long,
    ];
    for branch in bad {
        let outcome = repo.windrow(["acquire"]).arg(option("--branch", branch.as_ref())).run();
        assert_clear_error(&outcome.assert_code(2), branch.as_ref());
    }
    assert_same(&before, &surroundings(&repo));
}

/// Git is the judge: what it takes for a branch name we take, and what it refuses we refuse.
#[test]
fn h54_branch_names_agree_with_git() {
    let repo = repository();
    let names =
        ["feature/žluťoučký", "e\u{301}", "é", "#1", "a-b_c.d+e=f", "ünï/côdé", "x@y", "{}", "a'b", "$x"];
    for name in names {
        repo.git(["check-ref-format", "--branch", name]);
        let leased = acquire(&repo, &["--branch", name]);
        assert_eq!(leased.branch, name);
        assert_eq!(repo.git_in(&leased.path, ["symbolic-ref", "--short", "HEAD"]), name);
        release(&repo, &leased.name);
    }
    assert_nothing_left(&repo);
}

#[test]
fn h54_what_a_name_holds_never_steers_the_terminal() {
    let repo = repository();
    let branch = "a\u{9b}31mb";
    repo.git(["check-ref-format", "--branch", branch]);
    let outcome = repo.windrow(["acquire", "--name", "fern", "--branch", branch]).run();
    for outcome in [outcome, repo.windrow(["list"]).run(), repo.windrow(["show", "fern"]).run()] {
        let text = format!("{}{}", outcome.stderr_text(), String::from_utf8_lossy(&outcome.stdout));
        assert!(!text.contains('\u{9b}'), "{outcome}");
    }
}

#[test]
fn h54_hostile_bases_run_nothing_and_leave_nothing() {
    let repo = repository();
    let before = surroundings(&repo);
    let pwned = format!("--output={}/pwned", repo.root().display());
    let long = "x".repeat(300);
    let bases = [
        "",
        "-x",
        "--upload-pack=touch pwned",
        &pwned,
        "--all",
        "--stdin",
        "HEAD:README.md",
        "HEAD^{tree}",
        "HEAD..main",
        "^HEAD",
        "a\nb",
        "a\u{1b}b",
        "../../x",
        "@{-1}",
        ":/nothing",
        "refs/heads/nothing",
        &long,
    ];
    for base in bases {
        let outcome = repo.windrow(["acquire"]).arg(option("--base", base.as_ref())).run();
        assert!(outcome.code == 1 || outcome.code == 2, "{base:?}: {outcome}");
        assert_clear_error(&outcome, base.as_ref());
    }
    assert_same(&before, &surroundings(&repo));
    assert_nothing_left(&repo);
}

#[test]
fn h54_keys_of_any_kind_make_a_branch_or_a_clear_error() {
    let repo = repository();
    let template = ["--config", "branch.template=pilot/{key}"];
    for key in ["TASK 1", "#12: fix \"it\"", "a:b~c^d", "ключ", "--force", "$(touch pwned)", "a/b"] {
        let leased = repo.windrow(["acquire", "--json"]).arg(option("--key", key.as_ref())).args(template);
        let document = leased.run().assert_success().json();
        assert_eq!(document["lease"]["key"], key);
        let branch = document["lease"]["branch"].as_str().expect("a branch");
        repo.git(["check-ref-format", "--branch", branch]);
        release(&repo, document["lease"]["name"].as_str().expect("a name"));
    }
    crate::pool::wait_for_empty_trash(&crate::pool::pool_root(&repo).join(".trash"));
    let before = surroundings(&repo);
    let long = "x".repeat(300);
    for key in ["", "a\nb", "a\u{1b}b", &long] {
        let outcome = repo.windrow(["acquire"]).arg(option("--key", key.as_ref())).args(template).run();
        assert_clear_error(&outcome.assert_code(2), key.as_ref());
    }
    for key in ["../../x", "..", "x.lock", "/"] {
        let outcome = repo.windrow(["acquire"]).arg(option("--key", key.as_ref())).args(template).run();
        assert_clear_error(&outcome.assert_code(78), key.as_ref());
    }
    assert_same(&before, &surroundings(&repo));
    assert_nothing_left(&repo);
}

/// A directory outside the repository that nobody may read from or write to through a link.
fn outside(repo: &TestRepo) -> PathBuf {
    let outside = repo.root().join("outside");
    fs::create_dir_all(outside.join("sub")).expect("made");
    fs::write(outside.join("secret"), "outside").expect("written");
    fs::write(outside.join("sub/deep"), "outside").expect("written");
    outside
}

fn link(repo: &TestRepo, target: impl AsRef<Path>, path: &str) {
    let path = repo.path().join(path);
    fs::create_dir_all(path.parent().expect("below the repository")).expect("made");
    symlink(target, path).expect("linked");
}

/// The paths that were asked for and not taken.
fn skipped(document: &serde_json::Value) -> Vec<String> {
    let skipped = document["carried"]["skipped"].as_array().expect("a list");
    skipped.iter().map(|one| one["path"].as_str().expect("UTF-8").to_owned()).collect()
}

#[test]
fn h55_links_that_lead_out_of_the_main_worktree_are_not_carried() {
    let repo = repository();
    let outside = outside(&repo);
    repo.write(".agent/notes", "notes");
    link(&repo, &outside, ".agent/absolute");
    link(&repo, "../../outside", ".agent/relative");
    link(&repo, "../../outside/secret", ".agent/file");
    link(&repo, "relative/sub", ".agent/chain");
    link(&repo, repo.path().join("README.md"), ".agent/into-main");
    link(&repo, "../.git/config", ".agent/inside-git");
    link(&repo, "loop", ".agent/loop");
    link(&repo, "../README.md", ".agent/readme");
    link(&repo, "notes", ".agent/near");
    link(&repo, "../../outside", ".claude");
    let before = TreeSnapshot::of(&outside, &Include::Everything);
    let leased = acquire(&repo, &[]);
    let taken = TreeSnapshot::of(&leased.path.join(".agent"), &Include::Everything);
    for name in ["absolute", "relative", "file", "chain", "into-main"] {
        assert!(taken.get(name).is_none(), "{name} was carried");
        assert!(skipped(&leased.document).contains(&format!(".agent/{name}")), "{name} is not told");
    }
    assert!(!leased.path.join(".claude").exists(), "a directory that is a link was entered");
    assert_eq!(fs::read_to_string(leased.path.join(".agent/near")).expect("kept"), "notes");
    let readme = taken.get("readme").map(|entry| entry.kind.clone());
    assert_eq!(readme, Some(EntryKind::Symlink { target: "../README.md".into() }));
    let everything = fs::read_dir(leased.path.join(".agent")).expect("there").flatten();
    for entry in everything {
        let read = fs::read_to_string(entry.path()).unwrap_or_default();
        assert!(!read.contains("outside"), "{}", entry.path().display());
    }
    release(&repo, &leased.name);
    assert_same(&before, &TreeSnapshot::of(&outside, &Include::Everything));
}

/// A repository in which another branch has `link` as a symlink to `target`, while the main worktree has a directory there.
fn branch_with_a_link(path: &str, target: &Path) -> TestRepo {
    let repo = repository();
    repo.git(["checkout", "--quiet", "-b", "linked"]);
    link(&repo, target, path);
    repo.write(".worktreeinclude", ".env\n*.log\n");
    repo.git(["add", "--all", "--force"]);
    repo.commit("Link");
    repo.git(["checkout", "--quiet", "main"]);
    repo.write(".worktreeinclude", ".env\n*.log\n");
    repo
}

#[test]
fn h55_nothing_is_written_through_a_link_of_the_branch() {
    for path in [".agent", "config", "config/deep"] {
        let repo = branch_with_a_link(path, Path::new("../outside"));
        let outside = outside(&repo);
        repo.write(format!("{path}/.env"), "SECRET=1");
        repo.write(format!("{path}/sub/app.log"), "SECRET=1");
        repo.write(format!("{path}/secret"), "SECRET=1");
        let before = TreeSnapshot::of(repo.root(), &Include::except(["repo", "repo.windrow", "tmp"]));
        let leased = acquire(&repo, &["--base", "linked"]);
        let kind = fs::symlink_metadata(leased.path.join(path)).expect("checked out").file_type();
        assert!(kind.is_symlink(), "{path}");
        assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain"]), "");
        assert!(skipped(&leased.document).iter().any(|one| one.starts_with(path)), "{}", leased.document);
        release(&repo, &leased.name);
        assert_same(
            &before,
            &TreeSnapshot::of(repo.root(), &Include::except(["repo", "repo.windrow", "tmp"])),
        );
        assert_eq!(fs::read(outside.join("secret")).expect("there"), b"outside");
    }
}

#[test]
fn h55_nothing_is_written_through_a_link_that_stays_inside() {
    let repo = branch_with_a_link(".agent", Path::new("src"));
    repo.write(".agent/lib.rs", "SECRET=1");
    repo.write(".agent/.env", "SECRET=1");
    let leased = acquire(&repo, &["--base", "linked"]);
    assert_eq!(fs::read_to_string(leased.path.join("src/lib.rs")).expect("there"), "//! Nothing yet.\n");
    assert!(!leased.path.join("src/.env").exists());
    assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain", "--ignored"]), "");
    release(&repo, &leased.name);
}

#[test]
fn h55_a_file_of_the_branch_is_not_replaced_by_a_carried_one() {
    let repo = repository();
    repo.git(["checkout", "--quiet", "-b", "tracked"]);
    repo.write(".agent/notes", "tracked");
    repo.write(".env", "tracked");
    repo.git(["add", "--all", "--force"]);
    repo.commit("Track");
    repo.git(["checkout", "--quiet", "main"]);
    repo.write(".agent/notes", "main's");
    repo.write(".env", "main's");
    repo.write(".worktreeinclude", ".env");
    let leased = acquire(&repo, &["--base", "tracked"]);
    assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain"]), "");
    for path in [".agent/notes", ".env"] {
        assert_eq!(fs::read_to_string(leased.path.join(path)).expect("there"), "tracked");
    }
    release(&repo, &leased.name);
}

#[test]
fn h55_a_linked_path_that_is_a_link_out_is_not_linked() {
    let repo = repository();
    let outside = outside(&repo);
    repo.write(".gitignore", "node_modules\nvendor\ntarget/\n*.log\n.env\n");
    repo.write(".worktreelink", "node_modules\nvendor\n");
    repo.commit("Link");
    link(&repo, &outside, "node_modules");
    repo.write("vendor/lib", "main's");
    let leased = acquire(&repo, &[]);
    assert!(fs::symlink_metadata(leased.path.join("node_modules")).is_err());
    assert_eq!(skipped(&leased.document), ["node_modules"]);
    let target = fs::read_link(leased.path.join("vendor")).expect("a link");
    assert_eq!(target, repo.path().join("vendor"));
    release(&repo, &leased.name);
    assert_eq!(repo.read("vendor/lib"), b"main's", "what was linked stays");
}

#[test]
fn h55_a_pattern_file_that_is_a_link_is_refused() {
    let repo = repository();
    let outside = outside(&repo);
    fs::write(outside.join("patterns"), ".env\n").expect("written");
    link(&repo, outside.join("patterns"), ".worktreeinclude");
    let outcome = repo.windrow(["acquire"]).run();
    assert_ne!(outcome.code, 0, "{outcome}");
    assert!(outcome.stderr_text().contains(".worktreeinclude"), "{outcome}");
    assert_nothing_left(&repo);
}

/// What an agent puts where directories were, so that whoever saves or restores would follow.
const REPLACE_BY_LINKS: &str = "
    rm -r src; ln -s \"$OUTSIDE\" src
    ln -s \"$OUTSIDE\" target; ln -s \"$OUTSIDE/secret\" .env; ln -s \"$OUTSIDE\" untracked
    rm -r .agent; ln -s \"$OUTSIDE\" .agent";

#[test]
fn h55_saving_and_restoring_go_through_no_link_of_the_agents() {
    let repo = repository();
    let outside = outside(&repo);
    fs::write(outside.join("lib.rs"), "outside").expect("written");
    fs::write(outside.join("notes"), "outside").expect("written");
    repo.write(".agent/notes", "notes");
    let before = TreeSnapshot::of(&outside, &Include::Everything);
    let fingerprint = RepoFingerprint::of(&repo);
    let run = repo.windrow(["run", "--json", "--", "sh", "-ec", REPLACE_BY_LINKS]).env("OUTSIDE", &outside);
    let document = run.run().assert_success().json();
    assert_eq!(document["released"]["fate"]["kind"], "removed", "{document}");
    assert_same(&before, &TreeSnapshot::of(&outside, &Include::Everything));
    let id = document["released"]["rescue"]["id"].as_str().expect("a rescue");
    let restored = repo.windrow(["restore", "--json", id]).run().assert_success().json();
    let path = PathBuf::from(restored["lease"]["path"].as_str().expect("a path"));
    for name in ["src", "target", "untracked", ".agent"] {
        let target = fs::read_link(path.join(name));
        assert_eq!(target.unwrap_or_else(|error| panic!("{name}: {error}")), outside, "{name}");
    }
    assert_eq!(fs::read_link(path.join(".env")).expect("a link"), outside.join("secret"));
    assert_same(&before, &TreeSnapshot::of(&outside, &Include::Everything));
    release(&repo, restored["lease"]["name"].as_str().expect("a name"));
    assert_same(&before, &TreeSnapshot::of(&outside, &Include::Everything));
    fingerprint.assert_unchanged(&repo);
}

/// A git directory whose configuration, hooks and attributes run `touch pwned` in whoever believes it.
struct Evil {
    git_dir: PathBuf,
    mark: PathBuf,
}

const HOOKS: [&str; 10] = [
    "post-checkout",
    "post-commit",
    "post-index-change",
    "pre-commit",
    "reference-transaction",
    "post-rewrite",
    "pre-auto-gc",
    "fsmonitor-watchman",
    "post-merge",
    "pre-push",
];

impl Evil {
    fn beside(repo: &TestRepo) -> Self {
        let root = repo.root().join("evil");
        let path = root.to_str().expect("UTF-8");
        repo.git(["clone", "--quiet", "--no-hardlinks", ".", path]);
        // With a branch of the worktree's name it lacks nothing of a repository that can be worked in.
        repo.git_in(&root, ["branch", "windrow/fern"]);
        let evil = Self { git_dir: root.join(".git"), mark: repo.root().join("pwned") };
        write_hooks(&root.join("hooks"), &evil.mark);
        write_hooks(&evil.git_dir.join("hooks"), &evil.mark);
        let config = evil.git_dir.join("config");
        let text = fs::read_to_string(&config).expect("a configuration");
        fs::write(&config, format!("{text}{}", evil.config())).expect("written");
        fs::write(root.join("attributes"), "* filter=evil diff=evil merge=evil\n").expect("written");
        evil
    }

    /// Configuration that names a program wherever git would run one.
    fn config(&self) -> String {
        let root = self.git_dir.parent().expect("below a directory").display();
        let touch = format!("touch {}; true", self.mark.display());
        format!(
            "[core]\n\tfsmonitor = \"{touch}\"\n\thooksPath = {root}/hooks\n\tattributesFile = {root}/attributes\n\
             \tsshCommand = \"{touch}\"\n\teditor = \"{touch}\"\n\tpager = \"{touch}\"\n\taskPass = \"{touch}\"\n\
             \talternateRefsCommand = \"{touch}\"\n[filter \"evil\"]\n\tclean = \"{touch}; cat\"\n\
             \tsmudge = \"{touch}; cat\"\n\trequired = true\n[diff]\n\texternal = \"{touch}\"\n[diff \"evil\"]\n\
             \ttextconv = \"{touch}; cat\"\n[merge \"evil\"]\n\tdriver = \"{touch}\"\n[gpg]\n\tprogram = \"{touch}\"\n\
             [commit]\n\tgpgSign = true\n[credential]\n\thelper = \"!{touch}\"\n[log]\n\tshowSignature = true\n"
        )
    }

    #[track_caller]
    fn assert_nothing_ran(&self, after: &Outcome) {
        assert!(!self.mark.exists(), "code of the agent's ran in the manager: {after}");
    }

    /// Checks that git itself would have run something there: else the test above shows nothing.
    #[track_caller]
    fn assert_git_would_run_it(&self, repo: &TestRepo, worktree: &Path) {
        drop(repo.git_invocation(worktree).args(["status"]).run());
        assert!(self.mark.exists(), "the trap does not work");
        fs::remove_file(&self.mark).expect("the mark is there");
    }
}

fn write_hooks(directory: &Path, mark: &Path) {
    fs::create_dir_all(directory).expect("made");
    for name in HOOKS {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own");
    }
}

/// Runs an agent that does `script` after some work, in the worktree `fern`, with `$EVIL` and `$ADMIN` set.
fn run_agent(repo: &TestRepo, evil: &Evil, script: &str) -> Outcome {
    let work = "echo work > work; echo more >> README.md; ADMIN=$(git rev-parse --absolute-git-dir)";
    let script = format!("{work}\n{script}");
    let run = repo.windrow(["run", "--json", "--name", "fern", "--", "sh", "-ec", &script]);
    run.env("EVIL", &evil.git_dir).env("TRAP", evil.config()).run().assert_success()
}

/// Everything a person or a program may ask, from outside the worktree and from inside.
fn ask_everything(repo: &TestRepo, evil: &Evil, worktree: &Path) {
    let questions: [&[&str]; 7] = [
        &["list"],
        &["show", "fern"],
        &["path", "fern"],
        &["diff", "fern"],
        &["config"],
        &["rescue", "list"],
        &["release", "fern"],
    ];
    for question in questions {
        evil.assert_nothing_ran(&repo.windrow(question).run());
        evil.assert_nothing_ran(&repo.windrow(question).current_dir(worktree).run());
    }
    evil.assert_nothing_ran(&repo.windrow(["run", "--", "true"]).run().assert_success());
    for lease in [&["run", "--", "true"][..], &["acquire"]] {
        let refused = repo.windrow(lease).current_dir(worktree).run();
        evil.assert_nothing_ran(&refused);
        assert_ne!(refused.code, 0, "{refused}");
    }
    evil.assert_nothing_ran(&repo.windrow(["show"]).current_dir(worktree).run());
    evil.assert_nothing_ran(&repo.windrow(["release"]).current_dir(worktree).run());
}

/// Lets an agent set a trap that makes the worktree's identity doubtful: it must stay, whole, and run nothing.
fn assert_quarantined_and_harmless(script: &str) {
    let repo = repository();
    let evil = Evil::beside(&repo);
    let before = RepoFingerprint::of(&repo);
    let evil_refs = repo.git_in(&evil.git_dir, ["for-each-ref"]);
    let outcome = run_agent(&repo, &evil, script);
    evil.assert_nothing_ran(&outcome);
    assert_eq!(outcome.json()["released"]["fate"]["kind"], "quarantined", "{outcome}");
    let worktree = pool_directory(&repo).join("fern");
    let files = TreeSnapshot::of(&worktree, &Include::without_git());
    assert_eq!(fs::read(worktree.join("work")).expect("kept"), b"work\n");
    ask_everything(&repo, &evil, &worktree);
    assert_same(&files, &TreeSnapshot::of(&worktree, &Include::without_git()));
    assert!(branches(&repo).contains(&"windrow/fern".to_owned()), "its branch stays");
    before.assert_unchanged(&repo);
    evil.assert_git_would_run_it(&repo, &worktree);
    assert_eq!(repo.git_in(&evil.git_dir, ["-c", "core.fsmonitor=", "for-each-ref"]), evil_refs);
}

#[test]
fn h56_a_replaced_dot_git_file_runs_nothing() {
    assert_quarantined_and_harmless("echo \"gitdir: $EVIL\" > .git");
}

#[test]
fn h56_a_dot_git_directory_runs_nothing() {
    assert_quarantined_and_harmless("rm .git; cp -r \"$EVIL\" .git");
}

#[test]
fn h56_a_dot_git_link_runs_nothing() {
    assert_quarantined_and_harmless("rm .git; ln -s \"$EVIL\" .git");
}

#[test]
fn h56_a_replaced_commondir_runs_nothing() {
    assert_quarantined_and_harmless("echo \"$EVIL\" > \"$ADMIN/commondir\"");
}

#[test]
fn h56_a_replaced_commondir_that_knows_the_worktree_runs_nothing() {
    assert_quarantined_and_harmless(
        "mkdir -p \"$EVIL/worktrees\"; cp -r \"$ADMIN\" \"$EVIL/worktrees/fern\"
         echo \"gitdir: $EVIL/worktrees/fern\" > .git",
    );
}

#[test]
fn h56_a_registration_that_is_a_link_runs_nothing() {
    assert_quarantined_and_harmless(
        "mkdir -p \"$EVIL/worktrees\"; mv \"$ADMIN\" \"$EVIL/worktrees/fern\"; ln -s \"$EVIL/worktrees/fern\" \"$ADMIN\"",
    );
}

/// Lets an agent set a trap that leaves the worktree's identity intact: its work is saved, and nothing runs.
fn assert_saved_and_harmless(repo: &TestRepo, script: &str) {
    with_worktree_config(repo);
    let evil = Evil::beside(repo);
    let before = RepoFingerprint::of(repo);
    let keep = format!("{script}\ncp -r . \"$EVIL/../copy\"");
    let outcome = run_agent(repo, &evil, &keep);
    evil.assert_nothing_ran(&outcome);
    let document = outcome.json();
    assert_eq!(document["released"]["fate"]["kind"], "removed", "{outcome}");
    let id = document["released"]["rescue"]["id"].as_str().expect("a rescue").to_owned();
    before.assert_unchanged(repo);
    let restored = repo.windrow(["restore", "--json", "--name", "again", &id]).run();
    evil.assert_nothing_ran(&restored);
    let path = pool_directory(repo).join("again");
    let copy = evil.git_dir.parent().expect("below a directory").join("copy");
    let without_git = Include::without_git();
    assert_same(&TreeSnapshot::of(&copy, &without_git), &TreeSnapshot::of(&path, &without_git));
    evil.assert_nothing_ran(&repo.windrow(["release", "again"]).run().assert_success());
    before.assert_unchanged(repo);
}

fn with_worktree_config(repo: &TestRepo) {
    repo.git(["config", "extensions.worktreeConfig", "true"]);
}

#[test]
fn h56_a_replaced_config_worktree_runs_nothing() {
    assert_saved_and_harmless(&repository(), "echo \"$TRAP\" > \"$ADMIN/config.worktree\"");
}

#[test]
fn h56_a_replaced_config_worktree_runs_nothing_on_reftable() {
    let script = "echo \"$TRAP\" > \"$ADMIN/config.worktree\"";
    assert_saved_and_harmless(&builder().reftable().build(), script);
}

/// The same trap as above is one: git runs it, and the worktree that is still there can be asked about.
#[test]
fn h56_asking_about_a_worktree_with_a_replaced_config_runs_nothing() {
    let repo = repository();
    with_worktree_config(&repo);
    let evil = Evil::beside(&repo);
    let leased = acquire(&repo, &["--name", "fern"]);
    let admin = repo.git_in(&leased.path, ["rev-parse", "--absolute-git-dir"]);
    fs::write(leased.path.join("work"), "work").expect("written");
    fs::write(leased.path.join("README.md"), "changed").expect("written");
    fs::write(Path::new(&admin).join("config.worktree"), evil.config()).expect("written");
    let questions: [&[&str]; 6] =
        [&["list"], &["show", "fern"], &["path", "fern"], &["diff", "fern"], &["renew", "fern"], &["config"]];
    for question in questions {
        evil.assert_nothing_ran(&repo.windrow(question).run().assert_success());
        evil.assert_nothing_ran(&repo.windrow(question).current_dir(&leased.path).run());
    }
    evil.assert_nothing_ran(&repo.windrow(["acquire"]).current_dir(&leased.path).run().assert_success());
    evil.assert_git_would_run_it(&repo, &leased.path);
    evil.assert_nothing_ran(&repo.windrow(["release", "fern"]).run().assert_success());
}

#[test]
fn h56_a_configured_worktree_does_not_lead_us_elsewhere() {
    let repo = repository();
    with_worktree_config(&repo);
    let before = RepoFingerprint::of(&repo);
    let script = "echo work > work
        git config --worktree core.worktree \"$MAIN\"; git config --worktree core.bare false";
    let run = repo.windrow(["run", "--json", "--name", "fern", "--", "sh", "-ec", script]);
    let document = run.env("MAIN", repo.path()).run().assert_success().json();
    assert_eq!(document["released"]["unsaved"], 1, "{document}");
    let commit = document["released"]["rescue"]["commit_oid"].as_str().expect("a snapshot");
    assert_eq!(repo.git(["show", &format!("{commit}:work")]), "work");
    before.assert_unchanged(&repo);
}

#[test]
fn h56_hooks_and_configuration_that_an_agent_left_in_the_shared_directory_do_not_run_in_us() {
    let repo = repository();
    let evil = Evil::beside(&repo);
    write_hooks(&repo.git_dir().join("hooks"), &evil.mark);
    let config = repo.git_dir().join("config");
    let text = fs::read_to_string(&config).expect("a configuration");
    let trap = evil.config().replace("attributesFile", "unused");
    fs::write(&config, format!("{text}{trap}")).expect("written");
    let leased = acquire(&repo, &["--name", "fern"]);
    fs::write(leased.path.join("work"), "work").expect("written");
    fs::write(leased.path.join("README.md"), "changed").expect("written");
    let steps: [&[&str]; 6] = [
        &["list"],
        &["show", "fern"],
        &["release", "fern"],
        &["rescue", "list"],
        &["run", "--", "true"],
        &["run", "--", "sh", "-c", "echo > untracked; exit 3"],
    ];
    for step in steps {
        let outcome = repo.windrow(step).run();
        evil.assert_nothing_ran(&outcome);
        assert!(outcome.code == 0 || outcome.code == 3, "{outcome}");
    }
    evil.assert_git_would_run_it(&repo, repo.path());
}

#[test]
fn h56_a_nested_repository_and_a_submodule_run_nothing() {
    let repo = repository();
    let evil = Evil::beside(&repo);
    let script =
        "cp -r \"$EVIL/..\" nested; git clone -q . sub; git add sub; printf '%s' \"$TRAP\" >> sub/.git/config
        echo dirty > sub/dirty; echo dirty > nested/dirty";
    let outcome = run_agent(&repo, &evil, script);
    evil.assert_nothing_ran(&outcome);
    let worktree = pool_directory(&repo).join("fern");
    if worktree.exists() {
        assert_eq!(fs::read(worktree.join("nested/dirty")).expect("kept"), b"dirty\n");
        evil.assert_nothing_ran(&repo.windrow(["show", "fern"]).run());
        evil.assert_git_would_run_it(&repo, &worktree.join("nested"));
    } else {
        assert!(outcome.json()["released"]["rescue"]["id"].is_string(), "{outcome}");
    }
}

#[test]
fn h56_a_dead_supervisors_hostile_worktree_runs_nothing_in_its_recovery() {
    let repo = repository();
    let evil = Evil::beside(&repo);
    let script = "echo work > work; echo \"gitdir: $EVIL\" > .git; echo ready; exec sleep 60";
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", script]).env("EVIL", &evil.git_dir);
    let mut run = run.spawn();
    run.wait_for_stdout("ready");
    run.kill_alone();
    let recovered = repo.windrow(["run", "--name", "other", "--", "true"]).run().assert_success();
    evil.assert_nothing_ran(&recovered);
    poll_until(std::time::Duration::from_secs(20), "the quarantine", || {
        let outcome = repo.windrow(["run", "--", "true"]).run();
        evil.assert_nothing_ran(&outcome);
        listed(&repo).iter().any(|one| one["state"] == "quarantined")
    });
    let worktree = pool_directory(&repo).join("fern");
    assert_eq!(fs::read(worktree.join("work")).expect("kept"), b"work\n");
    evil.assert_git_would_run_it(&repo, &worktree);
}

/// Lets an agent put a pipe, on which a reader would wait for ever, where the manager reads.
fn assert_does_not_hang(script: &str) {
    let repo = repository();
    let before = RepoFingerprint::of(&repo);
    let script = format!("echo work > work; ADMIN=$(git rev-parse --absolute-git-dir)\n{script}");
    let run = repo.windrow(["run", "--json", "--name", "fern", "--", "sh", "-ec", &script]);
    let outcome = run.bound(std::time::Duration::from_secs(20)).run().assert_success();
    let worktree = pool_directory(&repo).join("fern");
    if outcome.json()["released"]["fate"]["kind"] == "quarantined" {
        assert_eq!(fs::read(worktree.join("work")).expect("kept"), b"work\n");
        for question in [&["list"][..], &["path", "fern"], &["release", "fern"]] {
            drop(repo.windrow(question).bound(std::time::Duration::from_secs(20)).run());
        }
        assert_eq!(fs::read(worktree.join("work")).expect("kept"), b"work\n");
    } else {
        assert!(outcome.json()["released"]["rescue"]["id"].is_string(), "{outcome}");
    }
    repo.windrow(["run", "--", "true"]).run().assert_success();
    before.assert_unchanged(&repo);
}

fn put_a_pipe_at(name: &str) {
    assert_does_not_hang(&format!("rm -f \"$ADMIN/{name}\"; mkfifo \"$ADMIN/{name}\""));
}

#[test]
fn h56_a_pipe_in_place_of_head_does_not_hang_us() {
    put_a_pipe_at("HEAD");
    put_a_pipe_at("MERGE_HEAD");
}

#[test]
fn h56_a_pipe_in_place_of_the_index_does_not_hang_us() {
    put_a_pipe_at("index");
    put_a_pipe_at("config.worktree");
}

#[test]
fn h56_a_pipe_in_place_of_the_registration_does_not_hang_us() {
    for name in ["commondir", "gitdir", "windrow-id", "locked"] {
        put_a_pipe_at(name);
    }
}

#[test]
fn h56_a_pipe_among_the_files_does_not_hang_us() {
    assert_does_not_hang("rm .git; mkfifo .git");
    assert_does_not_hang("mkfifo pipe; rm README.md; mkfifo README.md");
    assert_does_not_hang("rm .gitignore; mkfifo .gitignore; mkfifo .gitattributes");
}

#[test]
fn h56_links_to_devices_do_not_fill_our_memory() {
    for name in ["HEAD", "index", "commondir", "logs/HEAD"] {
        assert_does_not_hang(&format!("rm -f \"$ADMIN/{name}\"; ln -s /dev/zero \"$ADMIN/{name}\""));
    }
}

#[test]
fn h56_a_head_that_names_something_else_is_no_way_to_another_ref() {
    let repo = builder().build();
    repo.git(["branch", "theirs"]);
    for head in
        ["ref: refs/heads/main", "ref: refs/heads/theirs", "ref: ../../config", "ref: refs/../HEAD", ""]
    {
        let before = RepoFingerprint::of(&repo);
        let script =
            "echo work > work; printf '%s\\n' \"$HEAD\" > \"$(git rev-parse --absolute-git-dir)/HEAD\"";
        let run = repo.windrow(["run", "--json", "--", "sh", "-ec", script]).env("HEAD", head);
        let outcome = run.run().assert_success();
        before.assert_unchanged(&repo);
        assert_eq!(branches(&repo).iter().filter(|name| !name.starts_with("windrow/")).count(), 2, "{head}");
        let document = outcome.json();
        let path = document["released"]["worktree"]["path"].as_str().expect("a path");
        let saved = document["released"]["rescue"]["id"].is_string();
        assert!(saved || Path::new(path).join("work").exists(), "{head}: {outcome}");
    }
    assert!(pool_entries(&pool_directory(&repo)).len() <= 3);
}
