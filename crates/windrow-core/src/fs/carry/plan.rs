//! Decides what is carried, by looking at the main worktree and writing nothing.

use std::os::fd::OwnedFd;

use bstr::{BStr, BString, ByteSlice};
use rustix::{fs::FileType, io::Errno};
use windrow_model::{DirectorySigns, disposable_directory};

use super::{
    Candidate, CarryError, CarryPlan, CarryRequest, GitStanding, PlannedCarry, PlannedKind, SkipReason, at,
    patterns::Wanted,
};
use crate::fs::PathKind;

/// Decides what is carried.
///
/// `candidates` are the untracked paths of the main worktree, files one by one or directories that are wholly untracked
/// and wholly of one standing (`git ls-files -o -z --exclude-standard` and `git ls-files -o -i --exclude-standard
/// --directory -z`). Directories that are build output are searched only when they are asked for themselves.
///
/// # Errors
/// Something asked for cannot be read, or there is more than the limit.
pub fn plan_carry(request: &CarryRequest<'_>, candidates: &[Candidate]) -> Result<CarryPlan, CarryError> {
    let root = at::open_root(request.from).map_err(|source| CarryError::read(b"", source))?;
    let mut planner = Planner { request, root, plan: CarryPlan::default(), waiting: Vec::new() };
    planner.waiting = candidates.iter().map(Planner::top).collect();
    while let Some(node) = planner.waiting.pop() {
        planner.visit(&node)?;
    }
    let mut plan = planner.plan;
    plan.items.sort_by(|a, b| a.path.cmp(&b.path));
    plan.items.dedup_by(|a, b| a.path == b.path);
    plan.skipped.sort();
    plan.skipped.dedup();
    plan.bytes = plan.items.iter().fold(0, |sum, item| item.bytes.saturating_add(sum));
    within_limit(plan, request.max_bytes)
}

fn within_limit(plan: CarryPlan, limit: u64) -> Result<CarryPlan, CarryError> {
    let largest = plan.items.iter().max_by_key(|item| item.bytes).map(|item| item.path.clone());
    match largest {
        Some(largest) if plan.bytes > limit => {
            Err(CarryError::TooLarge { bytes: plan.bytes, limit, largest })
        }
        _ => Ok(plan),
    }
}

/// A path still to be judged.
struct Node {
    path: BString,
    standing: GitStanding,
    /// Whether the names beside it say that it is build output.
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Yes,
    No,
    /// Its parent was not listed.
    Unknown,
}

struct Planner<'a> {
    request: &'a CarryRequest<'a>,
    root: OwnedFd,
    plan: CarryPlan,
    waiting: Vec<Node>,
}

impl Planner<'_> {
    fn top(candidate: &Candidate) -> Node {
        let path = candidate.path.trim_end_with(|char| char == '/').into();
        Node { path, standing: candidate.standing, output: Output::Unknown }
    }

    fn visit(&mut self, node: &Node) -> Result<(), CarryError> {
        let path = node.path.as_bstr();
        let looked = match at::look_beneath(&self.root, path) {
            Ok(looked) => looked,
            // It went away since git listed it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(CarryError::read(path, error)),
        };
        let directory = looked.kind().is_dir();
        let kind = if directory { PathKind::Directory } else { PathKind::File };
        let wanted = self.request.patterns.judge(path, kind, node.standing);
        if self.is_never(path) {
            self.skip_asked(path, wanted, SkipReason::Never);
        } else if looked.mount {
            self.skip_asked(path, wanted, SkipReason::Mount);
        } else if wanted != Wanted::Excluded && directory {
            self.visit_directory(node, wanted)?;
        } else if matches!(wanted, Wanted::Copy | Wanted::Link) {
            self.take_leaf(path, wanted, &looked)?;
        }
        Ok(())
    }

    fn is_never(&self, path: &BStr) -> bool {
        let full = at::below(self.request.from, path);
        full == self.request.to || self.request.never.contains(&full)
    }

    fn skip_asked(&mut self, path: &BStr, wanted: Wanted, reason: SkipReason) {
        if matches!(wanted, Wanted::Copy | Wanted::Link) {
            self.plan.skipped.push((path.to_owned(), reason));
        }
    }

    fn take(&mut self, path: &BStr, kind: PlannedKind, bytes: u64) {
        self.plan.items.push(PlannedCarry { path: path.to_owned(), kind, bytes });
    }

    fn visit_directory(&mut self, node: &Node, wanted: Wanted) -> Result<(), CarryError> {
        let path = node.path.as_bstr();
        if wanted == Wanted::Unasked && !self.worth_searching(node) {
            return Ok(());
        }
        let names = match at::open_dir(&self.root, path).and_then(at::names) {
            Ok(names) => names,
            Err(error) if wanted == Wanted::Unasked && cannot_enter(&error) => {
                self.plan.skipped.push((path.to_owned(), SkipReason::Unreadable));
                return Ok(());
            }
            Err(error) => return Err(CarryError::read(path, error)),
        };
        if names.iter().any(|(name, _)| name == b".git") {
            self.skip_asked(path, wanted, SkipReason::Repository);
            return Ok(());
        }
        match wanted {
            Wanted::Link => {
                self.take(path, PlannedKind::Link, 0);
                return Ok(());
            }
            Wanted::Copy => self.take(path, PlannedKind::Directory, 0),
            Wanted::Unasked | Wanted::Excluded => {}
        }
        self.push_children(node, &names);
        Ok(())
    }

    fn push_children(&mut self, node: &Node, names: &[(Vec<u8>, FileType)]) {
        let siblings = names.iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>();
        for name in &siblings {
            let signs = DirectorySigns { name, siblings: &siblings, cache_tag: false };
            let output = if disposable_directory(&signs).is_some() { Output::Yes } else { Output::No };
            let path = at::join(&node.path, name).into();
            self.waiting.push(Node { path, standing: node.standing, output });
        }
    }

    fn worth_searching(&self, node: &Node) -> bool {
        self.request.patterns.reach_below()
            && match node.output {
                Output::Yes => false,
                Output::No => true,
                Output::Unknown => !self.is_output(&node.path),
            }
    }

    /// Tells by the names beside a directory whether it is build output; when they cannot be read it is searched.
    fn is_output(&self, path: &[u8]) -> bool {
        let (parent, name) = at::split(path);
        let names = at::open_dir(&self.root, parent).and_then(at::names).unwrap_or_default();
        let siblings = names.iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>();
        disposable_directory(&DirectorySigns { name, siblings: &siblings, cache_tag: false }).is_some()
    }

    fn take_leaf(&mut self, path: &BStr, wanted: Wanted, looked: &at::Looked) -> Result<(), CarryError> {
        match (looked.kind(), wanted) {
            (FileType::RegularFile, Wanted::Link) => self.take(path, PlannedKind::Link, 0),
            (FileType::RegularFile, _) => self.take(path, PlannedKind::File, looked.stat.size),
            (FileType::Symlink, _) => self.take_symlink(path, wanted)?,
            _ => self.skip_asked(path, wanted, SkipReason::Special),
        }
        Ok(())
    }

    fn take_symlink(&mut self, path: &BStr, wanted: Wanted) -> Result<(), CarryError> {
        let (parent, name) = at::split(path);
        let read = at::open_dir(&self.root, parent).and_then(|parent| at::read_link(parent, name));
        let target = read.map_err(|source| CarryError::read(path, source))?;
        if leads_out(&self.root, parent, &target) {
            self.skip_asked(path, wanted, SkipReason::LeadsOut);
        } else if wanted == Wanted::Link {
            self.take(path, PlannedKind::Link, 0);
        } else {
            self.take(path, PlannedKind::Symlink(target.into()), 0);
        }
        Ok(())
    }
}

fn cannot_enter(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM))
}

/// Tells whether a link leads out of the repository, by its text or through other links; what cannot be told does.
fn leads_out(root: &OwnedFd, parent: &[u8], target: &[u8]) -> bool {
    let full = at::join(parent, target);
    target.starts_with(b"/") || climbs_out(&full) || at::resolves_outside(root, &full)
}

/// Tells by text alone whether a relative path climbs above its start.
fn climbs_out(path: &[u8]) -> bool {
    let mut depth = 0_i64;
    path.split(|&byte| byte == b'/').any(|part| {
        depth += match part {
            b"" | b"." => 0,
            b".." => -1,
            _ => 1,
        };
        depth < 0
    })
}
