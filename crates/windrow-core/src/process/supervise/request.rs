//! Translates a request into the reaper's words and streams, and its refusals into errors.

use std::io;
use std::process::Stdio;

use super::{Input, Output, SuperviseError, SuperviseRequest};
use crate::process::platform;
use crate::process::spawn::Streams;
use crate::process::tee::{Tee, TeeTarget};
use crate::process::wire::{Spec, Stage, TerminalUse};

/// The words for the reaper.
pub(super) fn spec(request: &SuperviseRequest, terminal: TerminalUse) -> Spec {
    Spec {
        program: request.program.clone(),
        args: request.args.clone(),
        env: request.env.clone(),
        cwd: request.cwd.clone(),
        timeout: request.timeout,
        grace: request.grace,
        terminal,
    }
}

/// The command's standard streams, and what copies its output.
pub(super) fn streams(request: &SuperviseRequest) -> Result<(Option<Tee>, Streams), SuperviseError> {
    let stdin = input(&request.input).map_err(SuperviseError::Io)?;
    let (tee, stdout, stderr) = output(&request.output)?;
    Ok((tee, Streams { stdin, stdout, stderr }))
}

fn input(input: &Input) -> io::Result<Stdio> {
    Ok(match input {
        Input::Inherit => Stdio::inherit(),
        Input::Nothing => Stdio::null(),
        Input::Bytes(bytes) => platform::in_memory(bytes)?.into(),
    })
}

fn output(output: &Output) -> Result<(Option<Tee>, Stdio, Stdio), SuperviseError> {
    let to = |tee: &mut Tee, sink| tee.add(sink).map_err(SuperviseError::Io);
    match output {
        Output::Inherit => Ok((None, Stdio::inherit(), Stdio::inherit())),
        Output::StdoutToStderr => {
            let stderr = rustix::stdio::stderr().try_clone_to_owned().map_err(SuperviseError::Io)?;
            Ok((None, Stdio::from(stderr), Stdio::inherit()))
        }
        Output::Tee(target) => {
            let mut tee = open_log(target)?;
            let stdout = to(&mut tee, Some(rustix::stdio::stdout()))?;
            let stderr = to(&mut tee, Some(rustix::stdio::stderr()))?;
            Ok((Some(tee), Stdio::from(stdout), Stdio::from(stderr)))
        }
        Output::TeeToStderr(target) => {
            let mut tee = open_log(target)?;
            let stderr = to(&mut tee, Some(rustix::stdio::stderr()))?;
            let stdout = stderr.try_clone().map_err(SuperviseError::Io)?;
            Ok((Some(tee), Stdio::from(stdout), Stdio::from(stderr)))
        }
        Output::Log(target) => {
            let mut tee = open_log(target)?;
            let stdout = to(&mut tee, None)?;
            let stderr = stdout.try_clone().map_err(SuperviseError::Io)?;
            Ok((Some(tee), Stdio::from(stdout), Stdio::from(stderr)))
        }
    }
}

fn open_log(target: &TeeTarget) -> Result<Tee, SuperviseError> {
    Tee::open(target).map_err(|source| SuperviseError::Log { path: target.path.clone(), source })
}

/// What a failed start means to the caller.
pub(super) fn start_error(request: &SuperviseRequest, stage: Stage, errno: i32) -> SuperviseError {
    let source = match errno {
        0 => io::Error::new(io::ErrorKind::InvalidInput, "an argument or a variable holds a NUL byte"),
        errno => io::Error::from_raw_os_error(errno),
    };
    let program = request.program.clone();
    match (stage, source.kind()) {
        (Stage::Reaper, _) => SuperviseError::Helper { helper: request.helper.clone(), source },
        (Stage::Directory, _) => SuperviseError::Directory { cwd: request.cwd.clone(), source },
        (Stage::Program, io::ErrorKind::NotFound) => SuperviseError::NotFound { program },
        (Stage::Program, io::ErrorKind::PermissionDenied) => {
            SuperviseError::NotExecutable { program, source }
        }
        (Stage::Program, _) => SuperviseError::Start { program, source },
    }
}
