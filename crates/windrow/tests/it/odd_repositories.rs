//! H59: repositories out of the ordinary. `windrow run` does its whole work in each, or says clearly why not.

use std::{
    ffi::OsString,
    fs,
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use windrow_testkit::{
    Binary, Include, RepoFingerprint, TestRepo, TestRepoBuilder, TreeSnapshot, assert_same,
};

/// Fails unless the worktree is clean; then leaves a commit, an untracked and an ignored file.
const WORK: &str = "test -z \"$(git status --porcelain)\"
    echo work > work.txt; git add work.txt; git commit --quiet --message Work
    echo loose > loose.txt; echo secret > .env";

fn odd() -> TestRepoBuilder {
    TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into()))
}

/// Runs the work from `start` in a worktree `fern` of `repo` and checks all that it left.
#[track_caller]
fn assert_works_from(repo: &TestRepo, start: &Path) {
    let before = RepoFingerprint::of(repo);
    let head = repo.oid("HEAD");
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", WORK]).current_dir(start).run();
    let told = run.assert_success().stderr_text();
    assert!(told.contains("rescued  2 paths"), "{told}");
    assert_eq!(repo.git(["rev-list", "--no-walk", "windrow/fern~1"]), head);
    assert_eq!(repo.git(["show", "windrow/fern:work.txt"]), "work");
    assert_nothing_left(repo);
    before.assert_unchanged(repo);
    assert_restores(repo);
    repo.git(["fsck", "--strict", "--no-dangling"]);
}

#[track_caller]
fn assert_works(repo: &TestRepo) {
    assert_works_from(repo, repo.path());
}

#[track_caller]
fn assert_nothing_left(repo: &TestRepo) {
    assert!(!repo.git_dir().join("worktrees").exists(), "git knows no other worktree");
    let list = repo.windrow(["list", "--json"]).run().assert_success().json();
    assert_eq!(list["worktrees"], serde_json::json!([]), "{list}");
}

/// What was neither committed nor tracked comes back.
#[track_caller]
fn assert_restores(repo: &TestRepo) {
    let restored = repo.windrow(["restore", "fern", "--name", "back"]).run().assert_success();
    // The path may hold newlines itself; only the last one is ours.
    let path = restored.stdout.strip_suffix(b"\n").expect("a line");
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    let held = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
    assert_eq!((held("loose.txt"), held(".env")), ("loose\n".to_owned(), "secret\n".to_owned()), "{path:?}");
    repo.windrow(["release", "back", "--discard"]).run().assert_success();
}

/// Fails with everything as it was.
#[track_caller]
fn assert_refuses(repo: &TestRepo, arguments: &[&str], code: i32, error: &str) {
    let before = TreeSnapshot::of(repo.root(), &Include::Everything);
    let told = repo.windrow(arguments).run().assert_code(code).stderr_text();
    assert!(told.starts_with("error: ") && told.contains(error) && told.contains("\nhint: "), "{told}");
    assert_same(&before, &TreeSnapshot::of(repo.root(), &Include::Everything));
}

#[test]
fn h59_a_bare_repository() {
    assert_works(&odd().bare().build());
}

#[test]
fn h59_an_unborn_head_is_refused_and_another_base_works() {
    let repo = odd().unborn().build();
    assert_refuses(&repo, &["run", "--", "true"], 1, "has no commit yet");
    assert_refuses(&repo, &["acquire"], 1, "has no commit yet");
    let tree = repo.git_invocation(repo.path()).args(["mktree"]).run().assert_success().text();
    let commit = repo.git(["commit-tree", "-m", "Elsewhere", &tree]);
    repo.git(["update-ref", "refs/heads/elsewhere", &commit]);
    let run = ["run", "--base", "elsewhere", "--", "git", "rev-parse", "HEAD"];
    assert_eq!(repo.windrow(run).run().assert_success().text(), commit);
}

#[test]
fn h59_reftable() {
    assert_works(&odd().reftable().build());
}

#[test]
fn h59_sha256() {
    assert_works(&odd().sha256().build());
}

#[test]
fn h59_sha256_with_reftable_and_bare() {
    assert_works(&odd().sha256().reftable().bare().build());
}

#[test]
fn h59_a_path_with_a_newline_and_bytes_that_are_no_utf8() {
    let repo = odd().directory(OsString::from_vec(b"odd\nre \"po' $x\xff".to_vec())).build();
    let before = RepoFingerprint::of(&repo);
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", WORK]).run().assert_success();
    assert!(!run.stderr_text().chars().any(|one| one.is_control() && one != '\n'), "{run}");
    assert_eq!(repo.git(["show", "windrow/fern:work.txt"]), "work");
    let place = repo.windrow(["run", "--", "pwd"]).run().assert_success();
    assert!(place.stdout.starts_with(&[repo.root().as_os_str().as_encoded_bytes(), b"/odd\nre"].concat()));
    assert_restores(&repo);
    assert_nothing_left(&repo);
    before.assert_unchanged(&repo);
}

#[test]
fn h59_tracked_paths_with_newlines_and_bytes_that_are_no_utf8() {
    let repo = odd().build();
    let name = PathBuf::from(OsString::from_vec(b"a\nb/\xff \"q\".txt".to_vec()));
    repo.write(&name, "odd");
    repo.commit("Odd names");
    let mut script = OsString::from("test \"$(cat '");
    script.push(&name);
    script.push("')\" = odd; printf more >> '");
    script.push(&name);
    script.push("'");
    let run = ["run".into(), "--name".into(), "fern".into(), "--".into(), "sh".into(), "-ec".into(), script];
    repo.windrow(run).run().assert_success();
    let restored = repo.windrow(["restore", "fern", "--name", "back"]).run().assert_success().text();
    assert_eq!(fs::read(Path::new(&restored).join(&name)).expect("restored"), b"oddmore");
}

#[test]
fn h59_a_symlinked_path() {
    let repo = odd().build();
    let link = repo.root().join("link");
    symlink(repo.path(), &link).expect("linked");
    assert_works_from(&repo, &link.join("src"));
    let through = ["--repo".as_ref(), link.as_os_str(), "run".as_ref(), "--".as_ref(), "pwd".as_ref()];
    let place = repo.windrow(through).current_dir(repo.root()).run().assert_success().text();
    assert!(place.starts_with(&format!("{}.windrow/", repo.path().display())), "{place}");
}

#[test]
fn h59_a_parent_directory_that_is_no_repository() {
    let repo = odd().build();
    assert_works_from(&repo, repo.root());
}

#[test]
fn h59_a_linked_worktree_as_the_start() {
    let repo = odd().build();
    let linked = repo.root().join("linked");
    repo.git(["worktree", "add", "--quiet", "-b", "side", linked.to_str().expect("UTF-8")]);
    fs::write(linked.join("dirty.txt"), "dirty").expect("written");
    let side = repo.commit_in(&linked, "On the side");
    fs::write(linked.join("dirty.txt"), "dirtier").expect("written");
    let (before, there) = (RepoFingerprint::of(&repo), TreeSnapshot::of(&linked, &Include::Everything));
    let script = "git rev-parse HEAD; echo $WINDROW_MAIN_WORKTREE; git commit --allow-empty -qm Work";
    let run = ["run", "--name", "fern", "--", "sh", "-ec", script];
    let told = repo.windrow(run).current_dir(linked.join("src")).run().assert_success().text();
    assert_eq!(told, format!("{side}\n{}", repo.path().display()));
    assert_eq!(repo.oid("windrow/fern~1"), side);
    before.assert_unchanged(&repo);
    assert_same(&there, &TreeSnapshot::of(&linked, &Include::Everything));
    assert!(repo.git_dir().join("windrow/state.db").exists(), "one state for all worktrees");
}

#[test]
fn h59_a_separate_git_directory() {
    let repo = odd().build();
    let (place, git_dir) = (repo.root().join("place"), repo.root().join("elsewhere.git"));
    let words = ["init", "--quiet", "--separate-git-dir"].map(OsString::from).to_vec();
    let words = words.into_iter().chain([git_dir.clone().into(), place.clone().into()]);
    repo.git_in(repo.root(), words);
    fs::write(place.join("file"), "content").expect("written");
    repo.commit_in(&place, "Begin");
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", WORK]).current_dir(&place).run();
    run.assert_success();
    assert_eq!(repo.git_in(&place, ["show", "windrow/fern:work.txt"]), "work");
    assert_eq!(repo.git_in(&place, ["status", "--porcelain"]), "");
    assert!(git_dir.join("windrow/state.db").exists());
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Clones `source` to `clone`, which takes the place of the repository of its own kit.
fn cloned(options: &[&str]) -> (TestRepo, TestRepo) {
    let source = TestRepo::new();
    source.write("old.txt", "only in history");
    source.commit("Old");
    fs::remove_file(source.path().join("old.txt")).expect("ours");
    source.write("wanted.txt", "wanted");
    source.commit("New");
    source.git(["config", "uploadpack.allowFilter", "true"]);
    source.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let clone = odd().build();
    fs::remove_dir_all(clone.path()).expect("ours");
    let words = ["clone", "--quiet"].iter().chain(options).map(|word| (*word).to_owned());
    let words = words.chain([url(source.path()), clone.path().to_str().expect("UTF-8").to_owned()]);
    clone.git_in(clone.root(), words);
    (source, clone)
}

#[test]
fn h59_a_shallow_clone() {
    let (_source, repo) = cloned(&["--depth=1"]);
    assert_works(&repo);
    assert_eq!(repo.git(["rev-parse", "--is-shallow-repository"]), "true");
    assert_refuses_later(&repo, &["run", "--base", "HEAD~1", "--", "true"], "`HEAD~1` names nothing");
}

/// Like [`assert_refuses`] where there is a state already.
#[track_caller]
fn assert_refuses_later(repo: &TestRepo, arguments: &[&str], error: &str) {
    let before = RepoFingerprint::of(repo);
    let told = repo.windrow(arguments).run().assert_code(1).stderr_text();
    assert!(told.starts_with("error: ") && told.contains(error) && told.contains("\nhint: "), "{told}");
    before.assert_unchanged(repo);
    assert_nothing_left(repo);
}

#[test]
fn h59_a_partial_clone_fetches_what_a_base_needs() {
    let (source, repo) = cloned(&["--filter=blob:none"]);
    assert_works(&repo);
    let run = ["run", "--base", "HEAD~1", "--", "cat", "old.txt"];
    assert_eq!(repo.windrow(run).run().assert_success().text(), "only in history");
    drop(source);
}

#[test]
fn h59_a_partial_clone_whose_remote_is_gone_is_refused() {
    let (source, repo) = cloned(&["--filter=blob:none"]);
    drop(source);
    let run = ["run", "--name", "fern", "--base", "HEAD~1", "--", "true"];
    assert_refuses_later(&repo, &run, "cannot create worktree `fern`");
    assert_works(&repo);
}

fn sparse(options: &[&str]) -> TestRepo {
    let repo = odd().build();
    repo.write("docs/guide.md", "guide");
    repo.write("docs/deep/inner.md", "inner");
    repo.commit("Docs");
    repo.git(["sparse-checkout", "set"].iter().chain(options));
    repo
}

#[test]
fn h59_a_sparse_checkout_is_as_sparse_in_the_worktree() {
    let by_cone: &[&str] = &["--cone", "src"];
    let by_index: &[&str] = &["--cone", "--sparse-index", "src"];
    let by_pattern: &[&str] = &["--no-cone", "/*", "!/docs/"];
    for options in [by_cone, by_index, by_pattern] {
        let repo = sparse(options);
        assert!(!repo.path().join("docs").exists(), "{options:?}: the main checkout is sparse");
        let script = "test ! -e docs; test -e src/lib.rs; test -z \"$(git status --porcelain)\"; git sparse-checkout list";
        let listed = repo.windrow(["run", "--", "sh", "-ec", script]).run().assert_success().text();
        assert_eq!(listed, repo.git(["sparse-checkout", "list"]), "{options:?}");
        assert_works(&repo);
        let kept = repo.git(["ls-tree", "-r", "--name-only", "windrow/fern"]);
        assert!(kept.contains("docs/deep/inner.md"), "{options:?}: a commit keeps what is not checked out");
    }
}

/// A repository with the submodule `mod`, cloned from a sibling.
fn super_project() -> TestRepo {
    let repo = odd().build();
    repo.git_in(repo.root(), ["clone", "--quiet", "repo", "upstream"]);
    repo.git(["submodule", "--quiet", "add", "../upstream", "mod"]);
    repo.commit("Add a submodule");
    repo
}

#[test]
fn h59_submodules_stay_empty_unless_asked_for() {
    let repo = super_project();
    let empty = [
        "run",
        "--",
        "sh",
        "-ec",
        "test -d mod; test -z \"$(ls -A mod)\"; test -z \"$(git status --porcelain)\"",
    ];
    repo.windrow(empty).run().assert_success();
    assert_works(&repo);
}

#[test]
fn h59_submodules_are_populated_when_asked_for() {
    let repo = super_project();
    repo.write(".git/windrow/config.toml", "[submodules]\npopulate = \"direct\"\n");
    let script =
        "test \"$(cat mod/README.md)\" = '# A test'; git submodule status; cd mod; git rev-parse HEAD";
    let told = repo.windrow(["run", "--", "sh", "-ec", script]).run().assert_success().text();
    assert!(told.starts_with(' '), "in step with the commit: {told}");
    assert_eq!(told.lines().last(), Some(repo.git(["rev-parse", "HEAD:mod"]).as_str()));
    assert_works(&repo);
}

#[test]
fn h59_unpushed_work_in_a_populated_submodule_keeps_the_worktree() {
    let repo = super_project();
    let before = RepoFingerprint::of(&repo);
    let script = "cd mod; echo new > new; git add new; git commit -qm Inner; pwd";
    let run = ["--config", "submodules.populate=direct", "run", "--name", "fern", "--", "sh", "-ec", script];
    let run = repo.windrow(run).run().assert_success();
    let told = run.stderr_text();
    assert!(told.contains("left in place") && told.contains("submodule `mod`"), "{told}");
    assert_eq!(fs::read(Path::new(&run.text()).join("new")).expect("left in place"), b"new\n");
    before.assert_unchanged(&repo);
}

#[test]
fn h59_a_submodule_is_a_repository_of_its_own_and_its_superproject_sees_nothing() {
    let repo = super_project();
    let module = repo.path().join("mod");
    let around = TreeSnapshot::of(repo.path(), &Include::without_git());
    let script =
        "git -C \"$WINDROW_MAIN_WORKTREE/..\" status --porcelain; git commit -q --allow-empty -m Work; pwd";
    let run = ["run", "--name", "fern", "--", "sh", "-ec", script];
    let run = repo.windrow(run).current_dir(&module).run().assert_success();
    let place = repo.root().join("data/windrow");
    assert!(run.text().starts_with(place.to_str().expect("UTF-8")), "{run}");
    assert!(!run.text().contains('\n'), "the superproject's status is clean while it runs: {run}");
    assert_eq!(repo.git_in(&module, ["rev-parse", "windrow/fern~1"]), repo.oid("HEAD:mod"));
    assert_eq!(repo.git(["branch", "--list", "windrow/*"]), "", "the superproject has no such branch");
    assert_same(&around, &TreeSnapshot::of(repo.path(), &Include::without_git()));
}

fn write_filter(program: &Path) {
    fs::write(program, "#!/bin/sh\nexec tr a-z A-Z\n").expect("written");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("ours");
}

/// A repository with a file that a filter turns into something else, and the filter's program.
fn filtered() -> (TestRepo, PathBuf) {
    let repo = odd().build();
    let program = repo.root().join("filter");
    write_filter(&program);
    for (key, value) in [("clean", "tr A-Z a-z"), ("smudge", program.to_str().expect("UTF-8"))] {
        repo.git(["config".to_owned(), format!("filter.big.{key}"), value.to_owned()]);
    }
    repo.git(["config", "filter.big.required", "true"]);
    repo.write(".gitattributes", "*.bin filter=big -text\n");
    repo.write("data.bin", "DATA\n");
    repo.commit("Filtered");
    (repo, program)
}

#[test]
fn h59_a_filter_is_honoured() {
    let (repo, _program) = filtered();
    let run = repo.windrow(["run", "--", "cat", "data.bin"]).run();
    assert_eq!(run.assert_success().text(), "DATA");
    assert_works(&repo);
}

#[test]
fn h59_a_required_filter_without_its_program_is_refused() {
    let (repo, program) = filtered();
    fs::remove_file(&program).expect("ours");
    let run = ["run", "--name", "fern", "--", "true"];
    assert_refuses_later(&repo, &run, "cannot create worktree `fern`");
    assert_eq!(repo.git(["branch", "--list", "windrow/*"]), "", "the branch is gone too");
    write_filter(&program);
    assert_works(&repo);
}

#[test]
fn h59_pointers_of_a_filter_that_is_not_set_up_are_plain_files() {
    let (repo, _program) = filtered();
    repo.git(["config", "--remove-section", "filter.big"]);
    repo.git(["checkout", "--quiet", "HEAD", "--", "."]);
    fs::remove_file(repo.path().join("data.bin")).expect("ours");
    repo.git(["checkout", "--quiet", "HEAD", "--", "data.bin"]);
    let run = repo.windrow(["run", "--", "cat", "data.bin"]).run();
    assert_eq!(run.assert_success().text(), "data");
    assert_works(&repo);
}
