//! The comparisons that decide what is unsaved, each at its edge.

use std::fs as std_fs;

use windrow_model::{FileStat, IndexFlags};

use super::*;

const OID: [&str; 2] = ["1", "2"];

fn oid(number: usize) -> Oid {
    OID[number].repeat(40).parse().unwrap()
}

fn staged(path: &str, number: usize) -> IndexEntry {
    let (stat, flags) = (FileStat::default(), IndexFlags::default());
    IndexEntry { path: path.into(), mode: EntryMode::File, oid: oid(number), stat, flags }
}

fn committed(path: &str, number: usize) -> TreeEntry {
    TreeEntry { path: path.into(), mode: EntryMode::File, oid: oid(number) }
}

fn found(path: &str, kind: FoundKind) -> Found {
    Found { path: path.into(), kind, stat: FileStat::default(), mode: 0 }
}

fn at(seconds: i64) -> Stamp {
    Stamp { seconds, nanos: 0 }
}

#[test]
fn h12_stat_data_as_young_as_the_index_or_never_recorded_proves_nothing() {
    let recorded = |mtime| FileStat { mtime, ..FileStat::default() };
    assert!(recorded(at(9)).is_settled(at(10)));
    assert!(!recorded(at(10)).is_settled(at(10)), "an edit in the same tick would not show");
    assert!(!recorded(at(11)).is_settled(at(10)));
    assert!(!recorded(Stamp::default()).is_settled(at(10)));
}

#[test]
fn what_is_staged_differs_in_content_mode_stage_or_presence() {
    let head = [committed("a", 0), committed("b", 0), committed("c", 0), committed("e", 0)];
    let differing = |index: &[IndexEntry]| -> Vec<String> {
        differs_from_head(&head, index).iter().map(ToString::to_string).collect()
    };
    let same = ["a", "b", "c", "e"].map(|path| staged(path, 0));
    assert_eq!(differing(&same), [""; 0]);
    assert_eq!(differing(&[]), ["a", "b", "c", "e"]);
    let other = [staged("b", 1), staged("c", 0), staged("d", 0), staged("e", 0), staged("f", 0)];
    assert_eq!(differing(&other), ["a", "b", "d", "f"]);
    let mut conflict = same.clone();
    conflict[1].flags.stage = 2;
    conflict[2].mode = EntryMode::Executable;
    assert_eq!(differing(&conflict), ["b", "c"]);
}

#[test]
fn a_missing_file_was_deleted_unless_git_never_put_it_there() {
    let mut survey = Survey::default();
    let mut sparse = staged("sparse", 0);
    sparse.flags.skip_worktree = true;
    let submodule = IndexEntry { mode: EntryMode::Gitlink, ..staged("submodule", 0) };
    let mut both = submodule.clone();
    both.flags.skip_worktree = true;
    for entry in [&staged("deleted", 0), &sparse, &submodule, &both] {
        note_missing(entry, &mut survey);
    }
    assert_eq!(survey.deleted, ["deleted"]);
}

#[test]
fn only_a_pipe_where_git_looks_for_its_own_files_steers_it() {
    for name in [".gitignore", "deep/.gitattributes", ".gitmodules"] {
        assert!(steers_git(&found(name, FoundKind::Other)), "{name}");
        assert!(!steers_git(&found(name, FoundKind::Symlink)), "{name}");
    }
    assert!(!steers_git(&found("deep/pipe", FoundKind::Other)));
    assert!(!steers_git(&found(".gitignore/pipe", FoundKind::Other)));
}

#[test]
fn a_mount_anywhere_refuses_and_nothing_else_does() {
    let calm = || vec![found("file", FoundKind::File { executable: false }), found("pipe", FoundKind::Other)];
    let mount = || vec![found("mounted", FoundKind::Mount)];
    let survey = |extra, changed| Survey { extra, changed, ..Survey::default() };
    assert!(refuse_mounts(&survey(calm(), calm())).is_ok());
    for refused in [survey(mount(), calm()), survey(calm(), mount())] {
        let told = refuse_mounts(&refused).unwrap_err().to_string();
        assert!(told.contains("`mounted` is a mount point"), "{told}");
    }
}

#[test]
fn the_limit_counts_the_bytes_of_files_alone_and_is_inclusive() {
    let sized =
        |path, kind, size| Found { stat: FileStat { size, ..FileStat::default() }, ..found(path, kind) };
    let file = FoundKind::File { executable: false };
    let survey = Survey {
        extra: vec![sized("new", file, 60), sized("directory", FoundKind::Repository, 4096)],
        changed: vec![sized("changed", file, 40)],
        ..Survey::default()
    };
    assert!(refuse_too_large(&survey, 100).is_ok());
    let told = refuse_too_large(&survey, 99).unwrap_err().to_string();
    assert!(told.contains("rescue.max_size"), "{told}");
}

#[test]
fn every_risk_of_a_submodule_is_told_in_its_own_words() {
    let risks = [
        SubmoduleRisk::OwnRepository,
        SubmoduleRisk::Changes,
        SubmoduleRisk::IgnoredFiles,
        SubmoduleRisk::Unpushed { commits: 3 },
        SubmoduleRisk::Unreadable,
    ];
    let told = [
        "a repository of its own",
        "uncommitted changes",
        "ignored files",
        "3 unpushed commits",
        "a state that cannot be read",
    ];
    assert_eq!(risks.map(risk_in_words), told);
}

#[test]
fn h14_a_link_to_a_repository_elsewhere_is_told_from_one_that_leads_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let made = |name: &str, dot_git: &str| {
        let root = home.path().join(name);
        std_fs::create_dir(&root).unwrap();
        std_fs::write(root.join(".git"), dot_git).unwrap();
        root
    };
    assert!(!leads_nowhere(&made("linked", &format!("gitdir: {}\n", home.path().display()))));
    assert!(leads_nowhere(&made("left", "gitdir: /nowhere/at/all\n")));
    assert!(leads_nowhere(&made("fixture", "not what git writes\n")));
    assert!(!leads_nowhere(&home.path().join("absent")), "what is not there proves nothing");
}
