//! What `doctor` is built on: drift of live leases, and the repairs that have one right answer.

use std::{fs, path::PathBuf};

use windrow_model::{Drift, Single};
use windrow_testkit::TestRepo;

use super::{DriftRepair, drift, plan_drift_repairs, repair_drift};
use crate::ops::{
    AcquireRequest, Environment, KeeperMode, Lease, Locate, OverlayMode, Pool, Unobserved, acquire,
};

fn repository() -> TestRepo {
    let repo = TestRepo::new();
    repo.write("a.txt", "a\n");
    repo.commit("Add a file");
    repo
}

fn open(repo: &TestRepo) -> Pool {
    open_at(repo, repo.path().join(".git"))
}

fn open_at(repo: &TestRepo, place: PathBuf) -> Pool {
    let environment = Environment {
        variables: repo.surroundings().environment().into_iter().collect(),
        current_dir: repo.root().to_owned(),
        helper: PathBuf::from("/bin/true"),
        config_flags: Vec::new(),
        program_version: "0.1.0".to_owned(),
        keeper: KeeperMode::Never,
        overlays: OverlayMode::Never,
    };
    Pool::open(environment, &Locate::At(place)).unwrap()
}

fn lend(pool: &Pool) -> Lease<'_> {
    acquire(pool, &AcquireRequest::default(), &mut Unobserved).unwrap()
}

fn config(repo: &TestRepo) -> Vec<u8> {
    fs::read(repo.path().join(".git/config")).unwrap()
}

#[test]
fn h27_drift_of_a_live_lease_is_seen_without_ending_it() {
    let repo = repository();
    let pool = open(&repo);
    assert_eq!(drift(&pool).unwrap(), []);
    let lease = lend(&pool);
    assert_eq!(drift(&pool).unwrap(), []);
    repo.git(["config", "core.hooksPath", "/elsewhere"]);
    let found = drift(&pool).unwrap();
    let expected = Drift::Value { what: Single::CoreHooksPath, from: None, to: Some("/elsewhere".into()) };
    assert_eq!((found.len(), &found[0].drift), (1, &vec![expected]));
    assert_eq!(plan_drift_repairs(&pool).unwrap(), [], "another hooksPath may be meant");
    drop(lease);
}

#[test]
fn h27_a_bare_main_checkout_is_repaired_and_nothing_else() {
    let repo = repository();
    let pool = open(&repo);
    let _lease = lend(&pool);
    let before = config(&repo);
    repo.git(["config", "core.bare", "true"]);
    let broken = config(&repo);
    let fresh = open(&repo);
    let plan = plan_drift_repairs(&fresh).unwrap();
    assert_eq!(plan, [DriftRepair::NotBare { root: repo.path().canonicalize().unwrap() }]);
    assert_eq!(config(&repo), broken, "a plan changes nothing");
    assert_eq!(repair_drift(&fresh, &[]).unwrap(), [], "only what was planned");
    assert_eq!(repair_drift(&fresh, &plan).unwrap(), plan);
    assert_eq!(config(&repo), before);
    assert_eq!(repair_drift(&fresh, &plan).unwrap(), [], "what is right stays");
    repo.git(["status"]);
}

#[test]
fn h27_a_worktree_that_leads_elsewhere_is_unset() {
    let repo = repository();
    let pool = open(&repo);
    let _lease = lend(&pool);
    let before = config(&repo);
    let elsewhere = repo.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let value = elsewhere.to_str().unwrap();
    repo.git(["config", "core.worktree", value]);
    let fresh = open(&repo);
    let plan = plan_drift_repairs(&fresh).unwrap();
    let root = repo.path().canonicalize().unwrap();
    assert_eq!(plan, [DriftRepair::OwnWorktree { root, value: value.into() }]);
    repair_drift(&fresh, &plan).unwrap();
    // Git leaves no trace of the key.
    assert_eq!(config(&repo), before);
}

#[test]
fn h27_what_may_be_meant_is_not_repaired() {
    let bare = TestRepo::builder().bare().build();
    assert_eq!(plan_drift_repairs(&open_at(&bare, bare.git_dir())).unwrap(), []);
    let repo = repository();
    repo.git(["config", "core.worktree", ".."]);
    assert_eq!(plan_drift_repairs(&open(&repo)).unwrap(), [], "it is the same place");
    repo.git(["config", "--unset", "core.worktree"]);
    // The layout of a bare `.git` with worktrees around it: no index.
    repo.git(["config", "core.bare", "true"]);
    fs::remove_file(repo.path().join(".git/index")).unwrap();
    assert_eq!(plan_drift_repairs(&open(&repo)).unwrap(), [], "nothing proves a main checkout");
}

#[test]
fn h27_what_was_so_at_every_hand_out_is_the_users() {
    let repo = repository();
    repo.git(["config", "core.bare", "true"]);
    let pool = open(&repo);
    let request = AcquireRequest { base: Some("main".to_owned()), ..AcquireRequest::default() };
    let _lease = acquire(&pool, &request, &mut Unobserved).unwrap();
    assert_eq!(plan_drift_repairs(&pool).unwrap(), []);
}
