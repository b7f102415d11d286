//! One rename each, nothing replaced, no link followed.

use std::{fs, os::unix::fs::symlink};

use super::*;

struct Places {
    _dir: tempfile::TempDir,
    root: std::path::PathBuf,
    swap: Swap,
}

fn places() -> Places {
    let dir = tempfile::tempdir().unwrap();
    let (root, room) = (dir.path().join("root"), dir.path().join("room"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&room).unwrap();
    fs::write(root.join("a"), "old").unwrap();
    let swap = Swap::open(&root, &room).unwrap();
    fs::write(room.join("new/a"), "new").unwrap();
    Places { root, swap, _dir: dir }
}

#[test]
fn a_file_and_its_successor_change_places_and_back() {
    let at = places();
    at.swap.exchange(b"a").unwrap();
    assert_eq!(fs::read(at.root.join("a")).unwrap(), b"new");
    at.swap.exchange(b"a").unwrap();
    assert_eq!(fs::read(at.root.join("a")).unwrap(), b"old");
}

#[test]
fn nothing_is_ever_replaced() {
    let at = places();
    let error = at.swap.put(b"a").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    at.swap.take(b"a", 7).unwrap();
    fs::write(at.root.join("a"), "somebody's").unwrap();
    assert_eq!(at.swap.give_back(b"a", 7).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(at.root.join("a")).unwrap(), b"somebody's");
    assert!(matches!(at.swap.aside(7), Ok(Lying::File { .. })));
}

#[test]
fn no_link_is_followed_on_the_way() {
    let at = places();
    fs::create_dir(at.root.join("real")).unwrap();
    fs::write(at.root.join("real/f"), "").unwrap();
    symlink("real", at.root.join("link")).unwrap();
    assert_eq!(at.swap.lying(b"link/f").unwrap(), Lying::Behind("link".into()));
    assert_eq!(at.swap.lying(b"a/b/c").unwrap(), Lying::Behind("a".into()));
    assert_eq!(at.swap.lying(b"none/b").unwrap(), Lying::Nothing);
    assert!(at.swap.take(b"link/f", 1).is_err() && at.root.join("real/f").exists());
    assert!(matches!(at.swap.lying(b"link").unwrap(), Lying::Symlink { .. }));
    assert_eq!(at.swap.below(b"real").unwrap(), ["real/f"]);
}

#[test]
fn only_empty_directories_go() {
    let at = places();
    fs::create_dir_all(at.root.join("x/y/z")).unwrap();
    fs::write(at.root.join("x/keep"), "").unwrap();
    at.swap.remove_empty(b"x/y/z");
    assert!(at.root.join("x/keep").exists() && !at.root.join("x/y").exists());
}
