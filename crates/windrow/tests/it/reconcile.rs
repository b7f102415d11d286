//! H40 and H41: records, git's registrations and the disk disagree; nothing is lost, and nothing of others is touched.

use std::{fs, os::unix::fs::symlink, path::Path};

use jiff::Timestamp;
use serde_json::Value;
use windrow_testkit::{Include, Running, TestRepo, TreeSnapshot, assert_same};

use crate::pool::{
    Lease, acquire, everything, files, holder, nudge, pool_root, put, record, refused, registered,
    repository, rescues, restore, state, text, windrow,
};
use crate::schema::assert_valid;

/// Plans, carries out, and checks that both said the same; returns what was done.
#[track_caller]
pub(crate) fn reconcile(repo: &TestRepo) -> Value {
    let before = TreeSnapshot::of(&pool_root(repo), &Include::Everything);
    let planned = windrow(repo, &["reconcile", "--dry-run", "--json"]).json();
    assert_valid("reconcile", &planned);
    assert_same(&before, &TreeSnapshot::of(&pool_root(repo), &Include::Everything));
    let done = windrow(repo, &["reconcile", "--json"]).json();
    assert_valid("reconcile", &done);
    let actions = |document: &Value| -> Vec<(Value, Value)> {
        let all = document["worktrees"].as_array().unwrap().iter();
        all.map(|one| (one["name"].clone(), one["action"].clone())).collect()
    };
    assert_eq!(actions(&planned), actions(&done));
    assert_eq!((&planned["records"], &planned["rescues"]), (&done["records"], &done["rescues"]));
    done
}

/// What was done about a worktree, and why.
#[track_caller]
pub(crate) fn about(done: &Value, name: &str) -> (String, String) {
    let all = done["worktrees"].as_array().unwrap();
    let one = all
        .iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("nothing about {name}: {done:#}"));
    (text(&one["action"]), one["reason"].as_str().unwrap_or_default().to_owned())
}

/// What was done about a worktree, for people.
#[track_caller]
pub(crate) fn told(done: &Value, name: &str) -> String {
    let all = done["worktrees"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap();
    text(&one["fate"]["detail"])
}

/// Loses the records, as a disk or a person might.
pub(crate) fn lose_records(repo: &TestRepo) {
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::remove_file(repo.git_dir().join("windrow").join(name)).unwrap();
    }
}

/// Everything agrees now.
#[track_caller]
pub(crate) fn assert_settled(repo: &TestRepo) {
    let done = reconcile(repo);
    for one in done["worktrees"].as_array().unwrap() {
        assert_eq!(one["action"], "leave", "{done:#}");
    }
    assert_eq!(done["records"]["action"], "keep");
    for list in ["rescues", "archives", "failures"] {
        assert_eq!(done[list], Value::Array(Vec::new()), "{done:#}");
    }
}

/// A worktree that a live process holds, with a commit and work of every kind.
pub(crate) fn at_work(repo: &TestRepo, name: &str, holder: &Running) -> Lease {
    let lease = acquire(repo, &["--name", name, "--pid", &holder.pid().to_string()]);
    lease.write("committed.txt", name);
    repo.commit_in(&lease.path, "Work");
    lease.write("untracked.txt", "untracked");
    lease.write(".env", "secret");
    lease.write("README.md", "changed");
    lease
}

/// The same, held by time.
pub(crate) fn leased(repo: &TestRepo, name: &str) -> Lease {
    let lease = acquire(repo, &["--name", name]);
    lease.write("untracked.txt", "untracked");
    lease.write(".env", "secret");
    lease
}

#[test]
fn h33_reconcile_also_ends_what_is_over_like_every_changing_command() {
    let repo = repository();
    let mut owner = holder(&repo);
    let fern = acquire(&repo, &["--name", "fern", "--pid", &owner.pid().to_string()]);
    fern.write("new.txt", "work");
    let work = fern.files();
    owner.kill_alone();
    windrow(&repo, &["reconcile"]);
    assert_eq!(state(&repo, "fern"), "gone");
    assert_same(&work, &restore(&repo, "fern").files());
}

#[test]
fn h40_where_everything_agrees_nothing_is_done() {
    let repo = repository();
    windrow(&repo, &["reconcile"]);
    assert!(!repo.git_dir().join("windrow").exists(), "a question makes nothing");
    leased(&repo, "fern");
    let before = everything(repo.root());
    let done = windrow(&repo, &["reconcile", "--json"]).json();
    assert_eq!(about(&done, "fern"), ("leave".into(), "in_order".into()));
    assert!(before.paths().eq(everything(repo.root()).paths()));
}

#[test]
fn h41_a_worktree_that_was_moved_is_found_and_linked_again() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    let before = lease.files();
    let moved = repo.root().join("elsewhere");
    fs::rename(&lease.path, &moved).unwrap();
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern"), ("repair".into(), "files".into()));
    assert_eq!(told(&done, "fern"), format!("found at `{}`; wrote git's registration anew", moved.display()));
    assert_same(&before, &files(&moved));
    assert_eq!(text(&record(&repo, "fern")["path"]), moved.to_str().unwrap());
    assert!(registered(&repo).contains(&moved.to_str().unwrap().to_owned()));
    assert_eq!(repo.git_in(&moved, ["log", "-1", "--format=%s"]).trim(), "Work");
    assert_settled(&repo);
    holder.kill_alone();
    nudge(&repo);
    assert!(!moved.exists(), "it ends like any other");
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h41_a_repository_that_was_moved_with_its_worktrees() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    windrow(&repo, &["run", "--name", "moss", "--", "sh", "-c", "echo secret > .env"]);
    let before = lease.files();
    let (to, pool) = (repo.root().join("moved"), repo.root().join("moved.windrow"));
    fs::rename(repo.path(), &to).unwrap();
    fs::rename(pool_root(&repo), &pool).unwrap();
    let at = |line: &[&str]| repo.windrow(line).current_dir(&to).run().assert_success();
    let done = at(&["reconcile", "--json"]).json();
    assert_eq!(about(&done, "fern"), ("repair".into(), "files".into()));
    assert_eq!(done["archives"].as_array().unwrap().len(), 1, "{done:#}");
    assert_same(&before, &files(&pool.join("fern")));
    assert_eq!(repo.git_in(&pool.join("fern"), ["symbolic-ref", "HEAD"]).trim(), "refs/heads/windrow/fern");
    at(&["release", "fern"]);
    let back = at(&["restore", "moss"]).text();
    assert_eq!(fs::read(Path::new(&back).join(".env")).unwrap(), b"secret\n");
    let back = at(&["restore", "fern"]).text();
    assert_same(&before, &files(Path::new(&back)));
    fs::rename(&pool, pool_root(&repo)).unwrap();
    fs::rename(&to, repo.path()).unwrap();
}

#[test]
fn h41_a_dot_git_file_that_is_gone_is_written_again() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    let before = lease.files();
    fs::remove_file(lease.path.join(".git")).unwrap();
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern"), ("repair".into(), "files".into()));
    assert_eq!(told(&done, "fern"), "wrote its `.git` file anew");
    assert_same(&before, &lease.files());
    repo.git_in(&lease.path, ["status"]);
    assert_settled(&repo);
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h41_a_dot_git_that_leads_elsewhere_is_left_as_it_is() {
    let repo = repository();
    let mut holder = holder(&repo);
    let (lease, linked) = (at_work(&repo, "fern", &holder), at_work(&repo, "moss", &holder));
    let other = repo.root().join("other");
    repo.git(["init", "--quiet", other.to_str().unwrap()]);
    fs::write(lease.path.join(".git"), format!("gitdir: {}/.git\n", other.display())).unwrap();
    fs::remove_file(linked.path.join(".git")).unwrap();
    symlink(other.join(".git"), linked.path.join(".git")).unwrap();
    let before = everything(repo.root().join("repo.windrow").as_path());
    let theirs = everything(&other);
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern").1, "in_use", "its holder lives");
    holder.kill_alone();
    let done = reconcile(&repo);
    for name in ["fern", "moss"] {
        assert_eq!(about(&done, name), ("quarantine".into(), "other_directory".into()));
        assert_eq!(state(&repo, name), "quarantined");
    }
    assert_same(&before, &everything(repo.root().join("repo.windrow").as_path()));
    assert_same(&theirs, &everything(&other));
    assert_settled(&repo);
}

#[test]
fn h41_a_dot_git_that_leads_to_a_worktree_of_the_same_name_elsewhere_is_left_as_it_is() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    let (other, theirs) = (repo.root().join("other"), repo.root().join("theirs/fern"));
    repo.git(["clone", "--quiet", ".", other.to_str().unwrap()]);
    repo.git_in(&other, ["worktree", "add", "--quiet", theirs.to_str().unwrap()]);
    let link = fs::read(theirs.join(".git")).unwrap();
    fs::write(lease.path.join(".git"), &link).unwrap();
    holder.kill_alone();
    assert_eq!(about(&reconcile(&repo), "fern"), ("quarantine".into(), "other_directory".into()));
    assert_eq!(fs::read(lease.path.join(".git")).unwrap(), link);
    assert!(text(&record(&repo, "fern")["doubt"]).contains("another directory"), "the reason is on record");
}

#[test]
fn h41_a_registration_without_files_is_saved_and_ends() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    repo.git_in(&lease.path, ["add", "untracked.txt"]);
    repo.git_in(&lease.path, ["checkout", "-q", "--detach"]);
    repo.git_in(&lease.path, ["commit", "-q", "--allow-empty", "-m", "Only HEAD knows"]);
    let lost = repo.git_in(&lease.path, ["rev-parse", "HEAD"]).trim().to_owned();
    fs::remove_dir_all(pool_root(&repo)).unwrap();
    assert_eq!(about(&reconcile(&repo), "fern").1, "in_use");
    holder.kill_alone();
    assert_eq!(about(&reconcile(&repo), "fern").0, "finish");
    assert_eq!(state(&repo, "fern"), "gone");
    assert_eq!(registered(&repo).len(), 1);
    let [id] = rescues(&repo, "fern").try_into().unwrap();
    let kept = format!("refs/windrow/rescue/{id}");
    repo.git(["merge-base", "--is-ancestor", &lost, &kept]);
    assert_settled(&repo);
}

#[test]
fn h40_a_record_of_nothing_ends() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    let tip = repo.oid("windrow/fern");
    fs::remove_dir_all(&lease.path).unwrap();
    fs::remove_dir_all(repo.git_dir().join("worktrees/fern")).unwrap();
    holder.kill_alone();
    assert_eq!(about(&reconcile(&repo), "fern").0, "finish");
    assert_eq!(state(&repo, "fern"), "gone");
    assert_eq!(repo.oid("windrow/fern"), tip, "its commits stay");
}

#[test]
fn h40_a_removal_cut_short_goes_on_and_a_hidden_registration_is_shown_again() {
    let repo = repository();
    let (removed, hidden) = (leased(&repo, "fern"), leased(&repo, "moss"));
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    database.execute("UPDATE worktrees SET state = 'removing' WHERE name = 'fern'", []).unwrap();
    drop(database);
    fs::remove_dir_all(&removed.path).unwrap();
    for name in ["fern", "moss"] {
        fs::remove_file(repo.git_dir().join("worktrees").join(name).join("gitdir")).unwrap();
    }
    let before = everything(&hidden.path);
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern").0, "finish");
    assert_eq!(state(&repo, "fern"), "gone");
    assert_eq!(about(&done, "moss"), ("repair".into(), "registration".into()));
    assert_eq!(registered(&repo)[1..], [hidden.path.to_str().unwrap().to_owned()]);
    assert_same(&before, &everything(&hidden.path));
    assert_settled(&repo);
}

#[test]
fn h40_files_without_a_registration_stay_in_place() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    let before = everything(&lease.path);
    fs::remove_dir_all(repo.git_dir().join("worktrees/fern")).unwrap();
    holder.kill_alone();
    assert_eq!(about(&reconcile(&repo), "fern"), ("quarantine".into(), "registration_gone".into()));
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h40_another_directory_in_its_place_is_not_touched() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    fs::remove_dir_all(&lease.path).unwrap();
    put(&lease.path.join("mine.txt"), "the user's own");
    let before = everything(&lease.path);
    holder.kill_alone();
    assert_eq!(about(&reconcile(&repo), "fern"), ("quarantine".into(), "other_directory".into()));
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h40_what_others_made_or_locked_is_left_alone() {
    let repo = repository();
    let by_hand = pool_root(&repo).join("by-hand");
    repo.git(["worktree", "add", "--quiet", "-b", "by-hand", by_hand.to_str().unwrap()]);
    put(&by_hand.join("work.txt"), "work");
    let gone = repo.root().join("unmounted");
    repo.git(["worktree", "add", "--quiet", "-b", "unmounted", gone.to_str().unwrap()]);
    fs::remove_dir_all(&gone).unwrap();
    let mut holder = holder(&repo);
    let lease = at_work(&repo, "fern", &holder);
    repo.git(["worktree", "unlock", lease.path.to_str().unwrap()]);
    repo.git(["worktree", "lock", "--reason", "mine", lease.path.to_str().unwrap()]);
    fs::rename(&lease.path, repo.root().join("aside")).unwrap();
    holder.kill_alone();
    let (trees, registry) = (everything(&pool_root(&repo)), everything(&repo.git_dir().join("worktrees")));
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern"), ("leave".into(), "locked_by_user".into()));
    assert_eq!(done["worktrees"].as_array().unwrap().len(), 1, "others' are not even looked at");
    assert_same(&trees, &everything(&pool_root(&repo)));
    assert_same(&registry, &everything(&repo.git_dir().join("worktrees")));
}

/// A pool with a kept worktree, a leased one and a rescue, and how they are before something happens to the records.
fn populated(repo: &TestRepo) -> (Lease, TreeSnapshot) {
    let script =
        "echo kept > kept.txt; git add kept.txt; echo secret > .env; git commit -q --allow-empty -m Moss";
    windrow(repo, &["run", "--name", "moss", "--keep", "1h", "--", "sh", "-c", script]);
    let script = "echo draft > draft.txt; echo staged > staged.txt; git add staged.txt; echo late > staged.txt; echo secret > .env";
    windrow(repo, &["run", "--name", "reed", "--", "sh", "-c", script]);
    let lease = leased(repo, "fern");
    let before = lease.files();
    (lease, before)
}

#[track_caller]
fn assert_rebuilt(repo: &TestRepo, lease: &Lease, before: &TreeSnapshot, reason: &str) {
    let done = reconcile(repo);
    assert_eq!((&done["records"]["action"], &done["records"]["reason"]), (&"rebuild".into(), &reason.into()));
    assert_eq!(about(&done, "fern").0, "adopt");
    assert_eq!(about(&done, "moss").0, "adopt");
    for name in ["fern", "moss"] {
        assert!(told(&done, name).contains("kept for 7 days"), "{done:#}");
        let until: Timestamp = text(&record(repo, name)["keep_until"]).parse().unwrap();
        let kept = until.duration_since(Timestamp::now()).as_hours();
        assert!((7 * 24 - 1..=7 * 24).contains(&kept), "{name} is kept for {kept} hours");
    }
    assert_same(before, &lease.files());
    assert_settled(repo);
    let again = acquire(repo, &["--name", "fern"]);
    assert_eq!(again.path, lease.path, "it can be taken up again");
    assert!(again.fence > lease.fence, "{} is not above {}", again.fence, lease.fence);
    windrow(repo, &["release", "fern"]);
    assert!(!lease.path.exists());
    assert_same(before, &restore(repo, "fern").files());
    let reed = restore(repo, "reed");
    assert_eq!(repo.git_in(&reed.path, ["show", ":staged.txt"]), "staged");
    assert_eq!(fs::read(reed.path.join("staged.txt")).unwrap(), b"late\n");
    assert_eq!(fs::read(reed.path.join("draft.txt")).unwrap(), b"draft\n");
    assert_eq!(fs::read(reed.path.join(".env")).unwrap(), b"secret\n");
    windrow(repo, &["release", "moss"]);
    let moss = restore(repo, "moss");
    assert_eq!(fs::read(moss.path.join("kept.txt")).unwrap(), b"kept\n");
    assert_eq!(fs::read(moss.path.join(".env")).unwrap(), b"secret\n");
    repo.git(["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn h40_lost_records_are_made_from_what_is_on_disk() {
    let repo = repository();
    let (lease, before) = populated(&repo);
    lose_records(&repo);
    assert_rebuilt(&repo, &lease, &before, "missing");
}

#[test]
fn h40_damaged_records_are_moved_aside_and_made_anew() {
    let repo = repository();
    let (lease, before) = populated(&repo);
    let home = repo.git_dir().join("windrow");
    fs::remove_file(home.join("state.db-wal")).unwrap();
    fs::write(home.join("state.db"), b"no database, but somebody may want to look at it").unwrap();
    refused(&repo, 70, &["list"]);
    assert_rebuilt(&repo, &lease, &before, "damaged");
    let names = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
    let aside =
        |path: &std::path::PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"no database"));
    assert_eq!(names.filter(aside).count(), 1, "what could not be read is still there");
}

#[test]
fn h40_a_registration_whose_record_and_files_are_gone_is_set_aside() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    lose_records(&repo);
    let hidden = repo.git_dir().join("hidden");
    fs::rename(&lease.path, &hidden).unwrap();
    assert_eq!(about(&reconcile(&repo), "fern").0, "adopt");
    assert_eq!(state(&repo, "fern"), "quarantined", "its file system may only be absent");
    assert_settled(&repo);
    assert!(repo.git_dir().join("worktrees/fern/index").exists());
    fs::rename(&hidden, &lease.path).unwrap();
}

#[test]
fn h40_a_copied_repository_begins_anew_and_leaves_the_originals_worktrees_alone() {
    let repo = repository();
    let (lease, before) = populated(&repo);
    let copy = repo.root().join("copy");
    let cp = ["-a", repo.path().to_str().unwrap(), copy.to_str().unwrap()];
    repo.command("cp", repo.root()).args(cp).run().assert_success();
    let at = |line: &[&str]| repo.windrow(line).current_dir(&copy);
    at(&["acquire"]).run().assert_code(70);
    let (trees, registry) = (everything(&pool_root(&repo)), everything(&repo.git_dir().join("worktrees")));
    let done = at(&["reconcile", "--json"]).run().assert_success().json();
    assert_eq!(done["records"]["reason"], "copied");
    assert_eq!(about(&done, "fern"), ("leave".into(), "not_ours".into()));
    at(&["run", "--name", "own", "--", "true"]).run().assert_success();
    let back = at(&["restore", "reed"]).run().assert_success().text();
    assert_eq!(fs::read(Path::new(&back).join(".env")).unwrap(), b"secret\n");
    at(&["release", "--discard", back.rsplit('/').next().unwrap()]).run().assert_success();
    assert_same(&trees, &everything(&pool_root(&repo)));
    assert_same(&registry, &everything(&repo.git_dir().join("worktrees")));
    assert_same(&before, &lease.files());
    assert_settled(&repo);
}

#[test]
fn h41_a_repository_in_place_of_a_dot_git_file_is_left_and_keeps_no_other_from_being_mended() {
    let repo = repository();
    let leases = ["fern", "moss"].map(|name| leased(&repo, name));
    let before = leases.each_ref().map(Lease::files);
    for lease in &leases {
        fs::remove_file(lease.path.join(".git")).unwrap();
    }
    put(&leases[0].path.join(".git/in-the-way"), "a directory");
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern").1, "in_use", "a repository of its own is somebody else's");
    assert!(told(&done, "moss").contains("wrote its `.git` file anew"), "{done:#}");
    fs::remove_dir_all(leases[0].path.join(".git")).unwrap();
    for (lease, before) in leases.iter().zip(before) {
        assert_same(&before, &lease.files());
    }
}
