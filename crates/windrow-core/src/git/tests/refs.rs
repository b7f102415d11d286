//! Ref transactions.

use super::support::*;
use crate::git::*;

fn change(name: &str, new: Option<windrow_model::Oid>, old: Expect) -> RefChange {
    RefChange { name: name.to_owned(), new, old }
}

#[test]
fn a_transaction_changes_all_or_nothing() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let (first, repo, git) = (fixture.oid("HEAD"), fixture.repo(), &fixture.git);
        let second = fixture.commit("second");
        let made = [
            change("refs/windrow/rescue/1", Some(first), Expect::Absent),
            change("refs/heads/windrow/a", Some(second), Expect::Absent),
            change("refs/heads/main", Some(second), Expect::Is(second)),
            change("refs/heads/none", None, Expect::Absent),
        ];
        update_refs(git, &repo, &made, "test").unwrap();
        let refused = [
            change("refs/windrow/rescue/1", None, Expect::Is(first)),
            change("refs/heads/windrow/a", Some(first), Expect::Is(first)),
        ];
        let error = update_refs(git, &repo, &refused, "test").unwrap_err();
        let expected = second;
        assert!(matches!(error, RefError::Conflict { ref name, found: Some(found), .. }
            if name == "refs/heads/windrow/a" && found == expected));
        assert_eq!(read_ref(git, &repo, "refs/windrow/rescue/1").unwrap(), Some(first));
        update_refs(git, &repo, &[change("refs/windrow/rescue/1", None, Expect::Is(first))], "test").unwrap();
        assert_eq!(read_ref(git, &repo, "refs/windrow/rescue/1").unwrap(), None);
        assert!(
            update_refs(git, &repo, &[change("refs/windrow/x", None, Expect::Is(first))], "test").is_err()
        );
    }
}

#[test]
fn a_packed_ref_has_no_file_of_its_own_and_goes_by_a_rename() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let (first, repo, git) = (fixture.oid("HEAD"), fixture.repo(), &fixture.git);
        let names = ["refs/heads/windrow/a", "refs/heads/windrow/stays"];
        let made = names.map(|name| change(name, Some(first), Expect::Absent));
        update_refs(git, &repo, &made, "test").unwrap();
        pack_ref(git, &repo, names[0]).unwrap();
        assert!(!repo.common_dir.join(names[0]).exists());
        let loose = repo.ref_format == RefFormat::Files;
        assert_eq!(repo.common_dir.join(names[1]).exists(), loose);
        let both: Vec<_> = list_refs(git, &repo, "refs/heads/windrow").unwrap();
        assert_eq!(both.len(), 2, "{both:?}");
        update_refs(git, &repo, &[change(names[0], None, Expect::Is(first))], "test").unwrap();
        assert_eq!(read_ref(git, &repo, names[0]).unwrap(), None);
        assert_eq!(read_ref(git, &repo, names[1]).unwrap(), Some(first));
    }
}

#[test]
fn h29_one_branch_is_made_only_once() {
    let fixture = Fixture::new();
    let (first, repo) = (fixture.oid("HEAD"), fixture.repo());
    let make =
        || update_refs(&fixture.git, &repo, &[change("refs/heads/x", Some(first), Expect::Absent)], "test");
    let results: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(make().is_err_and(|error| matches!(error, RefError::Conflict { .. })));
}

#[test]
fn a_branch_in_the_way_is_named() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let (first, repo) = (fixture.oid("HEAD"), fixture.repo());
        fixture.git_in(&fixture.root, &["branch", "windrow"]);
        fixture.git_in(&fixture.root, &["branch", "a/b"]);
        for (name, expected) in
            [("refs/heads/windrow/x", "refs/heads/windrow"), ("refs/heads/a", "refs/heads/a/b")]
        {
            let error =
                update_refs(&fixture.git, &repo, &[change(name, Some(first), Expect::Absent)], "test")
                    .unwrap_err();
            assert!(
                matches!(error, RefError::Blocked { ref blocker, .. } if blocker == expected),
                "{error:?}"
            );
        }
    }
}

#[test]
fn lists_below_a_prefix_only() {
    let fixture = Fixture::new();
    for name in ["p/a", "p/b", "pq"] {
        fixture.git_in(&fixture.root, &["branch", name]);
    }
    let names: Vec<_> = list_refs(&fixture.git, &fixture.repo(), "refs/heads/p")
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["refs/heads/p/a", "refs/heads/p/b"]);
}
