//! What the helper prints about what it saved.
//!
//! Compatibility: both ends are the same executable, started by each other; the form may change at any time.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use bstr::BString;
use serde_json::{Value, json};
use windrow_model::{Disposable, RescueRecord, WorktreeRecord};

use crate::ops::{
    outcome::Dropped,
    saved::{Look, Progress, Saved},
};

/// Writes what was saved, or why nothing could be.
pub(super) fn encode(saved: Result<&Saved, &str>) -> String {
    let document = match saved {
        Err(reason) => json!({ "refused": reason }),
        Ok(saved) => json!({
            "head": saved.head.map(|oid| oid.to_string()),
            "branch": saved.branch.as_ref().map(|name| name.as_str()),
            "under_way": saved.progress == Progress::UnderWay,
            "unsaved": saved.unsaved,
            "dropped": saved.dropped.iter().map(dropped).collect::<Vec<_>>(),
            "rescue": saved.rescue.as_ref().map(rescue),
            "stamp": match &saved.look {
                Look::Layer(stamp) => Some(stamp),
                Look::None | Look::Files(..) => None,
            },
        }),
    };
    document.to_string()
}

fn dropped(dropped: &Dropped) -> Value {
    let why = match &dropped.why {
        Disposable::CacheTag => "tag",
        Disposable::BuildOutput { manifest } => manifest,
        Disposable::Configured => "configured",
    };
    json!([why, dropped.path.to_vec()])
}

fn rescue(record: &RescueRecord) -> Value {
    json!({
        "id": record.id.as_str(),
        "head": record.head.to_string(),
        "branch": record.branch.as_ref().map(|name| name.as_str()),
        "commit": record.commit.map(|oid| oid.to_string()),
        "index_tree": record.index_tree.map(|oid| oid.to_string()),
        "archive": record.archive.as_ref().map(|path| path.as_os_str().as_bytes().to_vec()),
        "archive_bytes": record.archive_bytes,
        "paths": record.paths,
        "created_at": record.created_at.to_string(),
    })
}

/// Reads what was printed about the worktree of a record; `None` when it is nothing that was printed whole.
pub(super) fn decode(text: &str, record: &WorktreeRecord) -> Option<Result<Saved, String>> {
    let document: Value = serde_json::from_str(text).ok()?;
    if let Some(reason) = document["refused"].as_str() {
        return Some(Err(reason.to_owned()));
    }
    let stamp = document.get("stamp")?;
    Some(Ok(Saved {
        head: parsed(&document["head"])?,
        branch: parsed(&document["branch"])?,
        progress: if document["under_way"].as_bool()? { Progress::UnderWay } else { Progress::None },
        unsaved: document["unsaved"].as_u64()?,
        dropped: document["dropped"].as_array()?.iter().map(read_dropped).collect::<Option<_>>()?,
        rescue: match &document["rescue"] {
            Value::Null => None,
            rescue => Some(read_rescue(rescue, record)?),
        },
        look: stamp.as_str().map_or(Look::None, |stamp| Look::Layer(stamp.to_owned())),
    }))
}

/// A text that may be missing; what cannot be read is `None`.
fn parsed<T: std::str::FromStr>(value: &Value) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => value.as_str()?.parse().ok().map(Some),
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    value.as_array()?.iter().map(byte).collect()
}

fn read_dropped(value: &Value) -> Option<Dropped> {
    let why = match value[0].as_str()? {
        "tag" => Disposable::CacheTag,
        "configured" => Disposable::Configured,
        manifest => Disposable::of_manifest(manifest)?,
    };
    Some(Dropped { path: BString::from(bytes(&value[1])?), why })
}

fn read_rescue(value: &Value, record: &WorktreeRecord) -> Option<RescueRecord> {
    let archive = match &value["archive"] {
        Value::Null => None,
        path => Some(PathBuf::from(OsString::from_vec(bytes(path)?))),
    };
    Some(RescueRecord {
        id: value["id"].as_str()?.parse().ok()?,
        worktree: record.id,
        name: record.name.clone(),
        head: value["head"].as_str()?.parse().ok()?,
        branch: parsed(&value["branch"])?,
        commit: parsed(&value["commit"])?,
        index_tree: parsed(&value["index_tree"])?,
        archive,
        archive_bytes: value["archive_bytes"].as_u64()?,
        paths: value["paths"].as_u64()?,
        created_at: value["created_at"].as_str()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use windrow_model::WorktreeState;

    use super::*;
    use crate::ops::{pool::Pool, testing};

    fn record() -> WorktreeRecord {
        testing::record(Path::new("/x/fern"), WorktreeState::Releasing)
    }

    fn saved(record: &WorktreeRecord) -> Saved {
        let dropped = |path: &[u8], why| Dropped { path: path.into(), why };
        Saved {
            head: Some(record.base),
            branch: Some("windrow/fern".parse().unwrap()),
            progress: Progress::UnderWay,
            unsaved: 7,
            dropped: vec![
                dropped(b"a\nb\xff", Disposable::CacheTag),
                dropped(b"target", Disposable::of_manifest("Cargo.toml").unwrap()),
                dropped(b"x", Disposable::Configured),
            ],
            rescue: Some(RescueRecord {
                id: "fern-0192f0c1".parse().unwrap(),
                worktree: record.id,
                name: record.name.clone(),
                head: record.base,
                branch: None,
                commit: Some(record.base),
                index_tree: None,
                archive: Some("/z/\u{e9}.tar.zst".into()),
                archive_bytes: 12,
                paths: 7,
                created_at: Pool::now(),
            }),
            look: Look::Layer("abc".to_owned()),
        }
    }

    #[test]
    fn everything_reads_back() {
        let record = record();
        let before = saved(&record);
        let after = decode(&encode(Ok(&before)), &record).unwrap().unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"));
        let clean = Saved { head: None, branch: None, rescue: None, look: Look::None, ..before };
        let after = decode(&encode(Ok(&clean)), &record).unwrap().unwrap();
        assert_eq!(format!("{after:?}"), format!("{clean:?}"));
        assert_eq!(decode(&encode(Err("why")), &record).unwrap().unwrap_err(), "why");
    }

    #[test]
    fn what_was_cut_short_is_nothing() {
        let record = record();
        let whole = encode(Ok(&saved(&record)));
        for end in 0..whole.len() {
            assert!(decode(whole.get(..end).unwrap_or(""), &record).is_none(), "{end}");
        }
    }
}
