//! Where `--result` puts its document.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{fd::BorrowedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::encode;
use crate::{args::ResultTarget, errors::Problem};

/// A place that was checked before the command ran, because afterwards is too late to complain.
#[derive(Debug)]
pub(super) enum ResultSink {
    /// Nobody asked.
    Nowhere,
    /// An open descriptor, a device or a pipe.
    Stream(File),
    /// A regular file, replaced by one rename.
    File(PathBuf),
}

impl ResultSink {
    /// Checks that the target can be written.
    pub(super) fn open(target: Option<&ResultTarget>, current_dir: &Path) -> Result<Self, Problem> {
        match target {
            None => Ok(Self::Nowhere),
            Some(ResultTarget::Descriptor(number)) => duplicate(*number)
                .map(Self::Stream)
                .map_err(|error| Problem::usage(format!("cannot use `--result fd:{number}`: {error}"))),
            Some(ResultTarget::File(path)) => {
                let path = current_dir.join(path);
                file(&path).map_err(|error| {
                    Problem::usage(format!("cannot write `--result {}`: {error}", path.display()))
                })
            }
        }
    }

    /// Writes the document, complete or not at all where the target is a file.
    pub(super) fn write<T: Serialize>(&mut self, document: &T) -> Result<(), Problem> {
        self.write_lines(std::slice::from_ref(document))
    }

    /// Writes documents, one on each line.
    pub(super) fn write_lines<T: Serialize>(&mut self, documents: &[T]) -> Result<(), Problem> {
        let lines = documents.iter().map(encode).collect::<Result<String, _>>()?;
        let written = match self {
            Self::Nowhere => Ok(()),
            Self::Stream(stream) => stream.write_all(lines.as_bytes()),
            Self::File(path) => replace(path, lines.as_bytes()),
        };
        written.map_err(|error| Problem::io("cannot write the result", &error))
    }
}

/// A descriptor of our own for the open file behind `number`.
fn duplicate(number: i32) -> io::Result<File> {
    #[expect(
        unsafe_code,
        reason = "the caller of this program passed the descriptor by its number; it is only duplicated, before \
                  anything else was opened, and a number that is not open is an error"
    )]
    let given = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(File::from(rustix::io::fcntl_dupfd_cloexec(given, 3)?))
}

fn file(path: &Path) -> io::Result<ResultSink> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(ResultSink::Stream(OpenOptions::new().append(true).open(path)?)),
        Ok(_) | Err(_) => {
            // A link stays one; what it points to is replaced.
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            // Proves that the directory can be written.
            aside(&path)?;
            Ok(ResultSink::File(path))
        }
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut aside = aside(path)?;
    aside.write_all(content)?;
    aside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file beside the target, readable by whom the umask lets.
fn aside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let everybody = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(everybody).tempfile_in(path.parent().unwrap_or(Path::new("/")))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = ResultTarget::File("result.json".into());
        fs::write(dir.path().join("result.json"), "old, and longer than the new one").unwrap();
        ResultSink::open(Some(&target), dir.path()).unwrap().write(&[1, 2]).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("result.json")).unwrap(), "[1,2]\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_open_descriptor_gets_the_document() {
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().unwrap();
        let target = ResultTarget::Descriptor(writer.as_raw_fd());
        ResultSink::open(Some(&target), Path::new("/")).unwrap().write(&"x").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\"x\"\n");
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_runs() {
        let dir = tempfile::tempdir().unwrap();
        for target in [
            ResultTarget::Descriptor(9_999),
            ResultTarget::File(dir.path().to_owned()),
            ResultTarget::File(dir.path().join("missing/result.json")),
        ] {
            let problem = ResultSink::open(Some(&target), Path::new("/")).unwrap_err();
            assert_eq!(problem.exit, crate::errors::Exit::USAGE, "{target:?}");
        }
    }
}
