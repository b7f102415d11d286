//! What is wrong with a pool, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Cured, FindingSubject};

use super::{V1, answer::Fate};

/// Everything that was looked at, what is fine included (`doctor`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DoctorDocument {
    v: V1,
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct Finding {
    /// What it is about: `git`, `records`, `held`, `worktree`, `rescue`, `trash`, `leftover`, `git_lock`,
    /// `shared` or `space`.
    about: &'static str,
    severity: Severity,
    /// What was found, for people.
    text: String,
    /// What to do next, for people.
    next: Option<String>,
    /// What `--fix` does about it: `reconcile`, `remove_lock`, `empty_trash`, `repair_config`; null when nothing.
    cure: Option<&'static str>,
    /// What became of that; null when nothing was tried.
    fate: Option<Fate>,
}

/// How much a finding matters.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Something has to be done.
    Problem,
}

impl DoctorDocument {
    pub(crate) fn new(findings: &[ops::Finding], fates: &[Option<Cured>]) -> Self {
        let findings = findings.iter().zip(fates).map(|(finding, fate)| Finding {
            about: about(finding.subject),
            severity: match finding.severity {
                ops::Severity::Fine => Severity::Fine,
                ops::Severity::Note => Severity::Note,
                ops::Severity::Problem => Severity::Problem,
            },
            text: finding.text.clone(),
            next: finding.next.clone(),
            cure: finding.cure.as_ref().map(|cure| match cure {
                ops::Cure::Reconcile => "reconcile",
                ops::Cure::RemoveLock { .. } => "remove_lock",
                ops::Cure::EmptyTrash(_) => "empty_trash",
                ops::Cure::RepairConfig(_) => "repair_config",
            }),
            fate: fate.clone().map(|fate| match fate {
                Ok(detail) => Fate::Done { detail },
                Err(detail) => Fate::Left { detail },
            }),
        });
        Self { v: V1::HERE, findings: findings.collect() }
    }
}

fn about(subject: FindingSubject) -> &'static str {
    match subject {
        FindingSubject::Git => "git",
        FindingSubject::Records => "records",
        FindingSubject::Held => "held",
        FindingSubject::Worktree => "worktree",
        FindingSubject::Rescue => "rescue",
        FindingSubject::Trash => "trash",
        FindingSubject::Leftover => "leftover",
        FindingSubject::GitLock => "git_lock",
        FindingSubject::Shared => "shared",
        FindingSubject::Space => "space",
    }
}
