//! `windrow doctor`.

use windrow_core::ops::{self, Cured, Finding, Pool, Severity};

use super::{Context, Form};
use crate::{
    args::DoctorArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{DoctorDocument, StrategiesDocument},
};

/// Tells what is wrong, and with `--fix` does what has one right answer.
pub(super) fn doctor(context: &mut Context, args: &DoctorArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    if args.strategies {
        return strategies(context, &pool, Form::from(args.json));
    }
    let findings = ops::examine(&pool)?;
    let fates = if args.fix && !args.dry_run {
        let mut progress = Progress::new(&mut context.console);
        let fates = ops::cure(&pool, &findings, &mut progress);
        progress.finish();
        fates
    } else {
        vec![None; findings.len()]
    };
    match Form::from(args.json) {
        Form::Json => context.document(&DoctorDocument::new(&findings, &fates))?,
        Form::Human => context.text(&render::doctor(&findings, &fates))?,
    }
    let wrong = findings.iter().zip(&fates).any(|(finding, fate)| is_wrong(finding, fate.as_ref()));
    Ok(if wrong { Exit::FAILURE } else { Exit::OK })
}

fn strategies(context: &mut Context, pool: &Pool, form: Form) -> Result<Exit, Problem> {
    let found = ops::strategies(pool)?;
    match form {
        Form::Json => context.document(&StrategiesDocument::from(&found))?,
        Form::Human => context.text(&render::strategies(&found, &context.view()))?,
    }
    Ok(Exit::OK)
}

fn is_wrong(finding: &Finding, fate: Option<&Cured>) -> bool {
    finding.severity == Severity::Problem && !fate.is_some_and(Result::is_ok)
}
