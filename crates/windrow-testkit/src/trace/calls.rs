//! Which system calls count, and what each is about.

use std::path::{Path, PathBuf};

use nix::{errno::Errno, libc, unistd::Pid};

use super::{Watch, memory};

/// Where a call names a file; the numbers are those of its arguments.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// A descriptor.
    File(usize),
    /// A path, relative to the current directory.
    Path(usize),
    /// A path, relative to a directory's descriptor.
    At(usize, usize),
}

/// What else makes it count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It always changes something.
    Change,
    /// It does so with O_CREAT or O_TRUNC in this argument.
    Open(usize),
    /// The flags are the first word of what this argument points to.
    OpenHow(usize),
    /// It clones a file if this argument says so.
    Clone(usize),
    /// It makes a descriptor and changes nothing.
    Descriptor,
}

#[derive(Debug)]
struct Known {
    number: libc::c_long,
    name: &'static str,
    subjects: &'static [Subject],
    kind: Kind,
}

macro_rules! known {
    ($($number:ident $name:literal $kind:expr, [$($subject:expr),*];)*) => {
        &[$(Known { number: libc::$number, name: $name, subjects: &[$($subject),*], kind: $kind }),*]
    };
}

use Kind::{Change, Clone as CloneIf, Descriptor, Open, OpenHow};
use Subject::{At, File, Path as Named};

const EVERYWHERE: &[Known] = known! {
    SYS_openat "openat" Open(2), [At(0, 1)];
    SYS_openat2 "openat2" OpenHow(2), [At(0, 1)];
    SYS_write "write" Change, [File(0)];
    SYS_pwrite64 "pwrite64" Change, [File(0)];
    SYS_writev "writev" Change, [File(0)];
    SYS_pwritev "pwritev" Change, [File(0)];
    SYS_pwritev2 "pwritev2" Change, [File(0)];
    SYS_renameat "renameat" Change, [At(0, 1), At(2, 3)];
    SYS_renameat2 "renameat2" Change, [At(0, 1), At(2, 3)];
    SYS_linkat "linkat" Change, [At(0, 1), At(2, 3)];
    SYS_symlinkat "symlinkat" Change, [At(1, 2)];
    SYS_unlinkat "unlinkat" Change, [At(0, 1)];
    SYS_mkdirat "mkdirat" Change, [At(0, 1)];
    SYS_mknodat "mknodat" Change, [At(0, 1)];
    SYS_ftruncate "ftruncate" Change, [File(0)];
    SYS_truncate "truncate" Change, [Named(0)];
    SYS_fallocate "fallocate" Change, [File(0)];
    SYS_fsync "fsync" Change, [File(0)];
    SYS_fdatasync "fdatasync" Change, [File(0)];
    SYS_syncfs "syncfs" Change, [File(0)];
    SYS_sync_file_range "sync_file_range" Change, [File(0)];
    SYS_fchmod "fchmod" Change, [File(0)];
    SYS_fchmodat "fchmodat" Change, [At(0, 1)];
    SYS_fchown "fchown" Change, [File(0)];
    SYS_fchownat "fchownat" Change, [At(0, 1)];
    SYS_utimensat "utimensat" Change, [At(0, 1)];
    SYS_ioctl "ioctl" CloneIf(1), [File(0)];
    SYS_copy_file_range "copy_file_range" Change, [File(2)];
    SYS_sendfile "sendfile" Change, [File(0)];
    SYS_setxattr "setxattr" Change, [Named(0)];
    SYS_lsetxattr "lsetxattr" Change, [Named(0)];
    SYS_fsetxattr "fsetxattr" Change, [File(0)];
    SYS_removexattr "removexattr" Change, [Named(0)];
    SYS_flock "flock" Change, [File(0)];
    SYS_mount "mount" Change, [Named(1)];
    SYS_umount2 "umount2" Change, [Named(0)];
    SYS_unshare "unshare" Change, [];
    SYS_setns "setns" Change, [];
    SYS_dup "dup" Descriptor, [];
    SYS_dup3 "dup3" Descriptor, [];
    SYS_pipe2 "pipe2" Descriptor, [];
    SYS_socket "socket" Descriptor, [];
    SYS_socketpair "socketpair" Descriptor, [];
};

#[cfg(target_arch = "x86_64")]
const HERE: &[Known] = known! {
    SYS_open "open" Open(1), [Named(0)];
    SYS_creat "creat" Change, [Named(0)];
    SYS_rename "rename" Change, [Named(0), Named(1)];
    SYS_link "link" Change, [Named(0), Named(1)];
    SYS_symlink "symlink" Change, [Named(1)];
    SYS_unlink "unlink" Change, [Named(0)];
    SYS_rmdir "rmdir" Change, [Named(0)];
    SYS_mkdir "mkdir" Change, [Named(0)];
    SYS_mknod "mknod" Change, [Named(0)];
    SYS_chmod "chmod" Change, [Named(0)];
    SYS_chown "chown" Change, [Named(0)];
    SYS_lchown "lchown" Change, [Named(0)];
    SYS_utime "utime" Change, [Named(0)];
    SYS_utimes "utimes" Change, [Named(0)];
    SYS_dup2 "dup2" Descriptor, [];
    SYS_pipe "pipe" Descriptor, [];
};

/// The calls without `at` exist on old architectures only.
#[cfg(not(target_arch = "x86_64"))]
const HERE: &[Known] = &[];

/// A call that counts.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) name: &'static str,
    pub(super) paths: Vec<PathBuf>,
}

/// The numbers of all calls that may count.
pub(super) fn numbers() -> Vec<libc::c_long> {
    EVERYWHERE.iter().chain(HERE).map(|known| known.number).collect()
}

/// Tells whether the call that a stopped task begins counts.
pub(super) fn counted(
    task: Pid,
    (number, arguments): (u64, [u64; 6]),
    watch: Watch,
    territory: &Path,
) -> Option<Counted> {
    let known = EVERYWHERE.iter().chain(HERE).find(|known| u64::try_from(known.number) == Ok(number))?;
    let wanted = match watch {
        Watch::Changes => changes(task, known.kind, &arguments),
        Watch::Descriptors => !matches!(known.kind, Change | CloneIf(_)),
    };
    if !wanted {
        return None;
    }
    let paths: Vec<PathBuf> =
        known.subjects.iter().filter_map(|subject| path(task, *subject, &arguments)).collect();
    let ours = known.subjects.is_empty() || paths.iter().any(|path| path.starts_with(territory));
    ours.then_some(Counted { name: known.name, paths })
}

fn changes(task: Pid, kind: Kind, arguments: &[u64; 6]) -> bool {
    const MAKES: u64 = (libc::O_CREAT | libc::O_TRUNC).cast_unsigned() as u64;
    const FICLONE: u64 = 0x4004_9409;
    match kind {
        Change => true,
        Open(flags) => arguments[flags] & MAKES != 0,
        OpenHow(how) => memory::word(task, arguments[how]).is_some_and(|flags| flags & MAKES != 0),
        CloneIf(request) => arguments[request] & 0xffff_ffff == FICLONE,
        Descriptor => false,
    }
}

fn path(task: Pid, subject: Subject, arguments: &[u64; 6]) -> Option<PathBuf> {
    match subject {
        File(descriptor) => memory::file(task, arguments[descriptor]),
        Named(path) => memory::path(task, None, arguments[path]),
        // futimens(3) names no path.
        At(directory, path) if arguments[path] == 0 => memory::file(task, arguments[directory]),
        At(directory, path) => memory::path(task, Some(arguments[directory]), arguments[path]),
    }
}

pub(super) fn can_fail_with(call: &str, error: Errno) -> bool {
    const TAKES_NO_ROOM: [&str; 17] = [
        "unlink",
        "unlinkat",
        "rmdir",
        "truncate",
        "ftruncate",
        "chmod",
        "fchmod",
        "fchmodat",
        "chown",
        "fchown",
        "lchown",
        "fchownat",
        "utime",
        "utimes",
        "utimensat",
        "removexattr",
        "flock",
    ];
    const HAS_A_FILE: [&str; 15] = [
        "write",
        "pwrite64",
        "writev",
        "pwritev",
        "pwritev2",
        "ftruncate",
        "fallocate",
        "fsync",
        "fdatasync",
        "syncfs",
        "sync_file_range",
        "ioctl",
        "copy_file_range",
        "sendfile",
        "flock",
    ];
    const MAKES: [&str; 11] = [
        "open",
        "openat",
        "openat2",
        "creat",
        "dup",
        "dup2",
        "dup3",
        "pipe",
        "pipe2",
        "socket",
        "socketpair",
    ];
    match error {
        Errno::ENOSPC => !TAKES_NO_ROOM.contains(&call),
        Errno::EROFS => !HAS_A_FILE.contains(&call),
        Errno::EMFILE => MAKES.contains(&call),
        _ => true,
    }
}
