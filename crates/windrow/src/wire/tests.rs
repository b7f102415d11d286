//! Schemas on disk, and the envelope.

use std::{fs, path::PathBuf};

use super::*;

fn schema_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas"))
}

/// `windrow __schemas docs/schemas` writes them anew.
#[test]
fn the_schemas_on_disk_are_those_of_the_types() {
    let mut names = Vec::new();
    for (name, schema) in schemas() {
        let file = schema_dir().join(format!("{name}.json"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text == render_schema(&schema).unwrap(), "docs/schemas/{name}.json is out of date");
        names.push(format!("{name}.json"));
    }
    let found = fs::read_dir(schema_dir()).unwrap();
    let mut found: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, names, "files that belong to no document, or documents out of order");
}

#[test]
fn every_document_names_its_version() {
    for (name, schema) in schemas() {
        let schema = schema.as_value();
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().any(|field| field == "v"), "{name}");
        assert_eq!(schema["properties"]["v"]["$ref"], "#/$defs/V1", "{name}");
        assert_eq!(schema["$defs"]["V1"]["const"], 1, "{name}");
    }
}

#[test]
fn a_failure_on_the_wire() {
    let mut problem = crate::errors::Problem::told(Code::PoolExhausted, "all 2 worktrees are in use")
        .hint("wait with `--wait 10m`");
    problem.details.max_worktrees = Some(2);
    let document = ErrorDocument::new(problem.wire(), Exit::windrow(problem.exit.0));
    insta::assert_snapshot!(line(&document).unwrap(), @r#"{"v":1,"error":{"code":"POOL_EXHAUSTED","message":"all 2 worktrees are in use","retryable":true,"hint":"wait with `--wait 10m`","details":{"max_worktrees":2}},"exit":{"origin":"windrow","code":69,"signal":null,"timed_out":false,"interrupted":null,"elapsed_seconds":null}}"#);
}

#[test]
fn a_settings_document_keeps_bytes() {
    use windrow_core::config::{Origin, Value};
    let value = Value {
        key: "pool.ttl".to_owned(),
        value: "\"1h\"".to_owned(),
        origin: Origin::User("/home/ada/.config/windrow/config.toml".into()),
    };
    let document = ConfigDocument::new(vec![ConfigValue::from(&value)]);
    insta::assert_snapshot!(line(&document).unwrap(), @r#"{"v":1,"config":[{"key":"pool.ttl","value":"\"1h\"","origin":{"kind":"user","path":"/home/ada/.config/windrow/config.toml"}}]}"#);
}
