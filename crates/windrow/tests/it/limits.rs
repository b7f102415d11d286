//! H36: full disks, no inodes, read-only places, too few descriptors. Either all of it works, or a clear error and all as it was.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use windrow_testkit::{
    Binary, Include, Invocation, Mounted, RepoFingerprint, TestRepo, TreeSnapshot, assert_same, root_only,
    small_tmpfs,
};

use crate::{
    refusal::{assert_nothing_left, assert_told, assert_undone, settle},
    repo,
};

const MEBIBYTE: u64 = 1 << 20;

fn tmpfs(bytes: u64, inodes: u64) -> Option<Mounted> {
    small_tmpfs(root_only("a small file system")?, bytes, inodes)
}

/// A call whose worktrees lie on another file system, without the guard against a nearly full one.
fn on<'a>(repo: &TestRepo, place: &Mounted, words: impl IntoIterator<Item = &'a str>) -> Invocation {
    let directory = format!("pool.directory=\"{}/pool/{{name}}\"", place.path().display());
    repo.windrow(["--config", "pool.min_free=0", "--config", &directory]).args(words)
}

/// All that the pool may still hold is an empty trash.
#[track_caller]
fn assert_empty(place: &Mounted) {
    settle(&place.path().join("pool"));
    let left = TreeSnapshot::of(place.path(), &Include::except(["pool/.trash", "filler"]));
    let left: Vec<_> = left.paths().filter(|path| *path != Path::new("pool")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn remount(repo: &TestRepo, place: &Mounted, options: &str) {
    let options = format!("remount,{options}");
    repo.command("mount", repo.root()).args(["-o", &options]).arg(place.path()).run().assert_success();
}

/// Takes all the space but about `leave` bytes.
fn fill(place: &Path, leave: u64) -> PathBuf {
    let filler = place.join("filler");
    let free = rustix::fs::statvfs(place).expect("mounted");
    let bytes = (free.f_bavail * free.f_frsize).saturating_sub(leave);
    fs::write(&filler, vec![0; usize::try_from(bytes).expect("small")]).expect("what is free can be taken");
    filler
}

#[test]
fn h36_a_nearly_full_disk_is_refused_before_anything_is_made() {
    let Some(place) = tmpfs(16 * MEBIBYTE, 1000) else { return };
    let repo = repo();
    let directory = format!("pool.directory=\"{}/pool/{{name}}\"", place.path().display());
    let call = repo.windrow(["--config", &directory, "run", "--", "true"]);
    assert_undone(&repo, call, 1, "no room for a worktree");
    assert_eq!(fs::read_dir(place.path()).expect("mounted").count(), 0, "nothing was made there");
}

#[test]
fn h36_a_disk_that_fills_up_while_the_files_are_written() {
    let Some(place) = tmpfs(MEBIBYTE, 5000) else { return };
    let repo = TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into())).build();
    // Small enough for the guard, which counts bytes; too many for the disk, which counts pages.
    for number in 0..400 {
        repo.write(format!("many/{number}"), "small");
    }
    repo.commit("Many small files");
    assert_undone(&repo, on(&repo, &place, ["run", "--", "true"]), 1, "no space left");
    assert_empty(&place);
    remount(&repo, &place, "size=16m");
    let clean = ["run", "--", "sh", "-ec", "test -z \"$(git status --porcelain)\"; ls many | wc -l"];
    assert_eq!(on(&repo, &place, clean).run().assert_success().text(), "400");
}

#[test]
fn h36_no_inodes() {
    let repo = repo();
    for directory in ["a", "a/b", "a/b/c", "d", "e"] {
        repo.write(Path::new(directory).join("file"), "x");
    }
    repo.commit("Directories");
    let entries = u64::try_from(repo.git(["ls-files"]).lines().count()).expect("few");
    let mut refused = 0;
    for inodes in [3, entries, entries + 3, entries + 5, entries + 7, entries + 9] {
        let Some(place) = tmpfs(4 * MEBIBYTE, inodes) else { return };
        assert_undone(&repo, on(&repo, &place, ["run", "--", "true"]), 1, "cannot create worktree");
        assert_empty(&place);
        refused += 1;
    }
    assert_eq!(refused, 6);
    let Some(place) = tmpfs(4 * MEBIBYTE, entries + 40) else { return };
    on(&repo, &place, ["run", "--", "sh", "-ec", "test -z \"$(git status --porcelain)\""])
        .run()
        .assert_success();
}

fn repo_in(place: &Mounted) -> TestRepo {
    TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into())).inside(place.path()).build()
}

#[test]
fn h36_a_full_disk_under_a_repository_that_never_saw_us() {
    let Some(place) = tmpfs(8 * MEBIBYTE, 5000) else { return };
    let repo = repo_in(&place);
    let filler = fill(place.path(), 0);
    let call = repo.windrow(["--config", "pool.min_free=0", "run", "--", "true"]);
    let before = RepoFingerprint::of(&repo);
    assert_told(&call.run().assert_code(1), "no space left");
    before.assert_unchanged(&repo);
    assert_nothing_left(&repo);
    fs::remove_file(filler).expect("ours");
    repo.windrow(["--config", "pool.min_free=0", "run", "--", "true"]).run().assert_success();
}

#[test]
fn h36_a_disk_with_too_little_space_for_a_run() {
    let Some(place) = tmpfs(12 * MEBIBYTE, 5000) else { return };
    let repo = repo_in(&place);
    repo.write("big", vec![b'x'; 600_000]);
    repo.commit("Big");
    let run = || repo.windrow(["--config", "pool.min_free=0", "run", "--", "git", "status", "--porcelain"]);
    run().run().assert_success();
    let before = RepoFingerprint::of(&repo);
    let mut refused = 0;
    for leave in [0, 64 << 10, 300 << 10, 700 << 10] {
        settle(&repo.root().join("repo.windrow"));
        let filler = fill(place.path(), leave);
        let outcome = run().run();
        refused += u32::from(outcome.code != 0);
        if outcome.code == 0 {
            assert_eq!(outcome.text(), "", "complete: {outcome}");
        } else {
            assert_told(&outcome.assert_code(1), "");
        }
        fs::remove_file(filler).expect("ours");
        before.assert_unchanged(&repo);
        // Whatever could not even be put on record is put in order by the next command.
        run().run().assert_success();
        assert_nothing_left(&repo);
    }
    assert!(refused >= 2, "an empty disk must have been too small, {refused}");
}

#[test]
fn h36_a_disk_that_the_agent_filled() {
    let Some(place) = tmpfs(3 * MEBIBYTE, 5000) else { return };
    let repo = repo();
    let before = RepoFingerprint::of(&repo);
    let script = "echo precious > precious; cat /dev/zero > filler || :; sha256sum filler";
    let run = on(&repo, &place, ["run", "--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    before.assert_unchanged(&repo);
    assert_empty(&place);
    remount(&repo, &place, "size=16m");
    let back = on(&repo, &place, ["restore", "fern", "--name", "back"]).run().assert_success().text();
    assert_eq!(fs::read(Path::new(&back).join("precious")).expect("restored"), b"precious\n");
    let sum = repo.command("sha256sum", Path::new(&back)).arg("filler").run().assert_success();
    assert_eq!(sum.stdout, run.stdout, "byte for byte");
    on(&repo, &place, ["release", "back", "--discard"]).run().assert_success();
    settle(&place.path().join("pool"));
}

#[test]
fn h36_work_that_cannot_be_saved_stays_where_it_is() {
    let (Some(place), Some(pool)) = (tmpfs(6 * MEBIBYTE, 5000), tmpfs(32 * MEBIBYTE, 5000)) else { return };
    let repo = repo_in(&place);
    let before = RepoFingerprint::of(&repo);
    // What does not compress does not fit beside the repository.
    let script = "head -c 6000000 /dev/urandom > big; echo secret > .env; sha256sum big";
    let run = on(&repo, &pool, ["run", "--name", "fern", "--", "sh", "-ec", script]).run();
    let told = run.stderr_text();
    assert!(told.contains("left in place"), "{run}");
    let tree = pool.path().join("pool/fern");
    let sum = repo.command("sha256sum", &tree).arg("big").run().assert_success();
    assert_eq!(sum.stdout, run.stdout, "untouched");
    assert_eq!(fs::read(tree.join(".env")).expect("untouched"), b"secret\n");
    before.assert_unchanged(&repo);
    remount(&repo, &place, "size=64m");
    let released = on(&repo, &pool, ["release", "fern"]).run().assert_success().stderr_text();
    assert!(released.contains("rescued"), "{released}");
    assert_empty(&pool);
    let back = on(&repo, &pool, ["restore", "fern", "--name", "back"]).run().assert_success().text();
    let sum = repo.command("sha256sum", Path::new(&back)).arg("big").run().assert_success();
    assert_eq!(sum.stdout, run.stdout, "byte for byte");
    on(&repo, &pool, ["release", "back", "--discard"]).run().assert_success();
    settle(&pool.path().join("pool"));
}

#[test]
fn h36_a_read_only_file_system() {
    let Some(place) = tmpfs(16 * MEBIBYTE, 5000) else { return };
    let repo = repo_in(&place);
    let any_space = ["--config", "pool.min_free=0"];
    let keep = ["run", "--name", "fern", "--keep", "1h", "--", "sh", "-c", "echo work > work.txt"];
    repo.windrow(any_space).args(keep).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    remount(&repo, &place, "ro");
    let before = TreeSnapshot::of(place.path(), &Include::Everything);
    for words in [&["run", "--", "true"][..], &["acquire"], &["release", "fern"], &["renew", "fern"]] {
        assert_told(&repo.windrow(any_space).args(words).run().assert_code(1), "Read-only file system");
    }
    let list = repo.windrow(["list", "--json"]).run();
    assert_same(&before, &TreeSnapshot::of(place.path(), &Include::Everything));
    remount(&repo, &place, "rw");
    assert_eq!(list.assert_success().json()["worktrees"][0]["name"], "fern");
    repo.windrow(["release", "fern"]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
}

#[test]
fn h36_too_few_descriptors() {
    let repo = TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into())).files(60).build();
    let before = RepoFingerprint::of(&repo);
    let script = "test -z \"$(git status --porcelain)\"; git ls-files | wc -l; find gen -type f | wc -l";
    let mut refused = 0;
    for limit in [8, 14, 16, 17, 18, 20, 32] {
        let run = repo.windrow(["run", "--", "sh", "-ec", script]);
        let outcome = run.wrapped_in(["prlimit", &format!("--nofile={limit}"), "--"]).run();
        if outcome.code == 0 {
            assert_eq!(outcome.text(), "65\n60", "with {limit}: {outcome}");
        } else {
            refused += 1;
            assert_told(&outcome.assert_code(1), "");
        }
        before.assert_unchanged(&repo);
    }
    assert!((1..7).contains(&refused), "the limits reach from too few to enough: {refused}");
    repo.windrow(["run", "--", "true"]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    assert_nothing_left(&repo);
}

/// Somebody whom permissions bind: us, or for root another user, whom everything of the test then belongs to.
struct Bound {
    repo: TestRepo,
    program: PathBuf,
    user: Vec<&'static str>,
}

impl Bound {
    fn new(repo: TestRepo) -> Self {
        let program = repo.root().join("tmp/windrow");
        fs::copy(env!("CARGO_BIN_EXE_windrow"), &program).expect("copied");
        let user: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        if !rustix::process::geteuid().is_root() {
            return Self { repo, program, user: Vec::new() };
        }
        let config = repo.surroundings().git_config();
        let text = fs::read_to_string(&config).expect("the kit's own") + "[safe]\n\tdirectory = *\n";
        fs::write(&config, text).expect("ours");
        repo.command("chown", repo.root())
            .args(["-R", "65534:65534"])
            .arg(repo.root())
            .run()
            .assert_success();
        Self { repo, program, user: user.to_vec() }
    }

    fn windrow<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Invocation {
        let call = self.repo.command(&self.program, self.repo.path()).args(words);
        if self.user.is_empty() { call } else { call.wrapped_in(&self.user) }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

fn in_a_place() -> Bound {
    let builder = TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into()));
    Bound::new(builder.directory("place/repo").build())
}

#[test]
fn h36_a_read_only_parent_sends_worktrees_to_the_data_directory_and_says_so() {
    let bound = in_a_place();
    let place = bound.repo.root().join("place");
    set_mode(&place, 0o555);
    let run = bound.windrow(["run", "--", "pwd"]).run().assert_success();
    let data = bound.repo.root().join("data");
    assert!(run.text().starts_with(data.to_str().expect("UTF-8")), "{run}");
    let told = run.stderr_text();
    assert!(told.contains("note: worktrees go to") && told.contains("Permission denied"), "{told}");
    assert_eq!(fs::read_dir(&place).expect("ours").count(), 1, "nothing beside the repository");
    set_mode(&place, 0o755);
}

#[test]
fn h36_a_read_only_parent_and_data_directory_are_refused() {
    let bound = in_a_place();
    let (place, data) = (bound.repo.root().join("place"), bound.repo.root().join("data"));
    set_mode(&place, 0o555);
    set_mode(&data, 0o555);
    assert_undone(&bound.repo, bound.windrow(["run", "--", "true"]), 1, "Permission denied");
    set_mode(&place, 0o755);
    set_mode(&data, 0o755);
}

#[test]
fn h36_a_read_only_git_directory_is_refused() {
    let bound = in_a_place();
    let git_dir = bound.repo.git_dir();
    set_mode(&git_dir, 0o555);
    let before = TreeSnapshot::of(bound.repo.root(), &Include::Everything);
    assert_told(&bound.windrow(["run", "--", "true"]).run().assert_code(1), "Permission denied");
    assert_same(&before, &TreeSnapshot::of(bound.repo.root(), &Include::Everything));
    set_mode(&git_dir, 0o755);
    bound.windrow(["run", "--", "true"]).run().assert_success();
    settle(&bound.repo.root().join("place/repo.windrow"));
    set_mode(&git_dir.join("windrow"), 0o000);
    for words in [&["list"][..], &["show", "x"], &["release", "x"]] {
        // Already the private configuration in there cannot be read.
        assert_told(&bound.windrow(words.iter().copied()).run().assert_code(78), "Permission denied");
    }
    set_mode(&git_dir.join("windrow"), 0o700);
    set_mode(&git_dir.join("windrow/state.db"), 0o400);
    assert_undone(&bound.repo, bound.windrow(["run", "--", "true"]), 1, "cannot be written");
    set_mode(&git_dir.join("windrow/state.db"), 0o600);
}
