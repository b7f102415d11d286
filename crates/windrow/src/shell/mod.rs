//! The shell functions behind `windrow cd`.
//!
//! A program cannot change its shell's directory. The function makes a temporary file, names it in `WINDROW_CD_FILE`, and
//! `windrow path --to-file` writes the raw path into it; the function reads the file and changes the directory. Nothing
//! is evaluated, and a path may hold anything, newlines at its end included.

use crate::args::ShellKind;

/// The function for a shell.
pub(crate) fn function(shell: ShellKind) -> &'static str {
    match shell {
        ShellKind::Bash => include_str!("bash.sh"),
        ShellKind::Zsh => include_str!("zsh.sh"),
        ShellKind::Fish => include_str!("fish.fish"),
    }
}
