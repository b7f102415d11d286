//! The arguments of `map`.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, ValueHint};
use windrow_core::{
    ops::{AcquireRequest, CarryRequest, Former, MapRequest, MapTask, OnFailure, Waiting},
    process::Cancel,
};
use windrow_model::{BatchId, parse_duration};

use super::{
    value::{self, ResultTarget},
    worktree::StrategyArg,
};

const WORKTREE: &str = "Worktree";
const COMMAND: &str = "Command";
const RESULT: &str = "Result";

/// Arguments of `map`.
#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// A file with a task on each line, as text or as a JSON object; `-` for standard input; or a directory, each file of which is
    /// one
    #[arg(value_name = "TASKS", value_hint = ValueHint::AnyPath)]
    pub(crate) tasks: PathBuf,
    /// How many at once
    #[arg(long, short, value_name = "N", default_value = "4")]
    pub(crate) jobs: NonZeroUsize,
    /// Begin no further task, and end those that run, once one has failed
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Go on where a former call with the same tasks and command, or the same --batch, was ended
    #[arg(long)]
    pub(crate) resume: bool,
    /// Name the batch, and its worktrees after it
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Option<BatchId>,
    /// Start from this branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REF", help_heading = WORKTREE)]
    pub(crate) base: Option<String>,
    /// Leave each worktree in place for this long afterwards
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = WORKTREE)]
    pub(crate) keep: Option<Duration>,
    /// Let a task wait for at most this long when the pool is full
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1h", help_heading = WORKTREE)]
    pub(crate) wait: Duration,
    /// Make the files in this way instead of the fastest
    #[arg(long, value_name = "WAY", value_enum, help_heading = WORKTREE)]
    pub(crate) strategy: Option<StrategyArg>,
    /// Take no untracked files along
    #[arg(long, help_heading = WORKTREE)]
    pub(crate) no_carry: bool,
    /// End each command after this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = COMMAND)]
    pub(crate) timeout: Option<Duration>,
    /// Try a task that failed so many times more, each time in a new worktree
    #[arg(long, value_name = "N", default_value_t, help_heading = COMMAND)]
    pub(crate) retries: u32,
    /// The pause before the first further try; it doubles each time, up to a minute
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s", help_heading = COMMAND)]
    pub(crate) backoff: Duration,
    /// Set a variable for each command; the value may have placeholders
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::key_value, help_heading = COMMAND)]
    pub(crate) env: Vec<(String, String)>,
    /// Give each command this text, which may have placeholders, on standard input
    #[arg(long, value_name = "TEXT", help_heading = COMMAND)]
    pub(crate) stdin: Option<OsString>,
    /// Write the results as JSON lines, in the order of the tasks, to a file or an open descriptor
    #[arg(
        long,
        help_heading = RESULT,
        value_name = "FILE|fd:N",
        value_parser = value::result_target(),
        value_hint = ValueHint::FilePath
    )]
    pub(crate) results: Option<ResultTarget>,
    /// Print each result as a JSON line as soon as it is there
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
    /// The command and its arguments, which may have placeholders
    #[arg(last = true, required = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

impl MapArgs {
    pub(crate) fn request(&self, batch: BatchId, tasks: Vec<MapTask>, cancel: Cancel) -> MapRequest {
        MapRequest {
            batch,
            tasks,
            jobs: self.jobs.get(),
            retries: self.retries,
            backoff: self.backoff,
            failure: if self.fail_fast { OnFailure::Stop } else { OnFailure::GoOn },
            former: if self.resume { Former::Resume } else { Former::Forget },
            acquire: AcquireRequest {
                base: self.base.clone(),
                waiting: Waiting::For(self.wait),
                keep: self.keep,
                carry: if self.no_carry { CarryRequest::Nothing } else { CarryRequest::Configured },
                ..AcquireRequest::default()
            },
            cancel,
        }
    }

    /// What these say that the configuration says as well.
    pub(crate) fn config(&self) -> Vec<(String, String)> {
        StrategyArg::config(self.strategy)
    }
}
