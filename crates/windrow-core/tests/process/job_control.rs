//! Job control on a real terminal: a shell in tmux starts the manager, stops it, and goes on with it.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::kit::{command, helper, scratch, skipped, stat, wait_for};

/// A tmux server of our own with one interactive shell.
struct Terminal {
    dir: TempDir,
}

impl Terminal {
    /// `None` (said loudly) where there is no tmux.
    fn open() -> Option<Self> {
        if command("tmux").arg("-V").output().is_err() {
            skipped("job control needs tmux");
            return None;
        }
        let terminal = Self { dir: scratch() };
        let started =
            terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "30", "bash --norc --noprofile -i"]);
        assert!(started.status.success(), "{started:?}");
        terminal.keys("PS1='ready> '; clear; stty -a > modes.first");
        terminal.file("modes.first");
        Some(terminal)
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut tmux = command("tmux");
        tmux.current_dir(self.path()).env("HOME", self.path()).env("TERM", "screen").env("HISTFILE", "");
        tmux.arg("-S").arg(self.path().join("tmux")).args(["-f", "/dev/null"]);
        tmux.args(args).output().expect("tmux")
    }

    /// Types a line.
    fn keys(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.key("Enter");
    }

    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    fn shows(&self, text: &str) {
        wait_for(&format!("`{text}` on the screen"), || self.screen().contains(text));
    }

    /// Waits for a file with a whole line in it.
    fn file(&self, name: &str) -> String {
        let path = self.path().join(name);
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        wait_for(&format!("{name}; {}", self.screen()), || read().ends_with('\n'));
        read()
    }

    /// The modes that the shell's children see now.
    fn modes(&self, name: &str) -> String {
        self.keys(&format!("stty -a > {name}"));
        self.file(name)
    }

    fn manage(&self, options: &str, script: &str, suffix: &str) {
        std::fs::write(self.path().join("command"), script).expect("write");
        let line =
            format!("{} result timeout-ms 60000 {options} -- bash command {suffix}", helper().display());
        self.keys(&line);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let panes = self.tmux(&["list-panes", "-a", "-F", "#{pane_pid}"]);
        self.tmux(&["kill-server"]);
        // The shells still live in the directory that is about to be removed.
        for pid in String::from_utf8_lossy(&panes.stdout).lines() {
            wait_for("the shell to end", || matches!(stat(pid, 3).as_str(), "" | "Z"));
        }
    }
}

#[test]
fn the_stop_key_stops_the_job_and_fg_goes_on_with_it() {
    let Some(terminal) = Terminal::open() else { return };
    let before = terminal.modes("modes.before");
    let script = "stty -echo -icanon; stty -a > modes.inside; echo $$ > pid; read line; stty -a > modes.after
                  echo \"got $line\" > got; exit 4";
    terminal.manage("grace-ms 500", script, "");
    let pid = terminal.file("pid");
    let pid = pid.trim();
    terminal.key("C-z");
    terminal.shows("Stopped");
    wait_for("the command to stop", || stat(pid, 3) == "T");
    assert_eq!(terminal.modes("modes.stopped"), before, "the shell has its modes while the job is stopped");
    terminal.keys("jobs > jobs.txt");
    assert!(terminal.file("jobs.txt").contains("Stopped"));
    terminal.keys("fg");
    wait_for("the command to go on", || stat(pid, 3) == "S");
    terminal.keys("hello");
    assert_eq!(terminal.file("got"), "got hello\n");
    assert!(terminal.file("result").starts_with("Code(4)\n"));
    assert_eq!(
        terminal.file("modes.after"),
        terminal.file("modes.inside"),
        "the command has its modes again"
    );
    assert_eq!(terminal.modes("modes.end"), before);
}

#[test]
fn the_interrupt_key_reaches_the_command_alone() {
    let Some(terminal) = Terminal::open() else { return };
    terminal.manage("grace-ms 500", "trap 'exit 5' INT; echo up > up; while :; do sleep 0.02; done", "");
    terminal.file("up");
    terminal.key("C-c");
    assert_eq!(terminal.file("result"), "Code(5)\ntimed_out false\ninterrupted None\n");
    assert_eq!(terminal.modes("modes.end"), terminal.file("modes.first"));
}

#[test]
fn a_background_job_does_not_take_the_terminal_until_fg() {
    let Some(terminal) = Terminal::open() else { return };
    terminal.manage("grace-ms 500", "echo $$ > pid; read line; echo \"got $line\" > got", "&");
    let pid = terminal.file("pid");
    wait_for("the reading command to be stopped", || stat(pid.trim(), 3) == "T");
    terminal.keys("echo mine > mine");
    assert_eq!(terminal.file("mine"), "mine\n");
    assert!(!terminal.path().join("got").exists());
    terminal.keys("fg");
    wait_for("the command to go on", || stat(pid.trim(), 3) == "S");
    terminal.keys("yours");
    assert_eq!(terminal.file("got"), "got yours\n");
    assert!(terminal.file("result").starts_with("Code(0)\n"));
    terminal.keys("echo again > again");
    assert_eq!(terminal.file("again"), "again\n");
}

#[test]
fn a_job_that_runs_in_the_background_gets_the_terminal_when_it_reads_after_fg() {
    let Some(terminal) = Terminal::open() else { return };
    let script = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done; read line; echo \"got $line\" > got";
    terminal.manage("grace-ms 500", script, "&");
    let pid = terminal.file("pid").trim().to_owned();
    terminal.keys("fg");
    let manager = stat(&stat(&pid, 4), 4);
    wait_for("fg", || stat(&pid, 8) == manager);
    std::fs::write(terminal.path().join("go"), "").expect("write");
    terminal.keys("late");
    assert_eq!(terminal.file("got"), "got late\n");
    assert!(terminal.file("result").starts_with("Code(0)\n"));
}

#[test]
fn a_new_window_size_reaches_the_command() {
    let Some(terminal) = Terminal::open() else { return };
    let script = "trap 'stty size > size; exit 0' WINCH; echo up > up; while :; do sleep 0.02; done";
    terminal.manage("grace-ms 500", script, "");
    terminal.file("up");
    terminal.tmux(&["resize-window", "-x", "90", "-y", "20"]);
    assert_eq!(terminal.file("size"), "20 90\n");
    assert!(terminal.file("result").starts_with("Code(0)\n"));
}

#[test]
fn the_stop_key_does_not_stop_what_nobody_could_continue() {
    let Some(terminal) = Terminal::open() else { return };
    let script = "echo $$ > pid; read line; echo \"got $line\" > got";
    std::fs::write(terminal.path().join("command"), script).expect("write");
    let manager = format!("{} result timeout-ms 60000 -- bash command", helper().display());
    // The manager leads the session of this window: there is no shell above it.
    terminal.tmux(&["new-window", &manager]);
    let pid = terminal.file("pid");
    wait_for("the command to read", || stat(pid.trim(), 3) == "S");
    terminal.key("C-z");
    terminal.keys("still here");
    assert_eq!(terminal.file("got"), "got still here\n");
    assert!(terminal.file("result").starts_with("Code(0)\n"));
}
