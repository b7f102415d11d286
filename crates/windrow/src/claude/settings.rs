//! Putting the hooks into Claude Code's settings and taking them out. Everything else in them stays as it is written, in its order.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, json, value::RawValue};

use super::EVENTS;

/// Why settings are left as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// They are no JSON object, or `hooks` is something else than expected.
    #[error("they are not as Claude Code writes them")]
    Shape(#[from] serde_json::Error),
    /// Something else answers an event, which only one can.
    #[error("another command answers `{event}` already: `{command}`")]
    Taken {
        /// The event.
        event: &'static str,
        /// Whose command it is.
        command: String,
    },
}

/// The members of an object as they stand.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Members {
    fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    fn set(&mut self, key: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// Two spaces for each level, as Claude Code writes it.
    fn in_words(&self, level: usize) -> Result<String, serde_json::Error> {
        if self.0.is_empty() {
            return Ok("{}".to_owned());
        }
        let indent = "  ".repeat(level);
        let member = |(name, value): &(String, Box<RawValue>)| -> Result<String, serde_json::Error> {
            Ok(format!("{indent}  {}: {}", serde_json::to_string(name)?, value.get()))
        };
        let members = self.0.iter().map(member).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("{{\n{}\n{indent}}}", members.join(",\n")))
    }
}

/// The settings with the hooks in them.
///
/// # Errors
/// They cannot be read, or something else answers the events.
pub(crate) fn install(before: &str) -> Result<String, SettingsError> {
    let mut settings = read(before)?;
    let mut hooks = hooks_of(&settings)?;
    let mut changed = false;
    for (event, command) in EVENTS {
        let there = commands(hooks.get(event))?;
        match there.iter().find(|there| *there != command) {
            Some(other) => return Err(SettingsError::Taken { event, command: other.clone() }),
            None if there.is_empty() => {
                hooks.set(event, group(command)?);
                changed = true;
            }
            None => {}
        }
    }
    if !changed {
        return Ok(before.to_owned());
    }
    settings.set("hooks", RawValue::from_string(hooks.in_words(1)?)?);
    Ok(settings.in_words(0)? + "\n")
}

/// The settings without the hooks.
///
/// # Errors
/// They cannot be read, or something else answers an event together with ours.
pub(crate) fn uninstall(before: &str) -> Result<String, SettingsError> {
    let mut settings = read(before)?;
    let mut hooks = hooks_of(&settings)?;
    let count = hooks.0.len();
    for (event, command) in EVENTS {
        let there = commands(hooks.get(event))?;
        match there.iter().find(|there| *there != command) {
            Some(other) if there.iter().any(|there| there == command) => {
                return Err(SettingsError::Taken { event, command: other.clone() });
            }
            None if !there.is_empty() => hooks.remove(event),
            _ => {}
        }
    }
    match hooks.0.len() {
        left if left == count => return Ok(before.to_owned()),
        0 => settings.remove("hooks"),
        _ => settings.set("hooks", RawValue::from_string(hooks.in_words(1)?)?),
    }
    Ok(settings.in_words(0)? + "\n")
}

fn read(text: &str) -> Result<Members, serde_json::Error> {
    if text.trim().is_empty() { Ok(Members(Vec::new())) } else { serde_json::from_str(text) }
}

fn hooks_of(settings: &Members) -> Result<Members, serde_json::Error> {
    settings.get("hooks").map_or(Ok(Members(Vec::new())), |hooks| serde_json::from_str(hooks.get()))
}

/// The commands that answer an event.
fn commands(groups: Option<&RawValue>) -> Result<Vec<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Group {
        hooks: Vec<Value>,
    }
    let groups: Vec<Group> = groups.map_or(Ok(Vec::new()), |groups| serde_json::from_str(groups.get()))?;
    let command = |hook: &Value| match hook.get("command").and_then(Value::as_str) {
        Some(command) => command.to_owned(),
        None => hook.to_string(),
    };
    Ok(groups.iter().flat_map(|group| &group.hooks).map(command).collect())
}

fn group(command: &str) -> Result<Box<RawValue>, serde_json::Error> {
    let group = json!([{ "hooks": [{ "type": "command", "command": command }] }]);
    let text = serde_json::to_string_pretty(&group)?;
    RawValue::from_string(text.replace('\n', "\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = r#"{
  "permissions": { "allow": ["Bash(ls:*)"], "deny": [] },
  "hooks": {
    "PreToolUse": [
      { "matcher": "Bash", "hooks": [ {"type": "command", "command": "./check"} ] }
    ]
  },
  "model": "opus"
}
"#;

    #[test]
    fn what_is_there_stays_as_it_is_written_and_ours_comes_and_goes() {
        for before in ["", "{}", THEIRS, "{\"a\":1}"] {
            let with = install(before).unwrap();
            let parsed: Value = serde_json::from_str(&with).unwrap();
            for (event, command) in EVENTS {
                assert_eq!(parsed["hooks"][event][0]["hooks"][0]["command"], command);
                assert_eq!(parsed["hooks"][event][0]["hooks"][0]["type"], "command");
            }
            assert_eq!(install(&with).unwrap(), with, "once is enough");
            let without: Value = serde_json::from_str(&uninstall(&with).unwrap()).unwrap();
            let original = if before.is_empty() { "{}" } else { before };
            assert_eq!(without, serde_json::from_str::<Value>(original).unwrap());
        }
        let with = install(THEIRS).unwrap();
        for line in THEIRS.lines().filter(|line| !matches!(line.trim(), "]" | "}" | "},")) {
            assert!(with.contains(line), "{line}\n{with}");
        }
        assert_eq!(uninstall(&with).unwrap(), THEIRS);
        assert_eq!(uninstall(THEIRS).unwrap(), THEIRS);
    }

    #[test]
    fn what_answers_already_is_never_replaced() {
        let other = r#"{"hooks":{"WorktreeCreate":[{"hooks":[{"type":"command","command":"other"}]}]}}"#;
        let Err(SettingsError::Taken { event, command }) = install(other) else { panic!() };
        assert_eq!((event, command.as_str()), ("WorktreeCreate", "other"));
        assert_eq!(uninstall(other).unwrap(), other);
        let both = install("").unwrap().replacen("\"hooks\": [", "\"hooks\": [{\"type\":\"http\"},", 1);
        assert!(matches!(uninstall(&both), Err(SettingsError::Taken { .. })));
        for broken in ["[]", "{", r#"{"hooks":[]}"#, r#"{"hooks":{"WorktreeCreate":{}}}"#, "// {}"] {
            assert!(install(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_plugin_says_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/claude-code/hooks/hooks.json");
        let plugin: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(plugin, serde_json::from_str::<Value>(&install("").unwrap()).unwrap());
    }
}
