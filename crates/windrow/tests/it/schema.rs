//! Checks a document against its schema in `docs/schemas`: a small validator that knows the keywords we use, refuses all
//! others, and lets no field pass that the schema does not name.

use std::{fs, path::Path};

use serde_json::{Map, Value};

/// Keywords that say nothing about the value.
const REMARKS: [&str; 5] = ["$schema", "title", "description", "$defs", "format"];

/// Checks that `document` is what `docs/schemas/<name>.json` promises.
#[track_caller]
pub(crate) fn assert_valid(name: &str, document: &Value) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let text = fs::read(dir.join(format!("{name}.json"))).unwrap();
    let root: Value = serde_json::from_slice(&text).unwrap();
    if let Err(why) = (Validator { root: &root }).check(&root, document, "$") {
        panic!("not a valid `{name}` document: {why}\n{document:#}");
    }
}

struct Validator<'a> {
    root: &'a Value,
}

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if *schema == Value::Bool(true) {
            return Ok(());
        }
        let schema = schema.as_object().ok_or(format!("{at}: a schema that is no object"))?;
        for (keyword, argument) in schema {
            self.keyword(keyword, argument, value, at)?;
        }
        self.no_unknown_field(schema, value, at)
    }

    fn keyword(&self, keyword: &str, argument: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fail = |what: String| Err(format!("{at}: {what}, not {value}"));
        match keyword {
            _ if REMARKS.contains(&keyword) => Ok(()),
            "$ref" => self.check(self.target(argument), value, at),
            "type" if !has_type(argument, value) => fail(format!("must be {argument}")),
            "const" if argument != value => fail(format!("must be {argument}")),
            "enum" if !items(argument).contains(value) => fail(format!("must be one of {argument}")),
            // It says nothing about what is no number, such as null.
            "minimum" if value.is_number() && value.as_f64() < argument.as_f64() => {
                fail(format!("must be at least {argument}"))
            }
            "maximum" if value.as_f64() > argument.as_f64() => fail(format!("must be at most {argument}")),
            "type" | "const" | "enum" | "minimum" | "maximum" => Ok(()),
            "anyOf" | "oneOf" => self.any(items(argument), value, at),
            "items" => self.each(items(value), argument, at),
            "required" => required(items(argument), value, at),
            "properties" => self.properties(argument, value, at),
            "additionalProperties" => {
                let fields = value.as_object().map(|fields| fields.values().cloned().collect::<Vec<_>>());
                self.each(&fields.unwrap_or_default(), argument, at)
            }
            other => Err(format!("{at}: the validator does not know `{other}`")),
        }
    }

    fn target(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        self.root.pointer(pointer.unwrap()).unwrap()
    }

    fn any(&self, schemas: &[Value], value: &Value, at: &str) -> Result<(), String> {
        let tried: Vec<_> = schemas.iter().map(|schema| self.check(schema, value, at)).collect();
        if tried.iter().any(Result::is_ok) {
            return Ok(());
        }
        Err(tried.into_iter().filter_map(Result::err).collect::<Vec<_>>().join(" / "))
    }

    fn each(&self, values: &[Value], schema: &Value, at: &str) -> Result<(), String> {
        values.iter().enumerate().try_for_each(|(n, value)| self.check(schema, value, &format!("{at}[{n}]")))
    }

    fn properties(&self, properties: &Value, value: &Value, at: &str) -> Result<(), String> {
        let Some(fields) = value.as_object() else { return Ok(()) };
        for (name, schema) in properties.as_object().unwrap() {
            if let Some(field) = fields.get(name) {
                self.check(schema, field, &format!("{at}.{name}"))?;
            }
        }
        Ok(())
    }

    /// Readers must allow fields that they do not know; what we write must not have any.
    fn no_unknown_field(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
        let (Some(fields), Some(properties)) = (value.as_object(), schema.get("properties")) else {
            return Ok(());
        };
        let known = properties.as_object().unwrap();
        match fields.keys().find(|name| !known.contains_key(*name)) {
            Some(unknown) if schema.get("additionalProperties").is_none() => {
                Err(format!("{at}: the schema names no field `{unknown}`"))
            }
            _ => Ok(()),
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn required(names: &[Value], value: &Value, at: &str) -> Result<(), String> {
    let missing = names.iter().find(|name| value.get(name.as_str().unwrap()).is_none());
    match missing {
        Some(name) if value.is_object() => Err(format!("{at}: {name} is missing")),
        _ => Ok(()),
    }
}

fn has_type(types: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match types {
        Value::String(name) => is(name),
        types => items(types).iter().filter_map(Value::as_str).any(is),
    }
}

#[test]
#[should_panic(expected = "the schema names no field `extra`")]
fn an_unknown_field_is_seen() {
    assert_valid("path", &serde_json::json!({"v": 1, "path": "/a", "extra": 1}));
}

#[test]
#[should_panic(expected = "\"path\" is missing")]
fn a_missing_field_is_seen() {
    assert_valid("path", &serde_json::json!({"v": 1}));
}

#[test]
#[should_panic(expected = "must be 1")]
fn another_version_is_seen() {
    assert_valid("path", &serde_json::json!({"v": 2, "path": "/a"}));
}
