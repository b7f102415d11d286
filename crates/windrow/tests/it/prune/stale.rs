//! What is not as it was when the plan was made is left for the next time.

use std::{fs, os::unix::fs::MetadataExt};

use serde_json::Value;
use windrow_core::{
    ops::{self, Environment, KeeperMode, Locate, Observer, OverlayMode, Pool, PruneFate, Unobserved},
    process::{FileLock, Wait},
};
use windrow_model::{GoReason, PruneItem, PrunePlan, PrunePolicy, PruneVerdict};
use windrow_testkit::{Fault, TestRepo, assert_same, inject, poll_until};

use super::{
    about, archives, assert_kept, assert_pruned, assert_whole, keep, landed::worked, prune, refs, saved,
};
use crate::pool::{
    SOON, acquire, pool_root, put, record, registered, repository, rescues, restore, state, text, windrow,
};

pub(super) fn pool(repo: &TestRepo) -> Pool {
    let environment = Environment {
        variables: repo.surroundings().environment().into_iter().collect(),
        current_dir: repo.path().to_owned(),
        helper: env!("CARGO_BIN_EXE_windrow").into(),
        config_flags: Vec::new(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        keeper: KeeperMode::Never,
        overlays: OverlayMode::Never,
    };
    Pool::open(environment, &Locate::FromHere).unwrap()
}

fn plan(pool: &Pool, policy: PrunePolicy) -> PrunePlan {
    let plan = ops::plan_prune(pool, policy).unwrap();
    assert!(plan.steps.iter().all(|step| step.goes().is_some()), "{plan:?}");
    plan
}

/// Carries a plan out, of which every step must be left as it was, and tells why.
#[track_caller]
fn skipped(pool: &Pool, plan: PrunePlan) -> Vec<String> {
    let done = ops::execute_prune(pool, plan, &mut Unobserved).unwrap();
    assert!(!done.is_complete());
    let why = |fate| match fate {
        PruneFate::Skipped(why) => why,
        other => panic!("{other:?}"),
    };
    done.fates.into_iter().map(why).collect()
}

fn by_age() -> PrunePolicy {
    PrunePolicy { older_than: Some(std::time::Duration::ZERO), ..PrunePolicy::default() }
}

const CHANGED: &str = "it changed meanwhile";

/// The files that hold the locks of worktrees.
fn worktree_locks(repo: &TestRepo) -> Vec<String> {
    let all = fs::read_dir(repo.git_dir().join("windrow/locks")).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".owner")).collect()
}

#[test]
fn h02_a_worktree_that_was_taken_up_or_kept_anew_since_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let (held, anew) = (keep(&repo, "held"), keep(&repo, "anew"));
    let [by_age, by_bytes] = [by_age(), PrunePolicy { to_bytes: Some(0), ..PrunePolicy::default() }]
        .map(|policy| plan(&pool, policy));
    acquire(&repo, &["--name", "held"]);
    acquire(&repo, &["--name", "anew"]);
    held.write("new.txt", "new");
    windrow(&repo, &["release", "anew", "--keep", "1h"]);
    let before = [&held, &anew].map(|lease| lease.files());
    assert_eq!(skipped(&pool, by_age), [CHANGED, CHANGED]);
    assert_eq!(skipped(&pool, by_bytes), [CHANGED, CHANGED]);
    assert_eq!(["held", "anew"].map(|name| state(&repo, name)), ["leased", "kept"]);
    [&held, &anew].iter().zip(&before).for_each(|(lease, before)| assert_same(before, &lease.files()));
}

#[test]
fn h02_a_worktree_of_which_nothing_tells_since_when_it_is_kept_stays_once_it_is_taken_up() {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write("work.txt", "work");
    let pool = pool(&repo);
    let mut old = plan(&pool, PrunePolicy { to_bytes: Some(0), ..PrunePolicy::default() });
    // Not to know it is no match for a lease that goes on.
    old.steps[0].since = None;
    acquire(&repo, &["--name", "fern"]);
    let before = fern.files();
    assert_eq!(skipped(&pool, old), [CHANGED]);
    assert_eq!(state(&repo, "fern"), "leased");
    assert_same(&before, &fern.files());
}

#[test]
fn h19_a_branch_or_a_target_that_moved_since_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let start = repo.oid("main");
    let (moved, other) = (worked(&repo, "moved", "a.txt", &["a"]), worked(&repo, "other", "b.txt", &["b"]));
    repo.git(["merge", "--quiet", "--no-edit", &moved.branch]);
    repo.git(["merge", "--quiet", "--no-edit", &other.branch]);
    let landed = || PrunePolicy { landed: true, ..PrunePolicy::default() };
    let old = plan(&pool, landed());
    repo.git(["reset", "--quiet", "--hard", &start]);
    let before = refs(&repo);
    assert_eq!(skipped(&pool, old.clone()), [CHANGED, CHANGED], "the target went back");
    assert_eq!(before, refs(&repo));
    repo.git(["merge", "--quiet", "--no-edit", &moved.branch, &other.branch]);
    for branch in [&moved.branch, &other.branch] {
        let tree = repo.git(["rev-parse", &format!("{branch}^{{tree}}")]);
        let new = repo.git(["commit-tree", "-m", "More", "-p", branch, &tree]);
        repo.git(["branch", "--quiet", "--force", branch, &new]);
    }
    let before = refs(&repo);
    assert_eq!(skipped(&pool, old), [CHANGED, CHANGED], "the branches went on");
    assert_eq!(before, refs(&repo));
}

#[test]
fn a_rescue_that_is_gone_is_no_failure_and_work_saved_since_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let old = saved(&repo, "fern", "old");
    let kept = keep(&repo, "moss");
    let plan = plan(&pool, by_age());
    windrow(&repo, &["rescue", "drop", &old]);
    put(&kept.path.join("late.txt"), "written after the plan");
    let done = ops::execute_prune(&pool, plan, &mut Unobserved).unwrap();
    assert!(done.is_complete(), "{done:?}");
    assert!(matches!(done.fates[..], [PruneFate::Done { rescue: Some(_) }, PruneFate::Gone]), "{done:?}");
    assert_eq!(
        std::fs::read(restore(&repo, "moss").path.join("late.txt")).unwrap(),
        b"written after the plan"
    );
}

#[test]
fn a_worktree_that_went_since_is_no_failure_and_leaves_no_lock() {
    let repo = repository();
    let pool = pool(&repo);
    let fern = keep(&repo, "fern");
    fern.write("work.txt", "work");
    let before = fern.files();
    let plan = plan(&pool, by_age());
    windrow(&repo, &["release", "fern"]);
    let done = ops::execute_prune(&pool, plan, &mut Unobserved).unwrap();
    assert_eq!(done.fates, [PruneFate::Gone]);
    assert!(done.is_complete());
    assert_eq!(worktree_locks(&repo), [""; 0]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn a_pruned_worktree_or_rescue_leaves_no_lock() {
    let repo = repository();
    keep(&repo, "fern");
    let old = saved(&repo, "moss", "secret");
    let done = prune(&repo, &["--older-than", "0s"]);
    assert_pruned(&done, "worktree", "fern", "old");
    assert_pruned(&done, "rescue", &old, "old");
    assert_eq!(worktree_locks(&repo), [""; 0]);
}

/// A plan in which all rescues go.
fn every_rescue_goes(pool: &Pool) -> PrunePlan {
    let mut plan = ops::plan_prune(pool, PrunePolicy::default()).unwrap();
    plan.steps.retain(|step| matches!(step.item, PruneItem::Rescue { .. }));
    plan.steps.iter_mut().for_each(|step| step.verdict = PruneVerdict::Goes(GoReason::Old));
    plan
}

#[test]
fn h33_what_an_unfinished_end_has_saved_stays_even_when_the_plan_lets_it_go() {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write("untracked.txt", "untracked");
    fern.write(".env", "secret");
    let before = fern.files();
    // The files are in the trash by then, and the rescue is all there is of them.
    let Some(killed) = inject(repo.windrow(["release", "fern"]), "renameat2", Fault::Kill, 4) else { return };
    assert_ne!(killed.run().code, 0);
    let pool = pool(&repo);
    assert_eq!(skipped(&pool, every_rescue_goes(&pool)), ["its worktree is not gone yet"]);
    assert_eq!((state(&repo, "fern").as_str(), rescues(&repo, "fern").len()), ("gone", 1));
    assert_whole(&restore(&repo, "fern").path, &before);
}

#[test]
fn a_rescue_that_is_not_the_one_of_the_plan_stays() {
    let repo = repository();
    let id = saved(&repo, "fern", "secret");
    let pool = pool(&repo);
    let mut plan = every_rescue_goes(&pool);
    let since = plan.steps[0].since.unwrap();
    plan.steps[0].since = Some(since - jiff::SignedDuration::from_nanos(1));
    let before = (refs(&repo), archives(&repo));
    assert_eq!(skipped(&pool, plan), [CHANGED]);
    assert_eq!(before, (refs(&repo), archives(&repo)));
    assert_eq!(rescues(&repo, "fern"), [id]);
}

#[test]
fn h01_a_worktree_that_somebody_works_on_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let fern = keep(&repo, "fern");
    let old = plan(&pool, by_age());
    let path = repo.git_dir().join(format!("windrow/locks/{}.owner", text(&record(&repo, "fern")["id"])));
    let lock = FileLock::acquire(&path, Wait::No).unwrap().unwrap();
    assert_kept(&prune(&repo, &["--older-than", "0s", "--to-bytes", "0"]), "worktree", "fern", "at_work");
    assert_eq!(skipped(&pool, old), ["somebody works on it"]);
    assert!(fern.path.exists() && state(&repo, "fern") == "kept");
    drop(lock);
    assert_pruned(&prune(&repo, &["--older-than", "0s"]), "worktree", "fern", "old");
}

/// Somebody waits for the lock of this file. *Source*: proc_locks(5).
fn is_waited_for(lock: &FileLock) -> bool {
    let inode = format!(":{} ", fs::metadata(lock.path()).unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("-> ") && line.contains(&inode))
}

#[test]
fn h18_a_branch_that_is_checked_out_at_the_last_moment_stays() {
    let repo = repository();
    let fern = worked(&repo, "fern", "a.txt", &["a"]);
    repo.git(["merge", "--quiet", "--no-edit", &fern.branch]);
    let lock =
        FileLock::acquire(&repo.git_dir().join("windrow/locks/repository"), Wait::No).unwrap().unwrap();
    let pruning = repo.windrow(["prune", "--landed", "--json"]).spawn();
    poll_until(SOON, "it has looked at everything and waits", || is_waited_for(&lock));
    let hand = repo.root().join("hand");
    repo.git(["worktree", "add", "--quiet", hand.to_str().unwrap(), &fern.branch]);
    let before = refs(&repo);
    drop(lock);
    let done: Value = pruning.wait().assert_code(1).json();
    let fate = &about(&done, "branch", &fern.branch)["fate"];
    assert_eq!((&fate["kind"], &fate["detail"]), (&"skipped".into(), &"a worktree has it".into()));
    assert_eq!((before, registered(&repo).len()), (refs(&repo), 2));
    assert_eq!(repo.git_in(&hand, ["status", "--porcelain"]), "");
}

/// What an observer was told: each stage with its steps, each step that is over.
#[derive(Default)]
struct Told(Vec<(String, Option<u64>)>);

impl Observer for Told {
    fn stage(&mut self, name: &str, total: Option<u64>) {
        self.0.push((name.to_owned(), total));
    }

    fn advanced(&mut self, done: u64) {
        self.0.push((String::new(), Some(done)));
    }
}

#[test]
fn progress_counts_what_goes_and_nothing_else() {
    let repo = repository();
    let pool = pool(&repo);
    let told = |policy| {
        let mut told = Told::default();
        let plan = ops::plan_prune(&pool, policy).unwrap();
        assert!(ops::execute_prune(&pool, plan, &mut told).unwrap().is_complete());
        let mut steps: Vec<_> =
            told.0.into_iter().map(|(name, number)| format!("{name}{}", number.unwrap())).collect();
        steps.dedup();
        steps
    };
    for name in ["fern", "moss", "reed"] {
        keep(&repo, name);
    }
    // A process in it keeps the last one in place.
    let user = repo.command("sleep", &pool_root(&repo).join("reed")).arg("300").spawn();
    assert_eq!(told(PrunePolicy::default()), ["0"], "no stage where nothing goes");
    assert_eq!(told(by_age()), ["pruning2", "1", "2"]);
    drop(user);
}
