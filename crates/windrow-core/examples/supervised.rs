//! Runs a command under supervision and writes down what became of it; the process tests drive it.
//!
//! `supervised RESULT [option VALUE]… -- PROGRAM [ARG]…`, options `occupancy`, `timeout-ms`, `grace-ms`, `tee`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use windrow_core::process::{
    Ended, Input, Output, Started, SuperviseError, SuperviseRequest, TeeTarget, reaper, supervise,
};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next().unwrap_or_default();
    if first == "__reaper" {
        return reaper::main(args);
    }
    let result = PathBuf::from(first);
    let request = request(args);
    let ended = supervise(request, &mut |started| write_started(&result, started));
    write_ended(&result, &ended);
    if result.with_extension("linger").exists() {
        // Longer than any test; the signal that the test sends ends it.
        std::thread::sleep(Duration::from_secs(60));
    }
    ExitCode::SUCCESS
}

fn request(mut args: impl Iterator<Item = OsString>) -> SuperviseRequest {
    #[expect(clippy::disallowed_methods, reason = "the edge of this program")]
    let (env, cwd) = (std::env::vars_os().collect(), std::env::current_dir());
    let mut request = SuperviseRequest {
        helper: std::env::current_exe().expect("the path of this program"),
        helper_args: vec!["__reaper".into()],
        program: OsString::new(),
        args: Vec::new(),
        cwd: cwd.expect("a current directory"),
        env,
        occupancy: None,
        timeout: None,
        grace: SuperviseRequest::DEFAULT_GRACE,
        input: Input::Inherit,
        output: Output::Inherit,
        cancel: None,
    };
    while let Some(option) = args.next().filter(|option| option != "--") {
        let value = args.next().expect("a value");
        set(&mut request, option.to_str().expect("an option"), value);
    }
    request.program = args.next().expect("a program");
    request.args = args.collect();
    request
}

fn set(request: &mut SuperviseRequest, option: &str, value: OsString) {
    let millis = |value: OsString| {
        let number = value.to_str().and_then(|text| text.parse().ok());
        Duration::from_millis(number.expect("a number"))
    };
    match option {
        "occupancy" => request.occupancy = Some(value.into()),
        "timeout-ms" => request.timeout = Some(millis(value)),
        "grace-ms" => request.grace = millis(value),
        "tee" => {
            request.output = Output::Tee(TeeTarget { path: value.into(), max_bytes: 10_000, keep: 2 });
        }
        _ => panic!("no such option: {option}"),
    }
}

/// Appears at once and whole, so that whoever polls for it can read it.
fn write_started(result: &Path, started: &Started) {
    let text = format!("{} {}\n", started.reaper.pid, started.command.pid);
    let (aside, place) = (result.with_extension("new"), result.with_extension("started"));
    std::fs::write(&aside, text).expect("write");
    std::fs::rename(&aside, place).expect("rename");
}

fn write_ended(result: &Path, ended: &Result<Ended, SuperviseError>) {
    let mut text = String::new();
    match ended {
        Ok(ended) => {
            writeln!(text, "{:?}", ended.exit).expect("text");
            writeln!(text, "timed_out {}", ended.timed_out).expect("text");
            writeln!(text, "interrupted {:?}", ended.interrupted).expect("text");
            for straggler in &ended.stragglers {
                writeln!(text, "straggler {} {:?}", straggler.command, straggler.ended_by).expect("text");
            }
        }
        Err(error) => writeln!(text, "error {error}").expect("text"),
    }
    let aside = result.with_extension("new");
    std::fs::write(&aside, text).expect("write");
    std::fs::rename(&aside, result).expect("rename");
}
