//! Reading objects and hashing.

use std::fs;

use windrow_model::EntryMode;

use super::support::*;
use crate::git::*;

#[test]
fn lists_a_commit_as_git_does() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        fixture.git_in(&fixture.root, &["gc", "-q"]);
        let entries = Objects::open(&fixture.repo()).tree_entries(&fixture.oid("HEAD")).unwrap();
        let ours: String = entries
            .iter()
            .map(|entry| {
                let kind = if entry.mode == EntryMode::Gitlink { "commit" } else { "blob" };
                format!("{:o} {kind} {}\t{}\0", entry.mode.bits(), entry.oid, entry.path)
            })
            .collect();
        assert_eq!(ours, fixture.git_in(&fixture.root, &["ls-tree", "-r", "-z", "HEAD"]));
    }
}

#[test]
fn reads_blobs_in_many_threads_and_names_what_is_missing() {
    let fixture = Fixture::new();
    let objects = Objects::open(&fixture.repo());
    let oid = fixture.oid("HEAD:a.txt");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut blob = b"old content".to_vec();
                objects.reader().unwrap().read(&oid, &mut blob).unwrap();
                assert_eq!(blob, b"a\n");
            });
        }
    });
    let missing = oid.null_like();
    let error = objects.reader().unwrap().read(&missing, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(matches!(objects.tree_entries(&oid), Err(ObjectError::Kind(..))));
    assert!(matches!(objects.tree_entries(&missing), Err(ObjectError::Missing(_))));
}

#[test]
fn hashes_as_git_does() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let format = fixture.repo().object_format;
        let big = "0123456789".repeat(20_000);
        fixture.write("big", &big);
        let expected = fixture.git_in(&fixture.root, &["hash-object", "--no-filters", "big"]);
        assert_eq!(hash_file(&fixture.root.join("big"), format).unwrap().to_string(), expected.trim());
        assert_eq!(blob_hash(format, big.as_bytes()).to_string(), expected.trim());
        assert!(hash_file(&fixture.root.join("link"), format).is_err());
        assert!(hash_file(&fixture.root.join("dir"), format).is_err());
        fs::write(fixture.root.join("empty"), "").unwrap();
        assert_eq!(hash_file(&fixture.root.join("empty"), format).unwrap(), blob_hash(format, b""));
    }
}
