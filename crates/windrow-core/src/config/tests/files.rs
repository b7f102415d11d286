//! What may lie where a file is expected.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::fs::{FileType, Mode};

use super::{Fixture, PROGRAM};
use crate::config::{ConfigError, file::LARGEST, load};

#[test]
fn a_directory_is_no_file() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.user_file()).unwrap();
    assert_eq!(fixture.message(), "configuration file `ROOT/home/config.toml` is not a regular file");
}

#[test]
fn a_pipe_does_not_block() {
    let fixture = Fixture::new();
    rustix::fs::mknodat(rustix::fs::CWD, fixture.user_file(), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let sources = fixture.sources.clone();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(load(&sources, PROGRAM)).is_ok());
    let answer = receiver.recv_timeout(Duration::from_secs(20)).expect("an answer though nobody writes");
    assert!(matches!(answer, Err(ConfigError::NotAFile { .. })));
}

#[test]
fn a_socket_cannot_be_read() {
    let fixture = Fixture::new();
    let _listener = UnixListener::bind(fixture.user_file()).unwrap();
    assert!(matches!(fixture.load(), Err(ConfigError::Read { .. })));
}

#[test]
fn a_file_without_permission_is_an_error() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may read every file");
        return;
    }
    let fixture = Fixture::new().private("pool.ttl = 1");
    fs::set_permissions(fixture.private_file(), fs::Permissions::from_mode(0o000)).unwrap();
    assert!(matches!(fixture.load(), Err(ConfigError::Read { .. })));
}

#[test]
fn size_is_bounded() {
    let longest = usize::try_from(LARGEST).unwrap();
    Fixture::new().repository(&"#".repeat(longest)).load().unwrap();
    assert_eq!(
        Fixture::new().repository(&"#".repeat(longest + 1)).message(),
        "configuration file `ROOT/repo/windrow.toml` is larger than 1048576 bytes"
    );
}

#[test]
fn a_file_that_is_not_utf8_is_an_error() {
    let fixture = Fixture::new();
    fs::write(fixture.repository_file(), b"# \xff\n").unwrap();
    assert_eq!(fixture.message(), "`ROOT/repo/windrow.toml` is not UTF-8 text");
}

#[test]
fn a_committed_symlink_stays_in_the_repository() {
    let fixture = Fixture::new().user("pool.ttl = 7");
    symlink("../home/config.toml", fixture.repository_file()).unwrap();
    assert_eq!(
        fixture.message(),
        "committed configuration file `ROOT/repo/windrow.toml` is a symlink that leaves the repository, to \
         `ROOT/home/config.toml`"
    );

    let fixture = Fixture::new();
    fs::write(fixture.root.path().join("repo/actual.toml"), "pool.ttl = 8").unwrap();
    symlink("actual.toml", fixture.repository_file()).unwrap();
    assert_eq!(fixture.load().unwrap().settings.pool.ttl.as_secs(), 8);
}

#[test]
fn a_symlink_to_a_sibling_with_the_same_beginning_leaves_too() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.root.path().join("repo.windrow")).unwrap();
    fs::write(fixture.root.path().join("repo.windrow/x.toml"), "pool.ttl = 8").unwrap();
    symlink("../repo.windrow/x.toml", fixture.repository_file()).unwrap();
    assert!(matches!(fixture.load(), Err(ConfigError::LeavesRepository { .. })));
}

#[test]
fn a_dangling_symlink_is_not_the_same_as_no_file() {
    let fixture = Fixture::new();
    symlink("nowhere", fixture.repository_file()).unwrap();
    assert!(matches!(fixture.load(), Err(ConfigError::Read { .. })));
}

#[test]
fn users_may_link_their_own_file() {
    let fixture = Fixture::new();
    let dotfiles = fixture.root.path().join("dotfiles.toml");
    fs::write(&dotfiles, "pool.ttl = 9").unwrap();
    symlink(&dotfiles, fixture.user_file()).unwrap();
    assert_eq!(fixture.load().unwrap().settings.pool.ttl.as_secs(), 9);
}
