//! Looking at everything that counts against a budget of unique bytes, and freeing what was thrown away.

use std::path::Path;

use windrow_model::{
    BudgetSeen, PrunableSpare, PrunableTemplate, PrunableTrash, PruneSnapshot, RescueRecord, StayReason,
    Usage, WorktreeRecord, WorktreeState,
};

use super::{PruneFate, look};
use crate::{
    fs::UsageError,
    ops::{
        error::{PruneError, StateError, chain},
        holdings,
        pool::Pool,
        sweep,
        template::{self, Template},
        warm,
    },
};

/// Adds to what was found the bytes that only each thing holds, and what else counts.
pub(super) fn measure(
    pool: &Pool,
    records: &[WorktreeRecord],
    rescues: &[RescueRecord],
    found: &mut PruneSnapshot,
) -> Result<(), PruneError> {
    let mut seen =
        BudgetSeen { trash: trash(pool, records), templates: templates(pool), ..BudgetSeen::default() };
    for record in records {
        let unique = told(holdings::of_worktree(pool, record));
        let listed = found.worktrees.iter_mut().find(|one| one.id == record.id);
        match (listed, record.state, unique) {
            (Some(listed), ..) => listed.unique = unique,
            (None, WorktreeState::Idle, _) => seen.spares.push(spare(pool, record, unique)?),
            (None, _, Some(unique)) => seen.fixed = seen.fixed.saturating_add(unique),
            (None, _, None) => seen.untold += 1,
        }
    }
    for one in &mut found.rescues {
        let record = rescues.iter().find(|record| record.id == one.id);
        let archive = record.and_then(|record| record.archive.as_deref());
        one.unique = told(archive.map_or(Ok(Usage::default()), holdings::of_path));
    }
    found.budget = Some(seen);
    Ok(())
}

fn told(measured: Result<Usage, UsageError>) -> Option<u64> {
    measured.ok().map(|usage| usage.charged_bytes())
}

fn spare(pool: &Pool, record: &WorktreeRecord, unique: Option<u64>) -> Result<PrunableSpare, StateError> {
    Ok(PrunableSpare {
        id: record.id,
        name: record.name.clone(),
        path: warm::spare::directory(record),
        unique,
        since: record.created_at,
        usable: warm::can_be_handed_out(pool, record),
        obstacle: look::is_locked(pool, record)?.then_some(StayReason::AtWork),
    })
}

fn templates(pool: &Pool) -> Vec<PrunableTemplate> {
    let serving = template::serving(pool);
    let one = |template: Template| PrunableTemplate {
        commit: template.commit,
        unique: told(holdings::of_template(&template)),
        since: template.made_at,
        serves: serving.contains(&template),
        path: template.root,
    };
    template::templates(pool).into_iter().map(one).collect()
}

fn trash(pool: &Pool, records: &[WorktreeRecord]) -> Vec<PrunableTrash> {
    let directories = sweep::directories(pool, records).into_iter();
    let measured = directories.map(|path| (holdings::of_trash(&path), path));
    let full = measured.filter(|(held, _)| held.count > 0 || held.untold > 0);
    let one = |(held, path): (holdings::Holding, _)| PrunableTrash {
        path,
        unique: (held.untold == 0).then(|| held.usage.charged_bytes()),
    };
    full.map(one).collect()
}

/// Deletes what waits in a trash directory.
pub(super) fn empty(trash: &Path) -> PruneFate {
    match sweep::empty_now(trash) {
        Ok(Some(report)) if report.failures.is_empty() => PruneFate::Done { rescue: None },
        Ok(Some(report)) => PruneFate::Skipped(format!("{} could not be deleted", report.failures.len())),
        Ok(None) => PruneFate::Skipped("somebody else is still deleting it".to_owned()),
        Err(error) => PruneFate::Skipped(chain(&error)),
    }
}

/// Deletes what the steps of a plan threw away, and tells how many unique bytes are held now.
pub(super) fn settle(pool: &Pool, records: &[WorktreeRecord]) -> Result<u64, StateError> {
    for trash in sweep::directories(pool, records) {
        if let PruneFate::Skipped(why) = empty(&trash) {
            tracing::warn!(%why, trash = %trash.display(), "the trash waits for the next command");
        }
    }
    Ok(holdings::measure(pool)?.total().usage.charged_bytes())
}
