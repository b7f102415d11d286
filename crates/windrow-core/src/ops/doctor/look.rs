//! Looking at everything that may be wrong.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use windrow_model::{
    LeaveReason, ReconcileAction, ReconcilePlan, ReconcileStep, RecordsAction, RecordsSeen, UseSeen,
    WorktreeId, WorktreeRecord, WorktreeState, format_bytes,
};

use super::{Cure, Finding, FindingSubject, Severity, shared};
use crate::{
    fs as files, git,
    ops::{
        error::{ReconcileError, StateError, chain},
        holdings,
        liveness::{self, Standing},
        pool::Pool,
        reconcile, sweep,
    },
    process,
    store::LocalStore,
};

/// Lock files that git makes in the shared directory; nothing tells who made one.
const SHARED_LOCKS: [&str; 5] =
    ["index.lock", "config.lock", "packed-refs.lock", "HEAD.lock", "objects/maintenance.lock"];

/// Lock files that git makes in the directory of one worktree.
const OWN_LOCKS: [&str; 3] = ["index.lock", "HEAD.lock", "config.worktree.lock"];

pub(super) fn all(pool: &Pool) -> Result<Vec<Finding>, ReconcileError> {
    let mut findings = vec![git_program(pool)];
    let (seen, store) = reconcile::open(pool)?;
    let plan = reconcile::plan(pool)?;
    findings.push(records(pool, &seen, &plan));
    findings.extend(rescues(&plan));
    findings.extend(plan.steps.iter().filter_map(|step| difference(step, store.as_ref())));
    let known = store.as_ref().map_or_else(|| Ok(Vec::new()), |store| store.worktrees())?;
    for record in &known {
        findings.extend(held(pool, record)?);
        findings.extend(own_locks(pool, record)?);
    }
    findings.extend(unfinished_by_others(pool)?);
    findings.extend(shared_locks(pool)?);
    findings.extend(shared::findings(pool, store.as_ref()));
    findings.extend(trash(pool, &known));
    findings.extend(leftovers(pool)?);
    findings.push(space(pool));
    Ok(findings)
}

pub(super) fn finding(subject: FindingSubject, severity: Severity, text: impl Into<String>) -> Finding {
    Finding { subject, severity, text: text.into(), next: None, cure: None }
}

impl Finding {
    pub(super) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    pub(super) fn cure(self, cure: Cure) -> Self {
        Self { cure: Some(cure), ..self }
    }
}

fn git_program(pool: &Pool) -> Finding {
    match git::version(&pool.git) {
        Ok(version) => finding(FindingSubject::Git, Severity::Fine, format!("git {version}")),
        Err(error) => finding(FindingSubject::Git, Severity::Problem, chain(&error))
            .next(format!("install git {} or newer", git::MINIMUM_VERSION)),
    }
}

fn records(pool: &Pool, seen: &RecordsSeen, plan: &ReconcilePlan) -> Finding {
    let place = pool.state_dir().display();
    let bad =
        |text: String| finding(FindingSubject::Records, Severity::Problem, text).next("windrow reconcile");
    match seen {
        RecordsSeen::Whole => {
            finding(FindingSubject::Records, Severity::Fine, format!("records in `{place}`"))
        }
        RecordsSeen::Missing if plan.records == RecordsAction::Keep => {
            finding(FindingSubject::Records, Severity::Fine, "no records yet")
        }
        RecordsSeen::Missing => bad(format!("the records in `{place}` are gone")).cure(Cure::Reconcile),
        RecordsSeen::Damaged(why) => {
            bad(format!("the records in `{place}` cannot be used: {why}")).cure(Cure::Reconcile)
        }
        // Only the user knows which of the two is meant to go on.
        RecordsSeen::Copied => {
            bad(format!("the records in `{place}` belong to the repository that this one is a copy of"))
        }
    }
}

fn rescues(plan: &ReconcilePlan) -> Option<Finding> {
    let moved = plan.archives.len();
    let text = format!("{moved} archives of saved work lie elsewhere than recorded");
    let found = finding(FindingSubject::Rescue, Severity::Problem, text);
    (moved > 0).then(|| found.next("windrow reconcile").cure(Cure::Reconcile))
}

/// What a step of the plan says of its worktree.
fn difference(step: &ReconcileStep, store: Option<&LocalStore>) -> Option<Finding> {
    let name = &step.worktree.name;
    let path = step.worktree.path.display();
    let told = |severity, text: String| finding(FindingSubject::Worktree, severity, text);
    match step.action {
        ReconcileAction::Leave(LeaveReason::InUse | LeaveReason::NotOurs) => None,
        ReconcileAction::Leave(LeaveReason::LockedByUser) => {
            let text = format!("worktree `{name}` is locked with `git worktree lock`, so it stays");
            Some(told(Severity::Note, text).next(format!("git worktree unlock {path}")))
        }
        ReconcileAction::Leave(LeaveReason::OutOfSight) => {
            let text = format!("worktree `{name}` cannot be seen at `{path}`: is its file system mounted?");
            Some(told(Severity::Note, text))
        }
        ReconcileAction::Leave(LeaveReason::InOrder | LeaveReason::SetAside) => {
            if step.worktree.situation.record != Some(WorktreeState::Quarantined) {
                return None;
            }
            let record = store.and_then(|store| store.worktree(step.worktree.id).ok().flatten());
            let doubt =
                record.and_then(|record| record.doubt).unwrap_or_else(|| "no reason is recorded".to_owned());
            let text = format!("worktree `{name}` is quarantined: {doubt}");
            Some(
                told(Severity::Problem, text)
                    .next(format!("look at `{path}`, then `windrow release {name}`")),
            )
        }
        _ => {
            let text = format!("worktree `{name}` and its record, registration or files disagree");
            let found = told(Severity::Problem, text).next("windrow reconcile --dry-run");
            Some(found.cure(Cure::Reconcile))
        }
    }
}

fn held(pool: &Pool, record: &WorktreeRecord) -> Result<Option<Finding>, ReconcileError> {
    let lock = pool.worktree_lock_path(&record.id);
    // Looking for the process reads all of /proc.
    if process::is_free(&lock).map_err(StateError::from)? != process::LockState::Held {
        return Ok(None);
    }
    let unreadable = |source| StateError::Io { path: lock.clone(), source };
    let holders = process::holders_of(&lock).map_err(unreadable)?;
    if holders.is_empty() {
        return Ok(None);
    }
    let pids: Vec<_> = holders.iter().map(|holder| holder.pid.to_string()).collect();
    let text = format!("worktree `{}` is being worked on by process {}", record.name, pids.join(", "));
    Ok(Some(finding(FindingSubject::Held, Severity::Note, text)))
}

fn is_there(path: &Path) -> Result<bool, ReconcileError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(ReconcileError::Io { path: path.to_owned(), source }),
    }
}

/// Locks of git in a worktree of ours: whoever had the worktree made them.
fn own_locks(pool: &Pool, record: &WorktreeRecord) -> Result<Vec<Finding>, ReconcileError> {
    let mut findings = Vec::new();
    let admin = &record.admin;
    let ours = git::admin_facts(admin)
        .is_ok_and(|facts| facts.identity_token.is_some_and(|token| token == record.id.to_string()));
    if !ours {
        return Ok(findings);
    }
    for path in OWN_LOCKS.map(|name| admin.join(name)) {
        if !is_there(&path)? {
            continue;
        }
        let text = format!("git's lock `{}` in worktree `{}`", path.display(), record.name);
        let locked = process::is_free(&pool.worktree_lock_path(&record.id)).map_err(StateError::from)?;
        let working = locked == process::LockState::Held;
        findings.push(if working || !owner_is_dead(pool, record.id)? {
            finding(FindingSubject::GitLock, Severity::Note, format!("{text}; somebody uses the worktree"))
        } else {
            finding(FindingSubject::GitLock, Severity::Problem, format!("{text}; whoever made it is dead"))
                .next("windrow doctor --fix")
                .cure(Cure::RemoveLock { path, worktree: record.id })
        });
    }
    Ok(findings)
}

/// No lease of the worktree lives, and no process is in its files or its administrative directory.
pub(super) fn owner_is_dead(pool: &Pool, id: WorktreeId) -> Result<bool, ReconcileError> {
    let (_, Some(store)) = reconcile::open(pool)? else { return Ok(false) };
    let Some(record) = store.worktree(id)? else { return Ok(false) };
    let used = reconcile::use_of(pool, Some(&store), &record, Standing::HoldsLock)?;
    let unreadable = |source| StateError::Liveness { pid: std::process::id(), source };
    let admin = match is_there(&record.admin)? {
        true => process::occupants(&record.admin, &[std::process::id()]).map_err(unreadable)?,
        false => Vec::new(),
    };
    let inside = admin
        .iter()
        .any(|one| !matches!(one.how, process::OccupiedBy::OtherUser | process::OccupiedBy::Unreadable));
    Ok(used == UseSeen::Free && !inside && liveness::occupants(&record)?.is_empty())
}

/// What git leaves when it is killed while it adds a worktree; ours are never locked so.
fn unfinished_by_others(pool: &Pool) -> Result<Vec<Finding>, ReconcileError> {
    let registry = pool.repository().common_dir.join("worktrees");
    let entries = match fs::read_dir(&registry) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| ReconcileError::Io { path: registry, source })?,
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let stuck = paths.filter(|path| {
        git::admin_facts(path).is_ok_and(|facts| {
            facts.identity_token.is_none() && facts.locked.is_some_and(|reason| reason == "initializing")
        })
    });
    let told = |path: PathBuf| {
        let text = format!(
            "`{}` was left by a `git worktree add` that did not finish, or still runs",
            path.display()
        );
        let next = "when no git runs: `git worktree list`, `git worktree unlock`, `git worktree remove`";
        finding(FindingSubject::Worktree, Severity::Note, text).next(next)
    };
    Ok(stuck.map(told).collect())
}

fn shared_locks(pool: &Pool) -> Result<Vec<Finding>, ReconcileError> {
    let mut findings = Vec::new();
    for path in SHARED_LOCKS.map(|name| pool.repository().common_dir.join(name)) {
        if is_there(&path)? {
            let text = format!("git's lock `{}`: another program runs, or left it behind", path.display());
            let next = format!("when no git runs: rm {}", path.display());
            findings.push(finding(FindingSubject::GitLock, Severity::Problem, text).next(next));
        }
    }
    Ok(findings)
}

fn trash(pool: &Pool, known: &[WorktreeRecord]) -> Vec<Finding> {
    let full = sweep::directories(pool, known).into_iter().filter(|trash| files::has_trash(trash));
    let told = |trash: PathBuf| {
        let held = holdings::of_trash(&trash);
        let things = if held.count == 1 { "1 thing".to_owned() } else { format!("{} things", held.count) };
        let bytes = match held.untold {
            0 => format_bytes(held.usage.allocated_bytes),
            _ => "of a size that cannot be told".to_owned(),
        };
        let who = match sweep::is_at_work(&trash) {
            true => "a process in the background is deleting them",
            false => "the next command that changes something goes on deleting them",
        };
        let text = format!("{things} thrown away ({bytes}) in `{}`: {who}", trash.display());
        finding(FindingSubject::Trash, Severity::Note, text).cure(Cure::EmptyTrash(trash))
    };
    full.map(told).collect()
}

fn leftovers(pool: &Pool) -> Result<Vec<Finding>, ReconcileError> {
    let entries = match fs::read_dir(pool.state_dir()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => {
            entries.map_err(|source| ReconcileError::Io { path: pool.state_dir().to_owned(), source })?
        }
    };
    let mut findings = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let swept = ["new-", "old-", "tmp-"].iter().any(|prefix| name.starts_with(prefix));
        let aside = name.starts_with("state.db.aside-") && !name.ends_with("-wal") && !name.ends_with("-shm");
        let text = match (swept, aside) {
            (true, _) => {
                format!("`{}` is under way, or a crash left it; it goes when it is a day old", path.display())
            }
            (_, true) => format!(
                "`{}` holds records that could not be used; delete it when nobody needs it",
                path.display()
            ),
            _ => continue,
        };
        findings.push(finding(FindingSubject::Leftover, Severity::Note, text));
    }
    Ok(findings)
}

fn space(pool: &Pool) -> Finding {
    match files::space(pool.root(), 0) {
        Ok(guard)
            if guard.free_inodes == Some(0) || guard.free_bytes < pool.settings().pool.min_free_bytes =>
        {
            let text = format!("only {} free on the disk", format_bytes(guard.free_bytes));
            finding(FindingSubject::Space, Severity::Problem, text).next("free some space")
        }
        Ok(guard) => finding(
            FindingSubject::Space,
            Severity::Fine,
            format!("{} free on the disk", format_bytes(guard.free_bytes)),
        ),
        Err(error) => finding(FindingSubject::Space, Severity::Problem, chain(&error)),
    }
}
