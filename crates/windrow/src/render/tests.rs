//! What people see, with fixed values.

use std::{path::Path, time::Duration};

use anstream::adapter::strip_str;
use jiff::{SignedDuration, Timestamp};
use windrow_core::{
    config::{Origin, Value},
    ops::{
        BranchFate, CarrySummary, Details, Dropped, Entry, EnvironmentChange, Finished, HeldThen, Holding,
        Holdings, Leased, PoolStatus, Provenance, Ran, RanLanding, RanPush, Released, RescueDetails,
        RescuedPath, RescuedWhere, WorkSummary, WorktreeFate,
    },
    process::{self, EndedBy, Occupant, OccupiedBy, Straggler},
};
use windrow_model::{
    BranchOrigin, Change, Checkout, Disposable, Drift, Event, EventKind, Fence, Holder, LeaseRecord,
    NewEvent, Oid, ProcessIdentity, RescueRecord, Single, Usage, WorktreeRecord, WorktreeState,
};

use super::*;

const LEASE: &str = "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f";

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn view() -> View<'static> {
    View { now: now(), home: Some(Path::new("/home/ada")) }
}

fn oid(digit: &str) -> Oid {
    digit.repeat(40).parse().unwrap()
}

fn worktree(name: &str, state: WorktreeState) -> WorktreeRecord {
    WorktreeRecord {
        id: LEASE.parse().unwrap(),
        name: name.parse().unwrap(),
        path: format!("/home/ada/shop.windrow/{name}").into(),
        admin: "/home/ada/shop/.git/worktrees/x".into(),
        identity: None,
        state,
        base: oid("a"),
        target: Some("main".parse().unwrap()),
        checkout: Checkout::Branch {
            name: format!("windrow/{name}").parse().unwrap(),
            origin: BranchOrigin::Created,
        },
        created_at: ago(3_700),
        keep_until: None,
        doubt: None,
        boot_id: String::new(),
    }
}

fn lease() -> LeaseRecord {
    LeaseRecord {
        id: LEASE.parse().unwrap(),
        worktree: LEASE.parse().unwrap(),
        holder: Holder::Process(ProcessIdentity { pid: 4_242, start_ticks: 1, scope: String::new() }),
        key: Some("GH-12".parse().unwrap()),
        fence: Fence(42),
        expires_at: None,
        acquired_at: ago(200),
        ended_at: None,
        keep: None,
        reaper: None,
    }
}

fn unbound() -> LeaseRecord {
    let expires_at = Some(now() + SignedDuration::from_mins(59));
    LeaseRecord { holder: Holder::Unbound, key: None, expires_at, ..lease() }
}

fn rescue_record() -> RescueRecord {
    RescueRecord {
        id: "quiet-fern-7c8d9e0f".parse().unwrap(),
        worktree: LEASE.parse().unwrap(),
        name: "quiet-fern".parse().unwrap(),
        head: oid("b"),
        branch: Some("windrow/quiet-fern".parse().unwrap()),
        commit: Some(oid("c")),
        index_tree: None,
        archive: Some("/home/ada/shop/.git/windrow/rescue/quiet-fern-7c8d9e0f.tar.zst".into()),
        archive_bytes: 2_048,
        paths: 4,
        created_at: ago(90),
    }
}

fn full_release() -> Released {
    Released {
        worktree: worktree("quiet-fern", WorktreeState::Gone),
        fate: WorktreeFate::Removed,
        work: WorkSummary { commits: 3, files: 5, added: 120, deleted: 8 },
        unsaved: 4,
        rescue: Some(rescue_record()),
        dropped: vec![
            Dropped { path: "target".into(), why: Disposable::CacheTag },
            Dropped {
                path: "web/node_modules".into(),
                why: Disposable::BuildOutput { manifest: "package.json" },
            },
        ],
        branch: BranchFate::Stays("windrow/quiet-fern".parse().unwrap(), oid("b")),
        drift: Vec::new(),
        meanwhile: Vec::new(),
    }
}

fn empty_release() -> Released {
    Released {
        work: WorkSummary::default(),
        unsaved: 0,
        rescue: None,
        dropped: Vec::new(),
        branch: BranchFate::Deleted("windrow/quiet-fern".parse().unwrap(), oid("a")),
        ..full_release()
    }
}

fn leased() -> Leased {
    Leased {
        worktree: worktree("quiet-fern", WorktreeState::Leased),
        lease: unbound(),
        provenance: Provenance::Created,
        carried: CarrySummary {
            files: 3,
            bytes: 1_536,
            skipped: vec![("notes\u{1b}[2J".into(), "is a link out of the repository".to_owned())],
        },
        seeds: Vec::new(),
        environment: EnvironmentChange::default(),
        notices: Vec::new(),
    }
}

fn finish() -> Finished {
    let straggler =
        |pid, command: &str| Straggler { pid, command: command.to_owned(), ended_by: EndedBy::Term };
    Finished {
        exit: process::Exit::Code(0),
        timed_out: true,
        interrupted: None,
        stragglers: vec![straggler(4_243, "sleep"), straggler(4_244, "node")],
        elapsed: Duration::from_secs(90),
        log: Some("/home/ada/shop/.git/windrow/logs/quiet-fern.log".into()),
    }
}

#[test]
fn a_list_of_worktrees() {
    let kept_until = Some(now() + SignedDuration::from_hours(5));
    let kept = WorktreeRecord { keep_until: kept_until, ..worktree("old-elm", WorktreeState::Kept) };
    let detached = WorktreeRecord {
        checkout: Checkout::Detached,
        path: "/srv/trees/odd\nname".into(),
        ..worktree("x", WorktreeState::Leased)
    };
    let entries = [
        Entry { worktree: worktree("quiet-fern", WorktreeState::Leased), lease: Some(lease()) },
        Entry { worktree: kept, lease: None },
        Entry { worktree: detached, lease: Some(unbound()) },
        Entry { worktree: worktree("bad-oak", WorktreeState::Quarantined), lease: None },
    ];
    insta::assert_snapshot!(strip_str(&list(&entries, &view())), @r"
    NAME        STATE        BRANCH              HOLDER            AGE     EXPIRES  PATH
    quiet-fern  leased       windrow/quiet-fern  pid 4242 (GH-12)  3m 20s  -        ~/shop.windrow/quiet-fern
    old-elm     kept         windrow/old-elm     -                 1h 1m   5h       ~/shop.windrow/old-elm
    x           leased       (detached)          nobody watched    3m 20s  59m      /srv/trees/odd\nname
    bad-oak     quarantined  windrow/bad-oak     -                 1h 1m   -        ~/shop.windrow/bad-oak
    ");
    let coloured = list(&entries[..1], &view());
    assert!(coloured.contains("\u{1b}[38;5;2m") || coloured.contains("\u{1b}[32m"), "{coloured:?}");
}

fn used(allocated_bytes: u64, shared_bytes: Option<u64>) -> Usage {
    Usage { apparent_bytes: 3 << 20, allocated_bytes, shared_bytes, inodes: 12 }
}

#[test]
fn what_worktrees_take() {
    let entry = |name, state| Entry { worktree: worktree(name, state), lease: None };
    let entries = [
        entry("quiet-fern", WorktreeState::Leased),
        entry("old-elm", WorktreeState::Kept),
        entry("bad-oak", WorktreeState::Quarantined),
    ];
    let usage = [
        Ok(used(5 << 20, Some(4 << 20))),
        Ok(used(2 << 20, Some(0))),
        Err("cannot look at `a\nb`: permission denied".to_owned()),
    ];
    insta::assert_snapshot!(strip_str(&list_usage(&entries, &usage, &view())), @r"
    NAME        STATE        UNIQUE   SHARED   APPARENT  FILES  PATH
    quiet-fern  leased       1.0 MiB  4.0 MiB  3.0 MiB   12     ~/shop.windrow/quiet-fern
    old-elm     kept         2.0 MiB  0 B      3.0 MiB   12     ~/shop.windrow/old-elm
    bad-oak     quarantined  ?        ?        ?         ?      ~/shop.windrow/bad-oak
    total                    3.0 MiB  4.0 MiB  6.0 MiB   24
    bad-oak is not in the total: cannot look at `a\nb`: permission denied
    ");
}

#[test]
fn what_a_pool_holds() {
    let status = PoolStatus {
        spares: Vec::new(),
        wanted: 0,
        in_use: 2,
        max: None,
        max_bytes: Some(4 << 20),
        filling: false,
        templates: Vec::new(),
    };
    let held = |count, usage| Holding { count, usage, untold: 0 };
    let holdings = Holdings {
        ready: held(0, Usage::default()),
        templates: held(1, used(1 << 20, Some(1 << 20))),
        in_use: held(2, used(5 << 20, Some(1 << 20))),
        rescues: Holding { untold: 1, ..held(3, used(1 << 20, Some(0))) },
        trash: held(1, used(2 << 20, None)),
    };
    insta::assert_snapshot!(strip_str(&pool_status(&status, Some(&holdings), &view())), @r"
    0 ready  0 wanted, 2 in use
    `windrow pool warm 4` makes some
    HELD       COUNT  UNIQUE   SHARED   APPARENT  FILES
    ready      0      0 B      0 B      0 B       0
    templates  1      0 B      1.0 MiB  3.0 MiB   12
    in use     2      4.0 MiB  1.0 MiB  3.0 MiB   12
    rescues    3      1.0 MiB  0 B      3.0 MiB   12
    trash      1      ?        ?        3.0 MiB   12
    total      7      ?        ?        12.0 MiB  48
    without 1 thing, whose size cannot be told
    pool.max_bytes allows 4.0 MiB; `windrow prune --to-budget` keeps to it
    ");
}

#[test]
fn an_empty_list_names_the_next_command() {
    insta::assert_snapshot!(list(&[], &view()).escape_debug(), @r"no worktrees; make one with \u{1b}[36mwindrow run -- CMD\u{1b}[0m\n");
}

#[test]
fn everything_about_a_worktree() {
    let details = Details {
        entry: Entry { worktree: worktree("quiet-fern", WorktreeState::Leased), lease: Some(lease()) },
        head: Some((oid("b"), None)),
        work: WorkSummary { commits: 1, files: 1, added: 2, deleted: 0 },
        uncommitted: 1,
        occupants: vec![Occupant { pid: 4_242, command: "claude".to_owned(), how: OccupiedBy::Cwd }],
        logs: vec!["/var/log/a.log".into()],
    };
    insta::assert_snapshot!(strip_str(&show(&details, &view())), @r"
    quiet-fern  leased
      path     ~/shop.windrow/quiet-fern
      branch   windrow/quiet-fern
      HEAD     bbbbbbbbbb  now detached
      base     aaaaaaaaaa  of main
      made     1h 1m ago
      lease    0192f0c0a1b27c3d8e4f5a6b7c8d9e0f  fence 42
      holder   pid 4242 for 3m 20s
      key      GH-12
      work     1 commit, 1 file, +2 -0
      unsaved  1 uncommitted path
      used by  4242 claude  stands in it
      log      /var/log/a.log
    ");
}

#[test]
fn a_lease_that_was_given() {
    insta::assert_snapshot!(strip_str(&acquired(&leased(), &view())), @r"
    quiet-fern  made
      branch   windrow/quiet-fern  at aaaaaaaaaa
      expires  in 59m
      carried  3 untracked paths, 1.5 KiB
      skipped  notes\u{1b}[2J  is a link out of the repository
      next     windrow release quiet-fern
    ");
}

#[test]
fn the_end_of_a_run() {
    let ran_ = Ran {
        leased: leased(),
        finished: finish(),
        landing: RanLanding::NotAsked,
        push: RanPush::NotAsked,
        released: full_release(),
    };
    insta::assert_snapshot!(strip_str(&ran(&ran_, &view())), @r"
    quiet-fern  removed
      branch   windrow/quiet-fern  3 commits, 5 files, +120 -8
      rescued  4 paths  windrow restore quiet-fern-7c8d9e0f
      dropped  target/, web/node_modules/  can be made again
      timeout  ended after 1m 30s
      ended    2 processes left behind: 4243 sleep, 4244 node
      log      ~/shop/.git/windrow/logs/quiet-fern.log
      next     git log -p aaaaaaaaaa..windrow/quiet-fern
    ");
}

#[test]
fn nothing_to_say_is_one_line() {
    insta::assert_snapshot!(strip_str(&released(&empty_release(), &view())), @"quiet-fern  removed, nothing was changed in it");
    let quiet = Finished { timed_out: false, stragglers: Vec::new(), log: None, ..finish() };
    assert_eq!(finished(&quiet, &view()), "");
}

#[test]
fn a_release_that_leaves_the_worktree_names_the_next_command() {
    let kept = Released {
        fate: WorktreeFate::Kept(now() + SignedDuration::from_mins(30)),
        rescue: None,
        unsaved: 2,
        dropped: Vec::new(),
        ..full_release()
    };
    insta::assert_snapshot!(strip_str(&released(&kept, &view())), @r"
    quiet-fern  kept for 30m
      branch   windrow/quiet-fern  3 commits, 5 files, +120 -8
      unsaved  2 uncommitted paths
      next     windrow shell quiet-fern
    ");
    let doubt =
        Released { fate: WorktreeFate::Quarantined("`.git` points elsewhere".to_owned()), ..empty_release() };
    insta::assert_snapshot!(strip_str(&released(&doubt, &view())), @r"
    quiet-fern  left in place: `.git` points elsewhere
      next  windrow show quiet-fern
    ");
}

#[test]
fn discarded_work_is_told() {
    let discarded = Released { unsaved: 2, ..empty_release() };
    insta::assert_snapshot!(strip_str(&released(&discarded, &view())), @r"
    quiet-fern  removed
      discarded  2 paths
    ");
}

#[test]
fn saved_work() {
    insta::assert_snapshot!(strip_str(&rescues(&[rescue_record()], &view())), @r"
    RESCUE               WORKTREE    BRANCH              PATHS  ARCHIVE  AGE
    quiet-fern-7c8d9e0f  quiet-fern  windrow/quiet-fern  4      2.0 KiB  1m 30s
    ");
    assert_eq!(rescues(&[], &view()), "no saved work\n");
    let details = RescueDetails {
        record: rescue_record(),
        paths: vec![
            RescuedPath { path: "src/main.rs".into(), place: RescuedWhere::Snapshot, size: None },
            RescuedPath { path: ".env\nx".into(), place: RescuedWhere::Archive, size: Some(1_536) },
        ],
    };
    insta::assert_snapshot!(strip_str(&rescue(&details, &view())), @r"
    quiet-fern-7c8d9e0f  saved 1m 30s ago
      worktree  quiet-fern
      HEAD      bbbbbbbbbb  windrow/quiet-fern
      snapshot  cccccccccc
      archive   ~/shop/.git/windrow/rescue/quiet-fern-7c8d9e0f.tar.zst  2.0 KiB
      paths     4 paths
      next      windrow restore quiet-fern-7c8d9e0f
        snapshot              src/main.rs
        archive      1.5 KiB  .env\nx
    ");
}

#[test]
fn an_event_is_a_line() {
    let new = |detail: &str| NewEvent {
        kind: EventKind::LeaseAcquired,
        worktree: Some("quiet-fern".parse().unwrap()),
        lease: None,
        detail: detail.to_owned(),
    };
    let line = |detail| strip_str(&event(&Event { seq: 1, at: ago(0), event: new(detail) })).to_string();
    insta::assert_snapshot!(line("by\tpid 12"), @r"2026-11-20 12:00:00Z  lease.acquired        quiet-fern  by\tpid 12");
    insta::assert_snapshot!(line(""), @"2026-11-20 12:00:00Z  lease.acquired        quiet-fern");
}

#[test]
fn the_configuration_tells_origins_when_asked() {
    let value =
        |key: &str, value: &str, origin| Value { key: key.to_owned(), value: value.to_owned(), origin };
    let values = [
        value("pool.ttl", "\"1h\"", Origin::Default),
        value("run.log", "\"always\"", Origin::User("/home/ada/.config/windrow/config.toml".into())),
    ];
    insta::assert_snapshot!(strip_str(&config(&values, Origins::Shown, &view())), @r#"
    pool.ttl = "1h"  # default
    run.log = "always"  # user: ~/.config/windrow/config.toml
    "#);
    assert_eq!(strip_str(&config(&values[..1], Origins::Hidden, &view())).to_string(), "pool.ttl = \"1h\"\n");
}

#[test]
fn a_problem_is_two_lines() {
    use crate::{errors::Problem, wire::Code};
    let told =
        Problem::told(Code::Busy, "worktree `x` is in use\nby \u{7}pid 1").hint("wait with `--wait 10m`");
    insta::assert_snapshot!(strip_str(&problem(&told)), @r"
    error: worktree `x` is in use
           by \u{7}pid 1
    hint: wait with `--wait 10m`
    ");
    insta::assert_snapshot!(problem(&Problem::usage("no")).escape_debug(), @r"\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no\n");
}

#[test]
fn drift_is_told_with_who_else_was_there() {
    let file = |path: &str| Drift::File { path: path.into(), change: Change::Changed, written_at: None };
    let mut drifted = empty_release();
    drifted.drift = vec![
        Drift::Value { what: Single::CoreBare, from: Some("false".into()), to: Some("true".into()) },
        file("src/\u{1b}[2J.rs"),
        Drift::Unchecked { why: "it is locked".to_owned() },
    ];
    drifted.meanwhile = vec![HeldThen {
        worktree: "bold-otter".parse().unwrap(),
        holder: Holder::Unbound,
        from: ago(60),
        until: None,
    }];
    insta::assert_snapshot!(strip_str(&released(&drifted, &view())), @r"
    quiet-fern  removed
      drift   `core.bare` changed from `false` to `true`
      drift   `src/\u{1b}[2J.rs` in the main checkout was changed
      drift   not compared: it is locked
      others  bold-otter (nobody watched)
    ");
    drifted.drift = (0..12).map(|number| file(&number.to_string())).collect();
    let text = strip_str(&released(&drifted, &view())).to_string();
    assert_eq!((text.lines().count(), text.contains("4 more changes")), (11, true), "{text}");
}

#[test]
fn what_stands_in_the_way_of_leaving_comes_with_its_commands() {
    let worktree = |name: &str, decision| windrow_model::DeinitWorktree {
        id: LEASE.parse().unwrap(),
        name: name.parse().unwrap(),
        path: format!("/home/ada/shop.windrow/{name}").into(),
        decision,
    };
    let plan = windrow_model::DeinitPlan {
        records: None,
        keeper: Some(7),
        worktrees: vec![
            worktree("quiet-fern", Err(windrow_model::DeinitObstacle::Unsaved(1))),
            worktree("moss", Ok(windrow_model::DeinitAction::HandBack)),
        ],
        rescues: Vec::new(),
        goes: vec!["/srv/repo/.git/windrow".into()],
        stays: vec!["/srv/repo.windrow/\u{1b}x".into()],
    };
    insta::assert_snapshot!(strip_str(&deinit_plan(&plan, &view())), @r"
    quiet-fern  holds 1 path of unsaved work  ~/shop.windrow/quiet-fern
                windrow release quiet-fern
    these stand in the way; nothing is removed before they are settled
    moss     handed back as it is  ~/shop.windrow/moss
    keeper   process 7 ends
    removed  /srv/repo/.git/windrow
    stays    /srv/repo.windrow/\u{1b}x  not windrow's
    ");
}
