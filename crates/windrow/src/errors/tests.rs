//! Exit codes, codes and hints, error by error.

use std::io;

use windrow_core::{
    git::{DiscoverError, GitError, GitFailure, RefError},
    ops::{AcquireError, CreateError, ReleaseError, RunError, SelectError, StateError},
    process::SuperviseError,
    store::StoreError,
};
use windrow_model::{Fence, SpaceShortage};

use super::*;

fn name() -> windrow_model::WorktreeName {
    "quiet-fern".parse().unwrap()
}

#[test]
fn each_failure_has_its_exit_code() {
    let not_found = SuperviseError::NotFound { program: "clod".into() };
    let refused = SuperviseError::NotExecutable {
        program: "notes".into(),
        source: io::ErrorKind::PermissionDenied.into(),
    };
    let select = || SelectError::Unknown { what: "named `x`".to_owned() };
    let space =
        CreateError::Space { path: "/w".into(), shortage: SpaceShortage::Bytes { free: 1, needed: 2 } };
    let newer = StoreError::Newer { path: "/s".into(), found: 9, known: 1 };
    let corrupt = StoreError::Corrupt { path: "/s".into(), reason: "it is empty" };
    let nowhere = DiscoverError::NotARepository { start: "/".into() };
    let dubious = DiscoverError::Unsafe { start: "/".into(), said: "dubious ownership".to_owned() };
    for (problem, code, exit) in [
        (Problem::from(RunError::Supervise(not_found)), Code::CommandNotFound, 127),
        (Problem::from(RunError::Supervise(refused)), Code::CommandNotExecutable, 126),
        (Problem::from(AcquireError::Exhausted { max: 2, holders: Vec::new() }), Code::PoolExhausted, 69),
        (
            Problem::from(AcquireError::KeyHeld { key: "T-1".parse().unwrap(), holder: "pid 1".to_owned() }),
            Code::Busy,
            75,
        ),
        (
            Problem::from(AcquireError::BranchInUse { branch: "main".parse().unwrap(), path: "/r".into() }),
            Code::Conflict,
            65,
        ),
        (Problem::from(AcquireError::Create { name: name(), source: Box::new(space) }), Code::NoSpace, 1),
        (Problem::from(ReleaseError::Select(select())), Code::NotFound, 1),
        (
            Problem::from(ReleaseError::Fenced { name: name(), given: Fence(1), current: Fence(2) }),
            Code::StaleFence,
            65,
        ),
        (Problem::from(StateError::Store(newer)), Code::StateTooNew, 1),
        (Problem::from(StateError::Store(corrupt)), Code::StateUnusable, 70),
        (Problem::from(nowhere), Code::NotARepository, 1),
        (Problem::from(dubious), Code::Untrusted, 78),
    ] {
        assert_eq!((problem.code, problem.exit), (code, Exit(exit)), "{}", problem.message);
    }
}

#[test]
fn causes_follow_one_another_and_what_git_said_comes_last() {
    let failure = GitFailure {
        argv: vec!["update-ref".into()],
        cwd: "/r".into(),
        status: Some(128),
        stderr: "fatal: cannot lock ref\n".to_owned(),
    };
    let create = CreateError::Branch {
        branch: "windrow/quiet-fern".parse().unwrap(),
        source: RefError::Git(GitError::Failed(Box::new(failure))),
    };
    let problem = Problem::from(AcquireError::Create { name: name(), source: Box::new(create) });
    insta::assert_snapshot!(problem.message, @"cannot create worktree `quiet-fern`: cannot create branch `windrow/quiet-fern`: cannot change refs: `git update-ref` failed with exit status 128: cannot lock ref");
    assert_eq!(problem.details.worktree.as_deref(), Some("quiet-fern"));
    assert_eq!(problem.details.branch.as_deref(), Some("windrow/quiet-fern"));
}

#[test]
fn a_full_disk_is_told_apart_from_other_refusals() {
    let of = |kind: io::ErrorKind| Problem::io("x", &kind.into()).code;
    assert_eq!(of(io::ErrorKind::StorageFull), Code::NoSpace);
    assert_eq!(of(io::ErrorKind::PermissionDenied), Code::Io);
}

#[test]
fn a_reader_that_is_gone_is_no_news() {
    let problem = Problem::output(&io::ErrorKind::BrokenPipe.into());
    assert!(problem.silent);
    assert_eq!(problem.exit, Exit::PIPE_CLOSED);
    assert!(!Problem::output(&io::ErrorKind::StorageFull.into()).silent);
}

#[test]
fn only_what_others_will_free_may_be_tried_again() {
    assert!(Problem::told(Code::PoolExhausted, "").wire().retryable);
    assert!(Problem::told(Code::Busy, "").wire().retryable);
    assert!(!Problem::told(Code::StaleFence, "").wire().retryable);
}
