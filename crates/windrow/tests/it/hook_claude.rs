//! Claude Code's hooks: recorded and malformed input, many at once, and nothing lost at the end.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
};

use serde_json::{Value, json};
use windrow_testkit::{Invocation, TestRepo, poll_until};

use crate::pool::{SOON, acquire, put, registered, repository, rescues, restore, state, windrow};

const CREATE: [&str; 3] = ["hook", "claude", "worktree-create"];
const REMOVE: [&str; 3] = ["hook", "claude", "worktree-remove"];

/// What Claude Code writes.
fn recorded(repo: &TestRepo, event: &str, more: &Value) -> String {
    let mut input = json!({
        "session_id": "00893aaf-19fa-41d2-8238-13269b9b3ca0",
        "transcript_path": "/home/somebody/.claude/projects/p/00893aaf.jsonl",
        "cwd": repo.path(),
        "hook_event_name": event,
        "prompt_id": "p-1",
        "of a later version": [null, {"deep": true}],
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input.to_string()
}

fn create(repo: &TestRepo, name: &str) -> PathBuf {
    let input = recorded(repo, "WorktreeCreate", &json!({ "name": name }));
    let done = repo.windrow(CREATE).stdin(input).run().assert_success();
    let told = done.text();
    assert_eq!(told.lines().count(), 1, "{told}");
    let path = PathBuf::from(told);
    assert!(path.is_absolute() && path.is_dir(), "{}", path.display());
    assert_eq!(path, path.canonicalize().unwrap());
    path
}

fn remove(repo: &TestRepo, path: &Path) -> Invocation {
    let input = recorded(repo, "WorktreeRemove", &json!({ "worktree_path": path }));
    repo.windrow(REMOVE).stdin(input)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_worktree_comes_with_what_is_carried_and_goes_with_nothing_lost() {
    let repo = repository();
    put(&repo.path().join(".gitignore"), ".env\n");
    put(&repo.path().join(".worktreeinclude"), ".env\n");
    repo.commit("ignores");
    put(&repo.path().join(".env"), "SECRET=1\n");
    let path = create(&repo, "bold-oak-a3f2");
    assert_eq!(name_of(&path), "bold-oak-a3f2");
    assert_eq!(fs::read(path.join(".env")).unwrap(), b"SECRET=1\n");
    assert_eq!(create(&repo, "bold-oak-a3f2"), path, "the same request is the same worktree");

    put(&path.join("draft"), "unsaved");
    put(&path.join(".env"), "SECRET=2\n");
    repo.git_in(&path, ["checkout", "--quiet", "--detach"]);
    put(&path.join("detached"), "on no branch");
    let detached = repo.commit_in(&path, "On no branch");
    put(&path.join("later"), "unsaved, too");
    let done = remove(&repo, &path).run().assert_success();
    assert_eq!(done.text(), "", "{done}");
    assert!(!path.exists());
    assert_eq!((registered(&repo).len(), state(&repo, "bold-oak-a3f2")), (1, "gone".into()));
    let kept = restore(&repo, "bold-oak-a3f2");
    assert_eq!(repo.git_in(&kept.path, ["rev-parse", "HEAD"]).trim(), detached);
    for (file, content) in [("draft", "unsaved"), (".env", "SECRET=2\n"), ("later", "unsaved, too")] {
        assert_eq!(fs::read_to_string(kept.path.join(file)).unwrap_or_default(), content, "{file}");
    }
    // Once more, from nowhere: it is gone already.
    remove(&repo, &path).run().assert_success();
}

#[test]
fn malformed_input_is_refused_before_anything_is_done() {
    let repo = repository();
    for input in [
        "",
        "{",
        "[]",
        "null",
        "name=x",
        r#"{"cwd":"/"}"#,
        r#"{"name":null}"#,
        r#"{"name":"undefined"}"#,
        r#"{"name":"null"}"#,
        r#"{"name":""}"#,
        r#"{"name":{"a":1}}"#,
        r#"{"worktree_path":null}"#,
        r#"{"worktree_path":"relative"}"#,
        r#"{"worktree_path":"undefined"}"#,
    ] {
        for hook in [CREATE, REMOVE] {
            let done = repo.windrow(hook).stdin(input).run();
            assert_ne!(done.code, 0, "{hook:?} {input}");
            assert_eq!((done.text().as_str(), done.stderr_text().is_empty()), ("", false), "{input}");
        }
    }
    assert!(!repo.git_dir().join("windrow").exists());
    assert_eq!(repo.git(["branch", "--list"]).lines().count(), 1);
}

#[test]
fn an_input_that_never_ends_is_answered_at_its_last_brace() {
    let repo = repository();
    let input = recorded(&repo, "WorktreeCreate", &json!({ "name": "fern" }));
    let mut call = repo.windrow(CREATE).command();
    let mut call = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = call.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    // The pipe stays open, as that of a harness does that waits for the answer first.
    poll_until(SOON, "an answer", || call.try_wait().unwrap().is_some());
    let mut path = String::new();
    call.stdout.take().unwrap().read_to_string(&mut path).unwrap();
    assert!(Path::new(path.trim()).is_dir(), "{path}");
    drop(pipe);
}

#[test]
fn names_with_slashes_are_their_own_worktrees_and_twenty_come_at_once() {
    let repo = repository();
    let names: Vec<String> = (0..20)
        .map(|number| {
            if number % 2 == 0 {
                format!("feature/{}", number / 2)
            } else {
                format!("feature-{}", number / 2)
            }
        })
        .collect();
    let made: Vec<PathBuf> = thread::scope(|scope| {
        let repo = &repo;
        let calls: Vec<_> = names.iter().map(|name| scope.spawn(move || create(repo, name))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let different: std::collections::BTreeSet<_> = made.iter().collect();
    assert_eq!((different.len(), registered(&repo).len()), (20, 21));
    for path in &made {
        assert_eq!(repo.git_in(path, ["status", "--porcelain"]), "");
        remove(&repo, path).run().assert_success();
    }
    assert_eq!((registered(&repo).len(), repo.git(["branch", "--list", "windrow/*"])), (1, String::new()));
}

#[test]
fn h04_what_is_not_ours_or_is_only_a_part_of_it_stays() {
    let repo = repository();
    let theirs = repo.root().join("theirs");
    repo.git(["worktree", "add", "--quiet", theirs.to_str().unwrap()]);
    let ours = acquire(&repo, &["--name", "fern"]);
    fs::create_dir(ours.path.join("src")).unwrap_or_default();
    for path in [&theirs, &ours.path.join("src"), &repo.path().to_owned(), &repo.root().to_owned()] {
        let done = remove(&repo, path).run();
        assert_ne!(done.code, 0, "{}: {done}", path.display());
        assert!(path.is_dir());
    }
    assert_eq!(state(&repo, "fern"), "leased");
}

#[test]
fn it_goes_although_the_session_and_the_hook_stand_in_it_or_it_is_gone() {
    let repo = repository();
    let path = create(&repo, "fern");
    put(&path.join("notes"), "mine");
    let input = recorded(&repo, "WorktreeRemove", &json!({ "worktree_path": path, "cwd": path }));
    repo.windrow(REMOVE).current_dir(&path).stdin(input.as_str()).run().assert_success();
    assert!(!path.exists());
    assert_eq!(rescues(&repo, "fern").len(), 1);
    // From a directory that is no more.
    let shell = format!(
        "mkdir doomed && cd doomed && rmdir ../doomed && exec '{}' hook claude worktree-remove",
        env!("CARGO_BIN_EXE_windrow")
    );
    let gone = repo.command("sh", repo.root()).args(["-c", &shell]).stdin(input.as_str()).run();
    assert_eq!(gone.code, 0, "{gone}");
    // Files that somebody deleted.
    let path = create(&repo, "moss");
    fs::remove_dir_all(&path).unwrap();
    remove(&repo, &path).run().assert_success();
    assert_eq!((state(&repo, "moss"), registered(&repo).len()), ("gone".into(), 1));
}

#[test]
fn h02_without_a_harness_time_ends_nothing_and_with_one_its_end_does() {
    let repo = repository();
    let path = create(&repo, "fern");
    let lease = |name: &str| windrow(&repo, &["show", name, "--json"]).json()["worktree"]["lease"].clone();
    assert_eq!(lease("fern")["expires_at"], Value::Null);
    assert!(path.exists());

    // A program that is called as Claude Code is.
    let harness = repo.root().join("claude");
    fs::write(
        &harness,
        format!(
            "#!/bin/sh\n'{}' hook claude worktree-create\nexec 0<&-\nexec sleep 600\n",
            env!("CARGO_BIN_EXE_windrow")
        ),
    )
    .unwrap();
    fs::set_permissions(&harness, fs::Permissions::from_mode(0o755)).unwrap();
    let input = recorded(&repo, "WorktreeCreate", &json!({ "name": "moss" }));
    let mut running = repo.command(harness.to_str().unwrap(), repo.root()).stdin(input).spawn();
    running.wait_for_stdout("moss");
    let held = lease("moss");
    assert_eq!(
        (held["holder"]["pid"].as_u64(), &held["expires_at"]),
        (Some(running.pid().into()), &Value::Null),
        "{held:#}"
    );
    running.kill_alone();
    poll_until(SOON, "the worktree ends with it", || {
        windrow(&repo, &["reconcile"]);
        state(&repo, "moss") == "gone"
    });
    assert_eq!(state(&repo, "fern"), "leased");
}

#[test]
fn h05_what_cannot_be_saved_stays_and_is_said() {
    let repo = repository();
    let path = create(&repo, "fern");
    put(&path.join("notes"), "mine");
    fs::remove_file(repo.git_dir().join("worktrees/fern/windrow-id")).unwrap();
    let done = remove(&repo, &path).run();
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(fs::read(path.join("notes")).unwrap(), b"mine");
    assert!(done.stderr_text().contains("fern"), "{done}");
}

#[test]
fn the_settings_are_changed_only_after_a_yes_and_changed_back() {
    let repo = repository();
    let file = repo.path().join(".claude/settings.local.json");
    let settings = |word: &str| repo.windrow(["hook", "claude", word]);
    let shown = settings("install").arg("--dry-run").run().assert_success().text();
    assert!(shown.contains("+ ") && shown.contains("windrow hook claude worktree-create"), "{shown}");
    for answer in ["", "n\n", "maybe\n"] {
        settings("install").stdin(answer).run().assert_code(65);
        assert!(!file.exists());
    }
    settings("install").stdin("y\n").run().assert_success();
    let with = fs::read_to_string(&file).unwrap();
    let again = settings("install").arg("--yes").run().assert_success();
    assert!(again.stderr_text().contains("nothing to change"), "{again}");
    assert_eq!(fs::read_to_string(&file).unwrap(), with);

    let theirs = "{\n  \"z\": [1, 2],\n  \"a\": {\"b\": null}\n}\n";
    fs::write(&file, theirs).unwrap();
    settings("install").arg("--yes").run().assert_success();
    settings("uninstall").arg("--yes").run().assert_success();
    assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
    let other = r#"{"hooks":{"WorktreeCreate":[{"hooks":[{"type":"command","command":"other"}]}]}}"#;
    fs::write(&file, other).unwrap();
    let refused = settings("install").arg("--yes").run().assert_code(65);
    assert!(refused.stderr_text().contains("`other`"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), other);
}

/// Everything that the skill tells an agent to type is a command that there is.
#[test]
fn the_skill_of_the_plugin_teaches_commands_that_there_are() {
    let skill =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/claude-code/skills/windrow/SKILL.md");
    let skill = fs::read_to_string(skill).unwrap();
    let help = windrow(&repository(), &["--help"]).text();
    let mut commands = 0;
    for line in skill.lines().filter(|line| line.starts_with("windrow ") || line.contains("$(windrow ")) {
        let word = line.split("windrow ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(help.lines().any(|known| known.trim_start().starts_with(&format!("{word} "))), "{line}");
        commands += 1;
    }
    assert!(commands >= 8, "{commands}");
}
