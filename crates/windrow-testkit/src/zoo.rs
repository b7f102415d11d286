//! Children of every kind that outlives its parent in the wild.

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creature {
    /// An ordinary child.
    Child,
    /// One in a process group of its own.
    Group,
    /// One in a session of its own.
    Session,
    /// A grandchild in another session whose parent has ended.
    Orphan,
    /// An orphan that left its directory, its environment and every descriptor it was given.
    Daemon,
    /// One that ignores every signal it can.
    Deaf,
    /// One that is another process every moment: it forks, and its parent ends.
    Hydra,
}

impl Creature {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Child, Self::Group, Self::Session, Self::Orphan, Self::Daemon, Self::Deaf, Self::Hydra];

    /// Starts one in the background; it writes a line into the file `$roll` when it is there.
    fn birth(self) -> &'static str {
        match self {
            Self::Child => "(up child; exec sleep 600) &",
            Self::Group => "set -m; (up group; exec sleep 600) & set +m",
            Self::Session => r#"setsid bash -c 'echo session >> "$0"; exec sleep 600' "$roll" &"#,
            Self::Orphan => r#"(setsid bash -c '(echo orphan >> "$0"; exec sleep 600) &' "$roll" &)"#,
            Self::Daemon => {
                r#"(setsid bash -c '(cd /; echo daemon >> "$0"
                    for open in /proc/self/fd/*; do eval "exec ${open##*/}>&-"; done; exec -c sleep 600) &' "$roll" &)"#
            }
            Self::Deaf => "(trap '' TERM HUP INT QUIT; up deaf; while :; do sleep 1; done) &",
            Self::Hydra => "hydra() { sleep 0.02; hydra & }; (up hydra; hydra) &",
        }
    }
}

/// Writes a script for bash that starts one of each kind, waits until all are there, and then does what `then` says.
///
/// `$1` names the file for their roll. What it starts lives for ten minutes or for ever: run it in a process namespace.
pub fn zoo(creatures: &[Creature], then: &str) -> String {
    let births: Vec<&str> = creatures.iter().map(|creature| creature.birth()).collect();
    format!(
        "roll=$1; up() {{ echo \"$1\" >> \"$roll\"; }}\n{}\nuntil [ \"$(wc -l < \"$roll\")\" -ge {} ]; do sleep 0.02; done\n{then}\n",
        births.join("\n"),
        creatures.len()
    )
}
