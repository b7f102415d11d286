//! Tests that run with one strategy: every windrow they start makes worktrees by it, from a template that each repository gets first.

use std::ffi::OsStr;

use crate::{Outcome, TestRepo, skipped};

/// The variable that names the strategy; without it windrow makes worktrees as it does by itself.
pub const STRATEGY: &str = "WINDROW_TESTKIT_STRATEGY";

/// The one that does without a template.
const CHECKOUT: &str = "checkout";

/// Returns the strategy that the tests run with.
pub(crate) fn wanted() -> Option<String> {
    std::env::var(STRATEGY).ok().filter(|strategy| !strategy.is_empty())
}

/// Tells whether something that lies beside worktrees was made by the kit and not by the test.
pub fn is_template_of_the_kit(name: &OsStr) -> bool {
    wanted().is_some() && name.as_encoded_bytes().starts_with(b".template-")
}

/// Makes the template, and sees that the next worktree is made by the strategy.
///
/// # Panics
///
/// Panics when it would be made by another one: the tests would prove nothing.
#[track_caller]
pub(crate) fn prepare(repo: &TestRepo) {
    let Some(wanted) = wanted() else { return };
    if !repo.has_program() {
        return;
    }
    let run = |words: &[&str]| -> Outcome { repo.windrow(words).run().assert_success() };
    if wanted != CHECKOUT {
        run(&["pool", "template", "--quiet"]);
    }
    let told = run(&["doctor", "--strategies", "--json"]).json();
    assert_eq!(told["next"], wanted.as_str(), "the strategy of the next worktree: {told:#}");
}

/// Says that a repository has nothing to make a template of.
pub(crate) fn nothing_to_prepare() {
    if let Some(wanted) = wanted().filter(|wanted| wanted != CHECKOUT) {
        skipped(&format!("strategy {wanted}: a repository without a commit has no template"));
    }
}
