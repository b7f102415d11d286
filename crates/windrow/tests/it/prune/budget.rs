//! Keeping to a budget: what is cheapest to lose goes first, what is unsaved is saved, what is in use stays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_core::{
    ops::{self, PruneFate, Unobserved},
    process::{FileLock, Wait},
};
use windrow_model::{PruneItem, PrunePolicy};
use windrow_testkit::{Binary, Fault, FileSystem, TestRepo, assert_same, inject, loop_fs, noise, root_only};

use super::{about, assert_whole, keep, plan, refs, saved, stale::pool};
use crate::{
    pool::{
        acquire, nudge, pool_root, put, registered, repository, rescues, restore, state, text,
        wait_for_empty_trash, windrow,
    },
    schema::assert_valid,
    space::hold_trash,
};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("`{value}` is no number"))
}

/// Prunes to a budget, which must end with this exit code.
#[track_caller]
fn prune_to(repo: &TestRepo, code: i32, budget: u64) -> Value {
    let line = ["prune", "--json", "--to-budget", &budget.to_string()];
    let done = repo.windrow(line).run().assert_code(code).json();
    assert_valid("prune", &done);
    assert_eq!(done["budget"]["met"], code == 0, "{done:#}");
    done
}

/// How many unique bytes everything takes.
fn held(repo: &TestRepo) -> u64 {
    number(&plan(repo, &["--to-budget", "1TiB"])["budget"]["held_bytes"])
}

/// Something in the trash that nobody deletes before the next command.
fn throw_away(repo: &TestRepo, bytes: &[u8]) -> PathBuf {
    let entry = pool_root(repo).join(".trash").join(format!("windrow-test-{}", "0".repeat(32)));
    put(&entry.join("deep/file"), bytes);
    entry
}

fn spares(repo: &TestRepo) -> Vec<PathBuf> {
    let status = windrow(repo, &["pool", "status", "--json"]).json();
    let spares = status["spares"].as_array().unwrap().iter();
    spares.map(|spare| PathBuf::from(text(&spare["path"]))).collect()
}

/// The kinds of what goes, in the order of the plan.
fn going(document: &Value) -> Vec<String> {
    let items = document["items"].as_array().unwrap().iter();
    let going = items.filter(|item| item["action"] == "prune");
    going.map(|item| format!("{} {}", text(&item["kind"]), text(&item["worktree"]))).collect()
}

/// A repository whose checkout takes some room.
fn large() -> TestRepo {
    let repo = repository();
    put(&repo.path().join("large"), noise(200_000, 1));
    put(&repo.path().join(".gitignore"), ".env\n");
    repo.commit("large");
    repo
}

#[test]
fn trash_goes_first_then_what_is_ready_then_what_is_kept_then_what_is_saved() {
    let repo = large();
    let sweeping = hold_trash(&repo);
    let secret = String::from_utf8(noise(150_000, 2).iter().map(|byte| b'a' + byte % 26).collect()).unwrap();
    let old = saved(&repo, "old", &secret);
    let (first, second) = (keep(&repo, "first"), keep(&repo, "second"));
    first.write("unsaved.txt", noise(50_000, 3));
    let before = first.files();
    windrow(&repo, &["pool", "warm", "2", "--wait"]);
    let ready = spares(&repo);
    let thrown = throw_away(&repo, &noise(100_000, 4));
    drop(sweeping);
    let all = held(&repo);

    let nothing = plan(&repo, &["--to-budget", &all.to_string()]);
    assert_eq!(going(&nothing), Vec::<String>::new());
    let kinds = nothing["items"].as_array().unwrap().iter().map(|item| text(&item["kind"]));
    assert_eq!(kinds.collect::<Vec<_>>(), ["trash", "ready", "ready", "worktree", "worktree", "rescue"]);

    assert_eq!(going(&plan(&repo, &["--to-budget", &(all - 1).to_string()])), ["trash "]);
    let done = prune_to(&repo, 0, all - 1);
    assert_eq!(going(&done), ["trash "]);
    assert!(!thrown.exists() && ready.iter().all(|spare| spare.exists()), "{done:#}");

    let done = prune_to(&repo, 0, number(&done["budget"]["left_bytes"]) - 1);
    assert_eq!(going(&done).len(), 1);
    assert!(!ready[0].exists() && ready[1].exists(), "the older one goes: {done:#}");
    assert_eq!(spares(&repo), ready[1..]);

    let rest = held(&repo);
    let planned = plan(&repo, &["--to-budget", &(rest - 300_000).to_string()]);
    assert_eq!(going(&planned)[1..], ["worktree first"], "{planned:#}");
    prune_to(&repo, 0, rest - 300_000);
    assert_eq!(["first", "second"].map(|name| state(&repo, name)), ["gone", "kept"]);
    assert!(second.path.exists() && refs(&repo).contains(&old) && spares(&repo).is_empty());
    assert_same(&before, &restore(&repo, "first").files());
}

#[test]
fn h01_h05_with_no_budget_at_all_what_is_in_use_stays_and_what_is_unsaved_is_saved() {
    let repo = large();
    let (live, kept) = (acquire(&repo, &["--name", "live"]), keep(&repo, "kept"));
    live.write("work.txt", "work");
    kept.write("unsaved.txt", "unsaved");
    kept.write(".env", "secret");
    let old = saved(&repo, "old", "an old secret");
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    let before = [&live, &kept].map(|lease| lease.files());
    let done = prune_to(&repo, 1, 0);
    assert_eq!(going(&done), ["worktree kept", "rescue old"]);
    let fate = &about(&done, "worktree", "kept")["fate"];
    assert_eq!(
        (&fate["kind"], &fate["rescue"]),
        (&"done".into(), &rescues(&repo, "kept")[0].as_str().into())
    );
    assert_eq!((state(&repo, "live"), state(&repo, "kept")), ("leased".into(), "gone".into()));
    assert!(!refs(&repo).contains(&old) && !kept.path.exists());
    assert_whole(&live.path, &before[0]);
    assert_whole(&restore(&repo, "kept").path, &before[1]);

    let budget = &done["budget"];
    assert_eq!((&budget["limit_bytes"], &budget["met"]), (&0.into(), &false.into()));
    assert!(
        number(&budget["left_bytes"]) > 200_000 && number(&budget["planned_bytes"]) > 200_000,
        "{budget:#}"
    );
    let told = repo.windrow(["prune", "--to-budget", "0"]).run().assert_code(1).text();
    assert!(told.contains("are left; the budget is 0 B") && told.contains("not met"), "{told}");
}

#[test]
fn what_somebody_wrote_into_a_ready_worktree_is_saved_before_it_goes() {
    let repo = large();
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    let [ready] = spares(&repo).try_into().unwrap();
    put(&ready.join("notes"), "mine");
    let done = repo.windrow(["prune", "--json", "--to-budget", "0"]).run().json();
    let item = &done["items"][0];
    assert_eq!((&item["kind"], &item["fate"]["kind"]), (&"ready".into(), &"done".into()), "{done:#}");
    let rescue = text(&item["fate"]["rescue"]);
    assert!(!ready.exists() && spares(&repo).is_empty());
    let back = windrow(&repo, &["restore", &rescue, "--json"]).json();
    assert_eq!(fs::read(Path::new(&text(&back["lease"]["path"])).join("notes")).unwrap(), b"mine");
}

#[test]
fn nothing_is_made_ready_again_while_a_budget_is_kept_to() {
    let repo = large();
    let wants_one = ["--config", "pool.warm=1"];
    let with = |line: &[&str]| repo.windrow([line, &wants_one[..]].concat()).run();
    with(&["pool", "warm", "1", "--wait"]).assert_success();
    // It was ready once, so that its files could be used again.
    acquire(&repo, &["--name", "kept", "--config", "pool.keeper=false"]);
    windrow(&repo, &["release", "kept", "--keep", "1h"]);
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    with(&["prune", "--to-budget", "0"]).assert_success();
    assert_eq!((spares(&repo), state(&repo, "kept").as_str()), (Vec::new(), "gone"));
    assert_eq!(held(&repo), 0);
    assert_eq!(registered(&repo).len(), 1);
}

#[test]
fn the_configured_budget_counts_when_none_is_named() {
    let repo = large();
    keep(&repo, "fern");
    let refused = repo.windrow(["prune", "--to-budget"]).run().assert_code(2);
    assert!(refused.stderr_text().contains("no budget is configured"), "{refused}");
    let configured = ["--to-budget", "--config", "pool.max_bytes=1GiB"];
    let planned = plan(&repo, &configured);
    assert_eq!(planned["policy"]["to_budget_bytes"], 1 << 30);
    assert_eq!((going(&planned), &planned["budget"]["met"]), (Vec::new(), &true.into()));
    let planned = plan(&repo, &["--to-budget", "1", "--config", "pool.max_bytes=1GiB"]);
    assert_eq!(
        (going(&planned), &planned["policy"]["to_budget_bytes"]),
        (vec!["worktree fern".into()], &1.into())
    );
    let told = windrow(&repo, &["prune", "--to-budget", "1KiB", "--dry-run"]).text();
    assert!(told.contains("would be left; the budget is 1.0 KiB"), "{told}");
    assert!(told.ends_with("next: windrow prune --to-budget 1024"), "{told}");
    assert_eq!(plan(&repo, &[])["budget"], Value::Null);
    assert_eq!(
        windrow(&repository(), &["prune", "--to-budget", "1"]).text(),
        "nothing went, 0 stay\n0 B were held, 0 B are left; the budget is 1 B"
    );
}

#[test]
fn h01_a_ready_worktree_that_was_handed_out_since_the_plan_stays() {
    let repo = large();
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    let pool = pool(&repo);
    let policy = PrunePolicy { to_budget: Some(0), ..PrunePolicy::default() };
    let plan = ops::plan_prune(&pool, policy).unwrap();
    let [step] = &plan.steps[..] else { panic!("{plan:?}") };
    assert!(matches!(step.item, PruneItem::Spare { .. }) && step.goes().is_some(), "{plan:?}");
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "work");
    let before = lease.files();
    let done = ops::execute_prune(&pool, plan, &mut Unobserved).unwrap();
    assert_eq!(done.fates, [PruneFate::Skipped("it changed meanwhile".to_owned())]);
    assert!(!done.is_complete() && !done.is_within_budget());
    assert_eq!(state(&repo, "fern"), "leased");
    assert_same(&before, &lease.files());
}

#[test]
fn a_ready_worktree_that_somebody_works_on_stays() {
    let repo = large();
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    let status = windrow(&repo, &["pool", "status", "--json"]).json();
    let lock = format!("windrow/locks/{}.owner", text(&status["spares"][0]["id"]));
    let working = FileLock::acquire(&repo.git_dir().join(lock), Wait::No).unwrap().unwrap();
    let done = prune_to(&repo, 1, 0);
    assert_eq!(
        (&done["items"][0]["action"], &done["items"][0]["reason"]),
        (&"keep".into(), &"at_work".into())
    );
    assert!(spares(&repo)[0].exists());
    drop(working);
}

/// The templates that there are, newest first.
fn templates(repo: &TestRepo) -> Vec<PathBuf> {
    let status = windrow(repo, &["pool", "status", "--json"]).json();
    let templates = status["templates"].as_array().unwrap().iter();
    templates.map(|template| PathBuf::from(text(&template["path"]))).collect()
}

#[test]
fn templates_that_serve_nobody_go_before_what_is_ready_and_all_before_anybodys_work() {
    let repo = large();
    let configured = repo.git_dir().join("windrow/config.toml");
    keep(&repo, "fern");
    fs::write(&configured, "[pool]\ntemplates = 2\n").unwrap();
    windrow(&repo, &["pool", "template"]);
    let [old] = templates(&repo).try_into().unwrap();
    put(&repo.path().join("new"), "new");
    repo.commit("another");
    windrow(&repo, &["pool", "template"]);
    let new = templates(&repo)[0].clone();
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    // Of two that may be there both serve, and what is ready goes before them.
    let kinds = |document: &Value| -> Vec<String> {
        let kind = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
        going(document).into_iter().map(kind).collect()
    };
    assert_eq!(kinds(&plan(&repo, &["--to-budget", "0"])), ["ready", "template", "template", "worktree"]);
    fs::write(&configured, "[pool]\ntemplates = 1\n").unwrap();
    let planned = plan(&repo, &["--to-budget", &(held(&repo) - 1).to_string()]);
    assert_eq!(kinds(&planned), ["template"]);
    let done = prune_to(&repo, 0, held(&repo) - 1);
    let item = &done["items"][0];
    assert_eq!((Path::new(&text(&item["path"])), &item["fate"]["kind"]), (old.as_path(), &"done".into()));
    assert!(!old.exists() && new.exists());
    assert_eq!(templates(&repo), std::slice::from_ref(&new));
    let done = prune_to(&repo, 0, 0);
    assert_eq!(kinds(&done), ["ready", "template", "worktree"], "{done:#}");
    assert!(!new.exists() && templates(&repo).is_empty());
    assert_eq!(held(&repo), 0);
}

#[test]
fn a_template_that_changed_since_the_plan_stays() {
    let repo = large();
    windrow(&repo, &["pool", "template"]);
    let pool = pool(&repo);
    let policy = PrunePolicy { to_budget: Some(0), ..PrunePolicy::default() };
    let plan = ops::plan_prune(&pool, policy.clone()).unwrap();
    let lock = repo.git_dir().join("windrow/locks/template");
    let making = FileLock::acquire(&lock, Wait::No).unwrap().unwrap();
    let done = ops::execute_prune(&pool, plan.clone(), &mut Unobserved).unwrap();
    assert_eq!(done.fates, [PruneFate::Skipped("somebody is at work on templates".to_owned())]);
    drop(making);
    put(&repo.path().join("new"), "new");
    repo.commit("another");
    windrow(&repo, &["pool", "template"]);
    let done = ops::execute_prune(&pool, plan, &mut Unobserved).unwrap();
    assert_eq!(done.fates, [PruneFate::Skipped("it changed meanwhile".to_owned())]);
    assert_eq!(templates(&repo).len(), 1);
    let plan = ops::plan_prune(&pool, policy).unwrap();
    let again = ops::execute_prune(&pool, plan.clone(), &mut Unobserved).unwrap();
    assert_eq!((again.fates, again.held), (vec![PruneFate::Done { rescue: None }], Some(0)));
    let again = ops::execute_prune(&pool, plan, &mut Unobserved).unwrap();
    assert_eq!(again.fates, [PruneFate::Gone]);
}

#[test]
fn no_template_is_made_in_the_background_beyond_the_budget() {
    let repo = large();
    let fill = |budget: &str| {
        let options = ["--config", "pool.strategy=copy", "--config", budget];
        windrow(&repo, &[&["pool", "warm", "0", "--wait"][..], &options].concat()).stderr_text()
    };
    let told = fill("pool.max_bytes=100KiB");
    assert!(told.contains("nothing more is made ready: 0 B are held"), "{told}");
    assert_eq!(templates(&repo), Vec::<PathBuf>::new());
    // One that is asked for is made.
    windrow(&repo, &["pool", "template", "--config", "pool.max_bytes=100KiB"]);
    windrow(&repo, &["pool", "template", "--remove"]);
    fs::remove_file(repo.git_dir().join("windrow/templates/none")).unwrap();
    fill("pool.max_bytes=10MiB");
    assert_eq!(templates(&repo).len(), 1);
}

/// What a worktree shares with the main checkout does not count, and letting it go would free nothing.
fn what_is_shared_does_not_count_on(kind: FileSystem, mebibytes: u64) {
    let Some(root) = root_only("a file system whose files share blocks") else { return };
    let Some(mounted) = loop_fs(root, kind, mebibytes << 20) else { return };
    let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).inside(mounted.path()).build();
    let large = repo.path().join("large.bin");
    put(&large, noise(8 << 20, 5));
    let options = ["--config", "pool.min_free=1MiB"];
    let lease = acquire(&repo, &[&["--name", "fern"][..], &options].concat());
    let copy = repo.command("cp", repo.root()).arg("--reflink=always").arg(&large).arg(&lease.path);
    copy.run().assert_success();
    windrow(&repo, &["release", "fern", "--keep", "1h"]);
    repo.command("sync", repo.root()).run().assert_success();
    let listed = windrow(&repo, &["list", "--du", "--json"]).json();
    let usage = &listed["worktrees"][0]["usage"];
    assert!(number(&usage["shared_bytes"]) >= 8 << 20, "{}: {listed:#}", kind.name());
    assert!(number(&usage["unique_bytes"]) < 1 << 20, "{}: {listed:#}", kind.name());
    assert!(number(&usage["apparent_bytes"]) > 8 << 20, "{}: {listed:#}", kind.name());
    let planned = plan(&repo, &["--to-budget", "1MiB"]);
    assert_eq!((going(&planned), &planned["budget"]["met"]), (Vec::new(), &true.into()), "{planned:#}");
}

#[test]
fn what_is_shared_does_not_count_on_btrfs() {
    what_is_shared_does_not_count_on(FileSystem::Btrfs, 256);
}

#[test]
fn what_is_shared_does_not_count_on_xfs() {
    what_is_shared_does_not_count_on(FileSystem::Xfs, 400);
}

/// Kills a prune to no bytes before the nth call that changes something, then lets another one run; tells whether it was killed.
fn kill_at(nth: u32) -> Option<bool> {
    let repo = large();
    let fern = keep(&repo, "fern");
    fern.write("untracked.txt", "untracked");
    fern.write(".env", "secret");
    let before = fern.files();
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    throw_away(&repo, b"thrown away");
    let command = repo.windrow(["prune", "--to-budget", "0"]);
    let outcome = inject(command, "renameat2,unlinkat,pwrite64,syncfs", Fault::Kill, nth)?.run();
    nudge(&repo);
    match state(&repo, "fern").as_str() {
        "kept" => {
            assert_whole(&fern.path, &before);
            repo.windrow(["prune", "--to-budget", "0"]).run();
            assert_eq!(spares(&repo), Vec::<PathBuf>::new());
        }
        "gone" => assert!(!fern.path.exists()),
        other => panic!("{other} after call {nth}"),
    }
    assert_eq!(rescues(&repo, "fern").len(), 1);
    assert_whole(&restore(&repo, "fern").path, &before);
    Some(outcome.code > 1)
}

#[test]
fn h33_killed_anywhere_it_has_lost_nothing() {
    for nth in [1, 4, 9, 20, 32] {
        if let Some(killed) = kill_at(nth) {
            assert!(killed, "nothing was killed at {nth}");
        }
    }
}
