//! `windrow config`.

use windrow_core::config::Value;

use super::{Context, Form};
use crate::{
    args::ConfigArgs,
    errors::{Exit, Problem},
    render::{self, Origins},
    wire::{Code, ConfigDocument, ConfigValue},
};

/// Prints what holds, or the value of one key.
pub(super) fn config(context: &mut Context, args: &ConfigArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let values = wanted(&pool.loaded_config().values, args.key.as_deref())?;
    let origins = if args.show_origin { Origins::Shown } else { Origins::Hidden };
    match (Form::from(args.json), &args.key, origins) {
        (Form::Json, ..) => {
            let document = ConfigDocument::new(values.iter().map(ConfigValue::from).collect());
            context.document(&document)?;
        }
        (Form::Human, Some(_), Origins::Hidden) => {
            let lines: String = values.iter().map(|value| format!("{}\n", value.value)).collect();
            context.text(&lines)?;
        }
        (Form::Human, ..) => {
            let text = render::config(&values, origins, &context.view());
            context.text(&text)?;
        }
    }
    Ok(Exit::OK)
}

fn wanted(values: &[Value], key: Option<&str>) -> Result<Vec<Value>, Problem> {
    let Some(key) = key else { return Ok(values.to_vec()) };
    let found: Vec<_> = values.iter().filter(|value| value.key == key).cloned().collect();
    if found.is_empty() {
        return Err(Problem::told(Code::NotFound, format!("there is no configuration key `{key}`"))
            .hint("`windrow config` lists them"));
    }
    Ok(found)
}
