//! What is not as it was when the plan was made is left for the next time.

use windrow_core::ops::{self, Environment, KeeperMode, Locate, Pool, PruneFate, Unobserved};
use windrow_model::{PrunePlan, PrunePolicy};
use windrow_testkit::{TestRepo, assert_same};

use super::{keep, landed::worked, refs, saved};
use crate::pool::{acquire, put, repository, restore, state, windrow};

fn pool(repo: &TestRepo) -> Pool {
    let environment = Environment {
        variables: repo.surroundings().environment().into_iter().collect(),
        current_dir: repo.path().to_owned(),
        helper: env!("CARGO_BIN_EXE_windrow").into(),
        config_flags: Vec::new(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        keeper: KeeperMode::Never,
    };
    Pool::open(environment, &Locate::FromHere).unwrap()
}

fn plan(pool: &Pool, policy: PrunePolicy) -> PrunePlan {
    let plan = ops::plan_prune(pool, policy).unwrap();
    assert!(plan.steps.iter().all(|step| step.goes().is_some()), "{plan:?}");
    plan
}

/// Carries a plan out and tells whether every step was left as it was.
fn all_skipped(pool: &Pool, plan: PrunePlan) -> bool {
    let done = ops::execute_prune(pool, plan, &mut Unobserved).unwrap();
    assert!(!done.is_complete());
    done.fates.iter().all(|fate| matches!(fate, PruneFate::Skipped(_)))
}

#[test]
fn h02_a_worktree_that_was_taken_up_or_kept_anew_since_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let (held, anew) = (keep(&repo, "held"), keep(&repo, "anew"));
    let [by_age, by_bytes] = [
        PrunePolicy { older_than: Some(std::time::Duration::ZERO), ..PrunePolicy::default() },
        PrunePolicy { to_bytes: Some(0), ..PrunePolicy::default() },
    ]
    .map(|policy| plan(&pool, policy));
    acquire(&repo, &["--name", "held"]);
    acquire(&repo, &["--name", "anew"]);
    held.write("new.txt", "new");
    windrow(&repo, &["release", "anew", "--keep", "1h"]);
    let before = [&held, &anew].map(|lease| lease.files());
    assert!(all_skipped(&pool, by_age));
    assert!(all_skipped(&pool, by_bytes));
    assert_eq!(["held", "anew"].map(|name| state(&repo, name)), ["leased", "kept"]);
    [&held, &anew].iter().zip(&before).for_each(|(lease, before)| assert_same(before, &lease.files()));
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
    assert!(all_skipped(&pool, old.clone()), "the target went back");
    assert_eq!(before, refs(&repo));
    repo.git(["merge", "--quiet", "--no-edit", &moved.branch, &other.branch]);
    for branch in [&moved.branch, &other.branch] {
        let tree = repo.git(["rev-parse", &format!("{branch}^{{tree}}")]);
        let new = repo.git(["commit-tree", "-m", "More", "-p", branch, &tree]);
        repo.git(["branch", "--quiet", "--force", branch, &new]);
    }
    let before = refs(&repo);
    assert!(all_skipped(&pool, old), "the branches went on");
    assert_eq!(before, refs(&repo));
}

#[test]
fn a_rescue_that_is_gone_is_no_failure_and_work_saved_since_stays() {
    let repo = repository();
    let pool = pool(&repo);
    let old = saved(&repo, "fern", "old");
    let kept = keep(&repo, "moss");
    let by_age = PrunePolicy { older_than: Some(std::time::Duration::ZERO), ..PrunePolicy::default() };
    let plan = plan(&pool, by_age);
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
