//! `deinit` leaves plain git: nothing of ours stays, nothing of others goes, and no work is lost on the way.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use windrow_testkit::{
    Fault, Include, TestRepo, TreeSnapshot, assert_same, inject, poll_for, poll_until, processes_under,
};

use crate::pool::{
    SOON, acquire, everything, files, holder, pool_root, put, registered, repository, rescues, state, text,
    windrow,
};
use crate::schema::assert_valid;

/// What plain git and the file system say of a repository, but for objects, which only git removes.
#[derive(Debug)]
struct Before {
    around: BTreeSet<PathBuf>,
    main: TreeSnapshot,
    git: TreeSnapshot,
    config: Vec<u8>,
    refs: String,
    worktrees: Vec<String>,
}

impl Before {
    fn of(repo: &TestRepo) -> Self {
        // What git itself writes when it looks, it writes now.
        repo.try_git(["status"]);
        let bare = repo.git_dir() == repo.path();
        let entries = fs::read_dir(repo.path().parent().unwrap()).unwrap();
        let git = repo.git_dir();
        Self {
            around: entries.map(|entry| entry.unwrap().path()).collect(),
            main: if bare { files(Path::new("/dev/null")) } else { files(repo.path()) },
            config: fs::read(git.join("config")).unwrap(),
            // Where a branch goes while somebody lists refs git packs it first; `refs` tells what is in the file.
            git: TreeSnapshot::of(&git, &Include::except(["objects", "packed-refs"])),
            refs: repo.git(["for-each-ref"]),
            worktrees: registered(repo),
        }
    }

    #[track_caller]
    fn assert_same(&self, repo: &TestRepo) {
        let after = Self::of(repo);
        assert_eq!(self.around, after.around);
        assert_eq!(self.config, after.config);
        assert_eq!(self.refs, after.refs);
        assert_eq!(self.worktrees, after.worktrees);
        assert_same(&self.main, &after.main);
        assert_same(&self.git, &after.git);
    }
}

/// Plans and carries out; both must say the same. Returns what was done.
#[track_caller]
fn deinit(repo: &TestRepo, arguments: &[&str]) -> Value {
    let before = everything(repo.path());
    let line = [&["deinit", "--json"], arguments].concat();
    let planned = windrow(repo, &[line.as_slice(), &["--dry-run"]].concat()).json();
    assert_valid("deinit", &planned);
    assert!(before.paths().eq(everything(repo.path()).paths()), "a question changes nothing");
    let outcome = repo.windrow(&line).run();
    let done = outcome.json();
    assert_valid("deinit", &done);
    for key in ["obstructed", "records", "worktrees", "rescues"] {
        assert_eq!(planned[key], done[key], "{key}");
    }
    outcome.assert_code(if done["obstructed"] == true { 65 } else { 0 });
    done
}

/// What stands in the way, with the first command that settles it.
fn in_the_way(done: &Value) -> Vec<(String, String, String)> {
    let all = done["worktrees"].as_array().unwrap().iter().chain(done["rescues"].as_array().unwrap());
    let one = |one: &Value| {
        let obstacle = one.get("obstacle").filter(|obstacle| !obstacle.is_null())?;
        let name = one.get("name").unwrap_or(&one["id"]);
        Some((text(name), text(&obstacle["kind"]), text(&obstacle["commands"][0])))
    };
    all.filter_map(one).collect()
}

#[track_caller]
fn assert_plain(repo: &TestRepo) {
    assert!(!repo.git_dir().join("windrow").exists());
    assert!(!repo.git_dir().join("windrow.leaving").exists());
    assert!(!repo.git(["for-each-ref"]).contains("refs/windrow"));
}

fn use_it(repo: &TestRepo) {
    windrow(repo, &["run", "--name", "first", "--", "true"]);
    let lease = acquire(repo, &["--name", "second"]);
    lease.write("draft.txt", "draft");
    windrow(repo, &["release", "second"]);
    windrow(repo, &["restore", "second", "--name", "third"]);
    windrow(repo, &["release", "third", "--discard"]);
    for name in ["second", "third"] {
        for id in rescues(repo, name) {
            windrow(repo, &["rescue", "drop", &id]);
        }
    }
    windrow(repo, &["run", "--name", "kept", "--keep", "1h", "--", "true"]);
    windrow(repo, &["session", "start", "--ttl", "1h"]);
}

#[test]
fn no_trace_stays_but_branches() {
    for build in [TestRepo::builder(), TestRepo::builder().bare(), TestRepo::builder().reftable()] {
        let binary = windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into());
        let repo = build.binary(binary).build();
        let reftable = repo.git_dir().join("reftable").exists();
        let before = Before::of(&repo);
        use_it(&repo);
        let done = deinit(&repo, &[]);
        assert_eq!(done["worktrees"][0]["action"], "release", "{done:#}");
        assert_eq!(done["stays"], json!([]));
        assert_plain(&repo);
        if reftable {
            assert_eq!(before.refs, repo.git(["for-each-ref"]));
            assert_eq!(before.worktrees, registered(&repo));
            assert!(!pool_root(&repo).exists());
        } else {
            before.assert_same(&repo);
        }
        let again = deinit(&repo, &[]);
        assert_eq!((&again["worktrees"], &again["goes"]), (&json!([]), &json!([])));
        windrow(&repo, &["run", "--", "true"]);
        assert!(repo.git_dir().join("windrow").exists(), "it can begin anew");
    }
}

#[test]
fn branches_with_work_stay() {
    let repo = repository();
    let script = "echo hello > greeting.txt && git add . && git commit -qm Hello";
    windrow(&repo, &["run", "--name", "first", "--", "sh", "-c", script]);
    deinit(&repo, &[]);
    assert_eq!(repo.git(["show", "windrow/first:greeting.txt"]), "hello");
    assert_plain(&repo);
    assert!(!pool_root(&repo).exists());
}

#[test]
fn where_windrow_never_was_nothing_is_done() {
    let repo = repository();
    let before = Before::of(&repo);
    assert!(windrow(&repo, &["deinit"]).text().contains("nothing of windrow is here"));
    assert_eq!(deinit(&repo, &[])["goes"], json!([]));
    before.assert_same(&repo);
}

#[test]
fn h05_leases_unsaved_work_and_rescues_stand_in_the_way_and_nothing_is_removed() {
    let repo = repository();
    let mut holder = holder(&repo);
    let live = acquire(&repo, &["--name", "live", "--pid", &holder.pid().to_string()]);
    live.write("live.txt", "live");
    windrow(&repo, &["run", "--name", "kept", "--keep", "1h", "--", "sh", "-c", "echo kept > kept.txt"]);
    windrow(&repo, &["run", "--name", "clean", "--keep", "1h", "--", "true"]);
    windrow(&repo, &["run", "--name", "saved", "--", "sh", "-c", "echo saved > saved.txt"]);
    let aside = acquire(&repo, &["--name", "aside"]);
    fs::write(aside.path.join(".git"), "gitdir: /nowhere\n").unwrap();
    repo.windrow(["release", "aside"]).run().assert_code(1);
    let saved = rescues(&repo, "saved").remove(0);
    let before = everything(&pool_root(&repo));
    let done = deinit(&repo, &[]);
    assert_eq!(
        in_the_way(&done),
        [
            ("live".into(), "leased".into(), "windrow release live".into()),
            ("kept".into(), "unsaved".into(), "windrow release kept".into()),
            ("aside".into(), "quarantined".into(), "windrow show aside".into()),
            (saved.clone(), "rescue".into(), format!("windrow restore {saved}")),
        ]
    );
    assert_same(&before, &everything(&pool_root(&repo)));
    let told = repo.windrow(["deinit"]).run().assert_code(65).text();
    assert!(told.contains("windrow release live") && told.contains("windrow rescue drop"), "{told}");
    let discarding = deinit(&repo, &["--discard-rescues"]);
    assert_eq!(in_the_way(&discarding).len(), 3, "{discarding:#}");
    assert_eq!(rescues(&repo, "saved"), [saved], "nothing is thrown away while something stands in the way");
    assert_eq!(state(&repo, "clean"), "kept");
    holder.kill_alone();
}

#[test]
fn h10_rescues_become_branches_and_directories() {
    let repo = repository();
    let script = "echo changed > README.md; echo new > new.txt; mkdir -p conf; echo secret > conf/.env";
    windrow(&repo, &["run", "--name", "fern", "--", "sh", "-c", script]);
    let id = rescues(&repo, "fern").remove(0);
    let done = deinit(&repo, &["--rescues=branches"]);
    let branch = format!("rescue/{id}");
    assert_eq!(done["rescues"][0]["branch"], branch.as_str(), "{done:#}");
    assert_eq!(repo.git(["show", &format!("{branch}:README.md")]), "changed");
    assert_eq!(repo.git(["show", &format!("{branch}:new.txt")]), "new");
    let beside = repo.path().with_file_name("repo.rescues").join(&id);
    assert_eq!(text(&done["rescues"][0]["directory"]), beside.to_str().unwrap());
    assert_eq!(fs::read(beside.join("files/conf/.env")).unwrap(), b"secret\n");
    assert!(!beside.join("git").exists(), "there was no operation in progress");
    let mode =
        |path: &Path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
    assert_eq!(mode(&beside) & 0o777, 0o700, "it holds secrets");
    assert_plain(&repo);
    assert_eq!(deinit(&repo, &[])["rescues"], json!([]));
    assert!(beside.exists(), "it is the user's now");
}

#[test]
fn rescues_are_thrown_away_when_the_user_says_so() {
    let repo = repository();
    let before = Before::of(&repo);
    windrow(&repo, &["run", "--name", "fern", "--", "sh", "-c", "echo x > new.txt; echo secret > .env"]);
    let done = deinit(&repo, &["--discard-rescues"]);
    assert_eq!(done["rescues"][0]["action"], "discard");
    before.assert_same(&repo);
}

#[test]
fn a_rescue_branch_of_the_users_is_never_moved() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "fern", "--", "sh", "-c", "echo x > new.txt; echo secret > .env"]);
    let id = rescues(&repo, "fern").remove(0);
    repo.git(["branch", &format!("rescue/{id}"), "main"]);
    repo.windrow(["deinit", "--rescues=branches"]).run().assert_code(65);
    assert_eq!(repo.oid(&format!("rescue/{id}")), repo.oid("main"));
    assert_eq!(rescues(&repo, "fern"), std::slice::from_ref(&id));
    repo.git(["branch", "-D", &format!("rescue/{id}")]);
    deinit(&repo, &["--rescues=branches"]);
    assert_eq!(repo.git(["show", &format!("rescue/{id}:new.txt")]), "x");
    assert_plain(&repo);
}

#[test]
fn h04_an_adopted_worktree_is_handed_back_as_it_was() {
    let repo = repository();
    let path = repo.root().join("Hand Made");
    repo.git(["worktree", "add", "-q", "-b", "topic", path.to_str().unwrap()]);
    put(&path.join("untracked.txt"), "untracked");
    put(&path.join(".env"), "secret");
    put(&path.join("README.md"), "changed");
    repo.git_in(&path, ["status"]);
    let (before, tree) = (Before::of(&repo), everything(&path));
    windrow(&repo, &["adopt", path.to_str().unwrap(), "--name", "mine"]);
    assert!(fs::read_dir(repo.git_dir().join("worktrees")).unwrap().count() == 1);
    let done = deinit(&repo, &[]);
    assert_eq!(done["worktrees"][0]["action"], "hand_back", "{done:#}");
    assert_same(&tree, &everything(&path));
    before.assert_same(&repo);
}

#[test]
fn h04_what_others_put_among_it_stays() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "fern", "--", "true"]);
    put(&pool_root(&repo).join("mine/notes.txt"), "mine");
    put(&repo.git_dir().join("windrow/config.toml"), "[pool]\nttl = \"2h\"\n");
    let foreign = pool_root(&repo).join("by-hand");
    repo.git(["worktree", "add", "-q", "--detach", foreign.to_str().unwrap()]);
    let before = files(&foreign);
    let done = deinit(&repo, &[]);
    let stays: Vec<_> = done["stays"].as_array().unwrap().iter().map(text).collect();
    let expected =
        [repo.git_dir().join("windrow/config.toml"), foreign.clone(), pool_root(&repo).join("mine")];
    assert_eq!(stays, expected.map(|path| path.to_str().unwrap().to_owned()));
    assert_eq!(fs::read(pool_root(&repo).join("mine/notes.txt")).unwrap(), b"mine");
    assert_same(&before, &files(&foreign));
    assert!(registered(&repo).contains(&foreign.to_str().unwrap().to_owned()));
    let left: Vec<_> =
        fs::read_dir(repo.git_dir().join("windrow")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(left, ["config.toml"]);
    assert!(!pool_root(&repo).join(".trash").exists());
    let again = deinit(&repo, &[]);
    assert_eq!(again["goes"], json!([]), "what stays is not said to go");
}

#[test]
fn h60_damaged_records_stand_in_the_way() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "work");
    let database = repo.git_dir().join("windrow/state.db");
    let _ = fs::remove_file(repo.git_dir().join("windrow/state.db-wal"));
    fs::write(&database, "rubbish that is no database at all").unwrap();
    let done = deinit(&repo, &["--discard-rescues"]);
    assert_eq!(done["records"]["kind"], "damaged", "{done:#}");
    assert_eq!(in_the_way(&done)[0], ("fern".into(), "no_record".into(), "windrow reconcile".into()));
    assert_eq!(fs::read(lease.path.join("work.txt")).unwrap(), b"work");
}

#[cfg(target_os = "linux")]
#[test]
fn a_keeper_that_lives_goes_first() {
    let repo = repository();
    let line = ["run", "--name", "kept", "--keep", "1h", "--", "true"];
    repo.windrow(line).env("WINDROW_CONFIG__POOL__KEEPER", "true").run().assert_success();
    let lock = repo.git_dir().join("windrow/locks/keeper");
    let keeper: u64 =
        poll_for(SOON, "a keeper", || fs::read_to_string(&lock).ok()?.split(' ').nth(1)?.parse().ok());
    let outcome = repo.windrow(["deinit", "--json"]).env("WINDROW_CONFIG__POOL__KEEPER", "true").run();
    let done = outcome.assert_success().json();
    assert_eq!(done["keeper_pid"], keeper);
    assert_plain(&repo);
    poll_until(SOON, "nobody works here", || processes_under(repo.root()).is_empty());
    assert_plain(&repo);
}

#[cfg(target_os = "linux")]
#[test]
fn a_refused_deinit_leaves_the_pool_a_keeper() {
    let repo = repository();
    let keeper = |line: &[&str]| repo.windrow(line).env("WINDROW_CONFIG__POOL__KEEPER", "true").run();
    keeper(&["run", "--name", "kept", "--keep", "3s", "--", "sh", "-c", "echo x > x"]).assert_success();
    keeper(&["deinit"]).assert_code(65);
    poll_until(SOON, "the kept one goes by itself", || !pool_root(&repo).join("kept").exists());
    poll_until(SOON, "nobody works here", || processes_under(repo.root()).is_empty());
    assert_eq!(rescues(&repo, "kept").len(), 1);
}

#[test]
fn h33_records_that_were_left_half_removed_are_finished_and_live_ones_put_back() {
    let repo = repository();
    let before = Before::of(&repo);
    windrow(&repo, &["run", "--name", "fern", "--", "true"]);
    let (state_dir, leaving) = (repo.git_dir().join("windrow"), repo.git_dir().join("windrow.leaving"));
    fs::rename(&state_dir, &leaving).unwrap();
    fs::remove_dir_all(leaving.join("logs")).unwrap();
    deinit(&repo, &[]);
    before.assert_same(&repo);
    let lease = acquire(&repo, &["--name", "moss"]);
    lease.write("work.txt", "work");
    fs::rename(&state_dir, &leaving).unwrap();
    repo.windrow(["deinit"]).run().assert_code(75);
    assert_eq!(state(&repo, "moss"), "leased");
    assert!(!leaving.exists());
    let done = deinit(&repo, &[]);
    assert_eq!(in_the_way(&done)[0].1, "leased");
}

#[test]
fn two_at_once_leave_plain_git() {
    let repo = repository();
    let before = Before::of(&repo);
    windrow(&repo, &["run", "--name", "kept", "--keep", "1h", "--", "true"]);
    let running: Vec<_> = (0..2).map(|_| repo.windrow(["deinit"]).spawn()).collect();
    for one in running {
        let outcome = one.wait();
        // Later, or in the way of the other, which works on the worktree.
        assert!([0, 65, 75].contains(&outcome.code), "{} {}", outcome.code, outcome.stderr_text());
    }
    deinit(&repo, &[]);
    before.assert_same(&repo);
}

/// A pool with one of each that goes.
fn full(repo: &TestRepo) -> PathBuf {
    let path = repo.root().join("by-hand");
    repo.git(["worktree", "add", "-q", "-b", "topic", path.to_str().unwrap()]);
    put(&path.join("untracked.txt"), "untracked");
    windrow(repo, &["adopt", path.to_str().unwrap()]);
    windrow(repo, &["run", "--name", "kept", "--keep", "1h", "--", "true"]);
    windrow(repo, &["run", "--name", "fern", "--", "sh", "-c", "echo x > new.txt; echo secret > .env"]);
    path
}

#[test]
fn h33_killed_anywhere_it_is_finished_by_the_next() {
    let calls = "rename,renameat,renameat2,unlink,unlinkat,rmdir";
    for nth in [7, 17] {
        let repo = repository();
        let path = full(&repo);
        let id = rescues(&repo, "fern").remove(0);
        let tree = everything(&path);
        let line = repo.windrow(["deinit", "--rescues=branches"]);
        let Some(line) = inject(line, calls, Fault::Kill, nth) else { return };
        line.run();
        if repo.git_dir().join("windrow/state.db").exists() {
            windrow(&repo, &["list"]);
            windrow(&repo, &["run", "--", "true"]);
        }
        repo.windrow(["deinit", "--rescues=branches"]).run().assert_success();
        assert_plain(&repo);
        assert_same(&tree, &everything(&path));
        assert_eq!(repo.git(["show", &format!("rescue/{id}:new.txt")]), "x", "killed at {nth}");
        let beside = repo.path().with_file_name("repo.rescues").join(&id);
        assert_eq!(fs::read(beside.join("files/.env")).unwrap(), b"secret\n", "killed at {nth}");
        assert!(!pool_root(&repo).exists(), "killed at {nth}");
        let admin = repo.git_dir().join("worktrees/by-hand");
        assert!(!admin.join("windrow-id").exists() && !admin.join("windrow-adopted").exists());
        assert_eq!(registered(&repo).len(), 2);
    }
}
