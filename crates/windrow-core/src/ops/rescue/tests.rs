//! What comes along, and when a second look agrees with the first.

use std::fs as std_fs;

use windrow_model::FileStat;

use super::*;

fn found(path: &str, size: u64) -> Found {
    let stat = FileStat { size, ..FileStat::default() };
    Found { path: path.into(), kind: FoundKind::File { executable: false }, stat, mode: 0o100_644 }
}

#[test]
fn carried_files_come_along_up_to_64_mebibytes_in_all() {
    let mib = 1 << 20;
    let survey = |sizes: [u64; 2]| Survey {
        carried: vec![found("one", sizes[0]), found("two", sizes[1])],
        ..Survey::default()
    };
    assert_eq!(as_brought(&survey([32 * mib, 32 * mib])).count(), 2);
    assert_eq!(as_brought(&survey([32 * mib, 32 * mib + 1])).count(), 0);
    assert_eq!(as_brought(&survey([u64::MAX, 2])).count(), 0);
}

#[test]
fn only_the_modes_that_a_checkout_gives_are_kept_by_git() {
    let with = |mode| plain_mode(&Found { mode, ..found("a", 1) });
    for mode in [0o644, 0o664, 0o666, 0o755, 0o775, 0o777] {
        assert!(with(0o100_000 | mode), "{mode:o}");
    }
    for mode in [0o600, 0o640, 0o444, 0o700, 0o4755, 0o1644] {
        assert!(!with(0o100_000 | mode), "{mode:o}");
    }
}

#[test]
fn h13_an_index_brings_along_what_it_was_split_from_and_no_lock() {
    let admin = tempfile::tempdir().unwrap();
    for name in ["index", "index.lock", "HEAD", "sharedindex.0123", "sharedindex.0123.lock"] {
        std_fs::write(admin.path().join(name), name).unwrap();
    }
    assert_eq!(index_files(admin.path()).unwrap(), ["index", "sharedindex.0123"]);
}

#[test]
fn h16_anything_that_is_otherwise_at_the_second_look_refuses() {
    let before = || Survey {
        changed: vec![found("changed", 1)],
        extra: vec![found("extra", 1)],
        deleted: vec!["deleted".into()],
        ..Survey::default()
    };
    assert!(prove_unchanged(&before(), &before()).is_ok());
    let head = Some("1".repeat(40).parse().unwrap());
    for after in [
        Survey { head, ..before() },
        Survey { changed: vec![found("changed", 2)], ..before() },
        Survey { changed: Vec::new(), ..before() },
        Survey { extra: vec![found("other", 1)], ..before() },
        Survey { deleted: Vec::new(), ..before() },
    ] {
        assert!(prove_unchanged(&before(), &after).is_err(), "{after:?}");
    }
}
