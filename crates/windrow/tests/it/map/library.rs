//! The same through the library: a closure for each task.

use std::{fs, sync::Mutex, time::Duration};

use windrow_core::{
    ops::{
        AcquireRequest, CommandRequest, Environment, Former, InputRequest, KeeperMode, Locate, MapRequest,
        MapTask, OnFailure, OutputRequest, OverlayMode, Pool, TaskMode, Unobserved, judge, map,
    },
    process::Cancel,
};
use windrow_model::{TaskEnd, Verdict};
use windrow_testkit::TestRepo;

use crate::repo;

fn pool(repo: &TestRepo) -> Pool {
    let environment = Environment {
        variables: repo.surroundings().environment().into_iter().collect(),
        current_dir: repo.path().to_owned(),
        helper: env!("CARGO_BIN_EXE_windrow").into(),
        config_flags: Vec::new(),
        program_version: "1.0.0".to_owned(),
        keeper: KeeperMode::Never,
        overlays: OverlayMode::Never,
    };
    Pool::open(environment, &Locate::FromHere).unwrap()
}

fn request(keys: &[&str]) -> MapRequest {
    let task = |key: &&str| MapTask { key: (*key).to_owned(), after: None, mode: TaskMode::Branch };
    MapRequest {
        batch: "effects".parse().unwrap(),
        tasks: keys.iter().map(task).collect(),
        jobs: 3,
        retries: 0,
        backoff: Duration::ZERO,
        failure: OnFailure::GoOn,
        former: Former::Forget,
        acquire: AcquireRequest::default(),
        cancel: Cancel::new().unwrap(),
    }
}

fn verdict(end: TaskEnd, detail: &str) -> Verdict {
    Verdict { end, exit: None, detail: detail.to_owned(), elapsed: Duration::ZERO }
}

#[test]
fn every_closure_has_a_worktree_and_results_come_in_order() {
    let repo = repo();
    let pool = pool(&repo);
    let paths = Mutex::new(Vec::new());
    let work = |turn: &windrow_core::ops::Turn<'_, '_>| {
        let path = turn.lease.leased().worktree.path.clone();
        fs::write(path.join("effect.txt"), &turn.task.key).unwrap();
        paths.lock().unwrap().push(path);
        match turn.task.key.as_str() {
            "bad" => verdict(TaskEnd::Failed, "no effect"),
            "command" => {
                let script = "git add . && git commit -qm x && cat";
                let command = CommandRequest::new("sh".into(), vec!["-c".into(), script.into()]);
                let (input, output) = (InputRequest::Text(b"hello".to_vec()), OutputRequest::ToLog);
                judge(&turn.lease.run(&CommandRequest { input, output, ..command }, &mut Unobserved))
            }
            _ => verdict(TaskEnd::Succeeded, ""),
        }
    };
    let mapped = map(&pool, &request(&["one", "bad", "command", "four"]), &work, &Unobserved).unwrap();
    let results: Vec<_> = mapped.tasks.iter().map(|task| task.as_ref().unwrap()).collect();
    let told: Vec<_> = results.iter().map(|task| (task.key.as_str(), task.verdict.end)).collect();
    let (good, bad) = (TaskEnd::Succeeded, TaskEnd::Failed);
    assert_eq!(told, [("one", good), ("bad", bad), ("command", good), ("four", good)]);
    let harvest = |place: usize| results[place].harvest.as_ref().unwrap();
    assert_eq!((harvest(2).commits, harvest(2).rescue.is_some()), (1, false));
    assert!(harvest(0).rescue.is_some() && harvest(0).branch.is_none());
    let log = repo.git_dir().join("windrow/logs/effects-3.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "hello");
    let mut paths = paths.into_inner().unwrap();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 4, "no two shared a worktree");
    assert!(paths.iter().all(|path| !path.exists()));
}

#[test]
fn what_is_cancelled_has_no_result_and_is_done_when_resumed() {
    let repo = repo();
    let pool = pool(&repo);
    let stopped = request(&["first", "second"]);
    let work = |turn: &windrow_core::ops::Turn<'_, '_>| {
        turn.cancel.cancel();
        verdict(TaskEnd::Failed, "stopped")
    };
    let mapped = map(&pool, &MapRequest { jobs: 1, ..stopped.clone() }, &work, &Unobserved).unwrap();
    assert!(mapped.tasks.iter().all(Option::is_none));
    let again = MapRequest { former: Former::Resume, cancel: Cancel::new().unwrap(), ..stopped };
    let mapped = map(&pool, &again, &|_| verdict(TaskEnd::Succeeded, ""), &Unobserved).unwrap();
    assert!(mapped.tasks.iter().all(|task| task.as_ref().unwrap().verdict.end == TaskEnd::Succeeded));
}
