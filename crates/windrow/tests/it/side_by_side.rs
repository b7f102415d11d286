//! What each worktree has to itself at run time: ports, variables, a temporary directory, markers.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
};

use serde_json::Value;
use windrow_testkit::TestRepo;

use crate::pool::{acquire, nudge, refused, repository, text, windrow};

/// Acquires and returns the variables that are set.
#[track_caller]
fn variables(repo: &TestRepo, arguments: &[&str]) -> Value {
    windrow(repo, &[&["acquire", "--json"], arguments].concat()).json()["env_set"].clone()
}

#[track_caller]
fn ports(set: &Value) -> Vec<u16> {
    let more = (1..).map_while(|number| set.get(format!("WINDROW_PORT_{number}")));
    let all = set.get("WINDROW_PORT").into_iter().chain(more);
    all.map(|port| text(port).parse().unwrap()).collect()
}

fn directory(set: &Value, name: &str) -> PathBuf {
    PathBuf::from(text(&set[name]))
}

/// Everything that worktrees have beside them.
fn scratch(repo: &TestRepo) -> Vec<PathBuf> {
    let found = fs::read_dir(repo.git_dir().join("windrow/scratch")).into_iter().flatten();
    found.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn h30_thirty_live_worktrees_share_no_port_and_no_database() {
    let repo = repository();
    let options = ["--no-carry", "--config", "env.DATABASE=app_{slug}", "--config", "env.API=:{port_1}"];
    let all: Vec<Value> = thread::scope(|scope| {
        let threads: Vec<_> = (0..30).map(|_| scope.spawn(|| variables(&repo, &options))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let blocks: Vec<_> = all.iter().map(ports).collect();
    for (block, set) in blocks.iter().zip(&all) {
        assert_eq!(block.len(), 10);
        assert!(block.is_sorted_by(|one, next| one + 1 == *next), "{block:?} is in a row");
        assert!(block.iter().all(|port| (20_000..30_000).contains(port)), "{block:?}");
        assert_eq!(set["DATABASE"], format!("app_{}", text(&set["WINDROW_NAME"]).replace('-', "_")));
        assert_eq!(set["API"], format!(":{}", block[1]));
    }
    assert_eq!(blocks.concat().into_iter().collect::<BTreeSet<_>>().len(), 300, "30 disjoint blocks");
    for name in ["DATABASE", "TMPDIR", "WINDROW_MARKERS"] {
        let different: BTreeSet<_> = all.iter().map(|set| text(&set[name])).collect();
        assert_eq!(different.len(), 30, "{name}");
    }
}

#[test]
fn h30_a_port_that_is_taken_is_not_given() {
    let repo = repository();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let range = format!("ports.range={port}-{port}");
    let one = ["--config", "ports.count=1", "--config", &range];
    let wanted = [&["acquire"], &one[..]].concat();
    let listened = refused(&repo, 69, &wanted);
    assert!(
        text(&listened["message"]).contains("no 1 free ports") && listened["retryable"] == true,
        "{listened}"
    );
    drop(listener);
    let set = variables(&repo, &one);
    assert_eq!(ports(&set), [port]);
    refused(&repo, 69, &wanted);
    windrow(&repo, &["release", &text(&set["WINDROW_NAME"])]);
    assert_eq!(ports(&variables(&repo, &one)), [port], "it is free again");
    assert_eq!(ports(&variables(&repo, &["--config", "ports.count=0"])), [0; 0]);
}

#[test]
fn a_kept_worktree_has_its_ports_when_it_is_taken_up_again() {
    let repo = repository();
    let script = r#"echo "$WINDROW_PORT $WINDROW_PORT_9 $TMPDIR" >> ../seen; cat "$WINDROW_MARKERS/m"; echo x > "$WINDROW_MARKERS/m""#;
    let run = ["run", "--name", "kept", "--keep", "1h", "--", "sh", "-c", script];
    windrow(&repo, &run);
    let others: BTreeSet<_> = (0..3).flat_map(|_| ports(&variables(&repo, &[]))).collect();
    assert_eq!(windrow(&repo, &run).text(), "x", "the marker is there");
    windrow(&repo, &["exec", "kept", "--", "sh", "-c", script]);
    let seen = fs::read_to_string(crate::pool::pool_root(&repo).join("seen")).unwrap();
    let lines: BTreeSet<_> = seen.lines().collect();
    assert_eq!((lines.len(), seen.lines().count()), (1, 3), "{seen}");
    assert!(!others.contains(&seen.split(' ').next().unwrap().parse().unwrap()));
}

#[test]
fn temporary_files_and_markers_are_outside_of_the_tree_and_go_with_the_worktree() {
    let repo = repository();
    let set = variables(&repo, &["--name", "fern"]);
    let (temporary, markers) = (directory(&set, "TMPDIR"), directory(&set, "WINDROW_MARKERS"));
    for directory in [&temporary, &markers] {
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!directory.starts_with(directory_of(&set)));
    }
    assert!(temporary.as_os_str().len() < repo.git_dir().as_os_str().len() + 36, "short enough for sockets");
    fs::write(markers.join("active"), "").unwrap();
    let other = variables(&repo, &["--name", "moss"]);
    assert!(!directory(&other, "WINDROW_MARKERS").join("active").exists());
    windrow(&repo, &["exec", "fern", "--", "sh", "-c", "mktemp -d && test -z \"$(git status --porcelain)\""]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    let released = windrow(&repo, &["release", "fern", "--json"]).json();
    assert_eq!(released["released"]["rescue"], Value::Null);
    assert!(!temporary.exists() && !markers.exists());
    assert_eq!(scratch(&repo).len(), 1, "that of the other one");
}

fn directory_of(set: &Value) -> &Path {
    Path::new(set["WINDROW_PATH"].as_str().unwrap())
}

#[test]
fn what_a_killed_run_had_to_itself_goes_with_the_next_command() {
    let repo = repository();
    let script = "touch \"$TMPDIR/left\" \"$WINDROW_MARKERS/left\"; kill -9 $(ps -o ppid= $PPID)";
    repo.windrow(["run", "--", "sh", "-c", script]).run();
    assert_eq!(scratch(&repo).len(), 1);
    nudge(&repo);
    assert_eq!(scratch(&repo), [] as [PathBuf; 0]);
}

#[test]
fn variables_of_the_configuration_reach_commands_and_are_refused_where_they_are_committed() {
    let repo = repository();
    let private = repo.git_dir().join("windrow/config.toml");
    fs::create_dir_all(private.parent().unwrap()).unwrap();
    let variables =
        "[env]\nWHERE = \"{worktree} {main} {state}\"\nTMPDIR = \"/tmp\"\nPLAIN = \"${HOME} {}\"\n";
    fs::write(&private, variables).unwrap();
    let run = windrow(
        &repo,
        &["run", "--name", "fern", "--", "sh", "-c", "echo $PWD; echo $WHERE; echo $TMPDIR $PLAIN"],
    );
    let said = run.text();
    let lines: Vec<_> = said.lines().collect();
    let (main, state) = (repo.path().display(), repo.git_dir().join("windrow"));
    assert_eq!(lines[1], format!("{} {main} {}", lines[0], state.display()));
    assert_eq!(lines[2], "/tmp ${HOME} {}");
    let origin = windrow(&repo, &["config", "env.WHERE", "--show-origin"]).text();
    assert!(origin.contains("private"), "{origin}");

    repo.write("windrow.toml", "[env]\nLD_PRELOAD = \"evil.so\"\n");
    let error = refused(&repo, 78, &["acquire"]);
    assert!(text(&error["message"]).contains("`env.LD_PRELOAD` is refused"), "{error}");
    fs::remove_file(repo.path().join("windrow.toml")).unwrap();
    acquire(&repo, &[]);
}
