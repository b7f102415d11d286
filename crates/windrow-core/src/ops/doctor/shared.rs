//! Looking at what is everybody's: what is wrong for certain, and what is not as it was when a lease was given.

use windrow_model::{Drift, Single};

use super::{Cure, Finding, FindingSubject, Severity, look::finding};
use crate::{
    ops::{
        error::{StateError, chain},
        guard::{self, DriftRepair, LeaseDrift},
        liveness,
        outcome::HeldThen,
        pool::Pool,
    },
    store::LocalStore,
};

/// More could nobody read.
const CHANGES: usize = 8;

/// What cannot be looked at is a finding as well. Without records nobody was lent a worktree, and what is set is the user's.
pub(super) fn findings(pool: &Pool, store: Option<&LocalStore>) -> Vec<Finding> {
    let Some(store) = store else { return Vec::new() };
    let mut findings = match guard::plan_drift_repairs(pool) {
        Ok(repairs) => repairs.into_iter().map(|repair| wrong(pool, store, repair)).collect(),
        Err(error) => vec![unseen(&error)],
    };
    match guard::drift(pool) {
        Ok(drifted) => findings.extend(drifted.into_iter().map(differing)),
        Err(error) => findings.push(unseen(&error)),
    }
    findings
}

fn unseen(error: &dyn std::error::Error) -> Finding {
    finding(FindingSubject::Shared, Severity::Problem, chain(error))
}

fn wrong(pool: &Pool, store: &LocalStore, repair: DriftRepair) -> Finding {
    let text = match &repair {
        DriftRepair::NotBare { root } => {
            format!("`core.bare` is true, but `{}` is the main checkout", root.display())
        }
        DriftRepair::OwnWorktree { root, value } => {
            format!("`core.worktree` is `{value}`, but `{}` is the main checkout", root.display())
        }
    };
    let then = held_when_written(pool, store)
        .unwrap_or_else(|error| format!("; who was there then cannot be told: {}", chain(&error)));
    finding(FindingSubject::Shared, Severity::Problem, text + &then).cure(Cure::RepairConfig(repair))
}

/// Who had a worktree when the shared configuration was last written.
fn held_when_written(pool: &Pool, store: &LocalStore) -> Result<String, StateError> {
    let Some(at) = guard::config_written_at(pool) else { return Ok(String::new()) };
    let held = guard::held_at(store, at)?;
    let who = if held.is_empty() { "nobody had a worktree".to_owned() } else { in_words(&held) };
    Ok(format!("; when that was written, at {at:.0}, {who}"))
}

fn in_words(held: &[HeldThen]) -> String {
    let one = |held: &HeldThen| format!("{} had `{}`", liveness::name_holder(&held.holder), held.worktree);
    held.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What differs since a lease was given: a fact, whoever did it, and so nothing to cure.
fn differing(drifted: LeaseDrift) -> Finding {
    let LeaseDrift { lease, worktree, drift, meanwhile } = drifted;
    let mut told: Vec<_> = drift.iter().take(CHANGES).map(ToString::to_string).collect();
    told.extend((drift.len() > CHANGES).then(|| format!("{} more changes", drift.len() - CHANGES)));
    let holder = liveness::name_holder(&lease.holder);
    let others =
        if meanwhile.is_empty() { String::new() } else { format!("; meanwhile {}", in_words(&meanwhile)) };
    let text = format!("since {holder} got worktree `{worktree}`: {}{others}", told.join(", "));
    let note = finding(FindingSubject::Shared, Severity::Note, text);
    match drift.iter().find_map(undo_hooks_path) {
        Some(next) => note.next(next),
        None => note,
    }
}

/// Another directory of hooks may be meant, so only the user can say.
fn undo_hooks_path(drift: &Drift) -> Option<String> {
    match drift {
        Drift::Value { what: Single::CoreHooksPath, from, .. } => Some(match from {
            Some(from) => format!("if nobody meant it: git config --local core.hooksPath '{from}'"),
            None => "if nobody meant it: git config --local --unset core.hooksPath".to_owned(),
        }),
        _ => None,
    }
}
