//! `windrow man`.

use std::{fs, io, path::Path};

use clap_mangen::Man;

use super::Context;
use crate::{
    args::{self, ManArgs},
    errors::{Exit, Problem},
};

/// Prints the main page, or writes the page of every command.
pub(super) fn man(context: &mut Context, args: &ManArgs) -> Result<Exit, Problem> {
    match &args.out {
        Some(dir) => {
            let dir = context.surroundings.current_dir.join(dir);
            write(&dir).map_err(|error| Problem::io(format!("cannot write `{}`", dir.display()), &error))?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(args::command()).render(&mut page).map_err(|error| Problem::output(&error))?;
            context.raw(&page)?;
        }
    }
    Ok(Exit::OK)
}

fn write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(args::command(), dir)?;
    // `git help windrow` asks for this page.
    fs::write(dir.join("git-windrow.1"), ".so man1/windrow.1\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shown_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path()).unwrap();
        for name in ["windrow", "windrow-run", "windrow-rescue-drop", "git-windrow"] {
            assert!(dir.path().join(format!("{name}.1")).is_file(), "{name}");
        }
        assert!(!dir.path().join("windrow-__sweep.1").exists());
    }
}
