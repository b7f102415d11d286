//! Translates a request into the reaper's words and streams, and its refusals into errors.

use std::io;
use std::process::Stdio;

use super::{Output, SuperviseError, SuperviseRequest};
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

/// The command's standard output and error, and what copies them.
pub(super) fn streams(output: &Output) -> Result<(Option<Tee>, Streams), SuperviseError> {
    match output {
        Output::Inherit => Ok((None, Streams { stdout: Stdio::inherit(), stderr: Stdio::inherit() })),
        Output::StdoutToStderr => {
            let stderr = rustix::stdio::stderr().try_clone_to_owned().map_err(SuperviseError::Io)?;
            Ok((None, Streams { stdout: Stdio::from(stderr), stderr: Stdio::inherit() }))
        }
        Output::Tee(target) => {
            let mut tee = open_log(target)?;
            let stdout = tee.add(rustix::stdio::stdout()).map_err(SuperviseError::Io)?;
            let stderr = tee.add(rustix::stdio::stderr()).map_err(SuperviseError::Io)?;
            Ok((Some(tee), Streams { stdout: Stdio::from(stdout), stderr: Stdio::from(stderr) }))
        }
        Output::TeeToStderr(target) => {
            let mut tee = open_log(target)?;
            let stderr = tee.add(rustix::stdio::stderr()).map_err(SuperviseError::Io)?;
            let stdout = stderr.try_clone().map_err(SuperviseError::Io)?;
            Ok((Some(tee), Streams { stdout: Stdio::from(stdout), stderr: Stdio::from(stderr) }))
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
