//! The hidden command that writes the JSON Schemas.

use std::{fs, io};

use crate::{
    args::SchemasArgs,
    errors::{Exit, Problem},
    wire,
};

/// Writes the schema of every document into a directory.
pub(super) fn schemas(args: &SchemasArgs) -> Result<Exit, Problem> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(&args.dir)?;
        for (name, schema) in wire::schemas() {
            fs::write(args.dir.join(format!("{name}.json")), wire::render_schema(&schema)?)?;
        }
        Ok(())
    };
    write().map_err(|error| Problem::io(format!("cannot write `{}`", args.dir.display()), &error))?;
    Ok(Exit::OK)
}
