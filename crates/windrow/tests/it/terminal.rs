//! Programs that need a whole terminal, typed to by a person: a shell in tmux runs `windrow run` and `windrow shell`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use windrow_testkit::{
    Invocation, Outcome, RepoFingerprint, TestRepo, poll_for, poll_until, processes_under, skipped,
};

use crate::repo;

const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal of 100 columns and 30 lines with an interactive bash in the main worktree.
struct Terminal<'r> {
    repo: &'r TestRepo,
}

impl<'r> Terminal<'r> {
    /// `None` (said loudly) where tmux or `program` is missing.
    fn open(repo: &'r TestRepo, program: &str) -> Option<Self> {
        for needed in ["tmux", program] {
            let there = repo.command("sh", repo.path()).args(["-c", "command -v \"$0\"", needed]).run();
            if there.code != 0 {
                skipped(&format!("a full-screen program in a terminal needs {needed}"));
                return None;
            }
        }
        let terminal = Self { repo };
        terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "30", "bash --norc --noprofile -i"]);
        terminal.line("PS1='ready> '; clear; stty -g > ../modes.first");
        terminal.file("modes.first");
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Outcome {
        let bin = PathBuf::from(env!("CARGO_BIN_EXE_windrow"));
        let mut path = bin.parent().unwrap().as_os_str().to_owned();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let tmux: Invocation = self.repo.command("tmux", self.repo.path());
        let tmux = tmux.env("PATH", path).env("TERM", "screen").env("HISTFILE", "").arg("-S");
        tmux.arg(self.repo.root().join("tmux")).args(["-f", "/dev/null"]).args(arguments).run()
    }

    /// Types text and Enter.
    fn line(&self, line: &str) {
        self.text(line);
        self.key("Enter");
    }

    fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]).assert_success();
    }

    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]).assert_success();
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).assert_success().text()
    }

    /// Waits for something to happen; what is on the screen explains why it did not.
    #[track_caller]
    fn wait<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        poll_for(PATIENCE * 2, what, || {
            let seen = probe();
            let late = seen.is_none() && started.elapsed() > PATIENCE;
            assert!(!late, "not in time: {what}; the screen:\n{}", self.screen());
            seen
        })
    }

    #[track_caller]
    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        self.wait(what, || condition().then_some(()));
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        self.until(&format!("`{text}` on the screen"), || self.screen().contains(text));
    }

    /// Waits for a file beside the repository that ends with a line break.
    #[track_caller]
    fn file(&self, name: &str) -> String {
        let path = self.repo.root().join(name);
        self.wait(&format!("the file {name}"), || {
            fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
        })
    }

    /// What the shell's children see of the terminal's modes now, as `stty -g` says it.
    #[track_caller]
    fn modes(&self, name: &str) -> String {
        self.line(&format!("stty -g > ../{name}"));
        self.file(name)
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        if !std::thread::panicking() {
            poll_until(PATIENCE, "the terminal is gone", || processes_under(self.repo.root()).is_empty());
        }
    }
}

#[test]
fn vim_works_in_a_worktree_is_resized_stopped_and_continued() {
    let repo = repo();
    let before = RepoFingerprint::of(&repo);
    let Some(terminal) = Terminal::open(&repo, "vim") else { return };
    let modes = terminal.file("modes.first");
    terminal.line("windrow run --name fern -- vim -u NONE -i NONE -n -N README.md");
    terminal.shows("# A test");
    terminal.text("ggOtyped by hand");
    terminal.key("Escape");
    terminal.shows("typed by hand");

    terminal.tmux(&["resize-window", "-x", "90", "-y", "20"]).assert_success();
    // The bottom line of the screen is vim's command line: the program has drawn itself anew.
    let bottom = |text: &str| {
        let screen = terminal.screen();
        screen.lines().nth(19).is_some_and(|line| line.contains(text))
    };
    terminal.until("vim knows the new size", || {
        terminal.key("Escape");
        terminal.line(":echo 'size=' . &columns . 'x' . &lines");
        bottom("size=90x20")
    });

    terminal.key("C-z");
    terminal.shows("Stopped");
    terminal.line("jobs > ../jobs");
    assert!(terminal.file("jobs").contains("Stopped"), "the shell sees one stopped job");
    assert_eq!(terminal.modes("modes.stopped"), modes, "the shell has its own modes while vim is stopped");
    let path = PathBuf::from(repo.windrow(["path", "fern"]).run().assert_success().text());
    assert!(path.join("README.md").is_file(), "a stopped command keeps its worktree");

    terminal.line("fg");
    terminal.shows("typed by hand");
    terminal.key("Escape");
    terminal.line(":w");
    terminal.until("vim writes the file", || {
        fs::read_to_string(path.join("README.md")).is_ok_and(|text| text == "typed by hand\n# A test\n")
    });
    terminal.line(":cq 5");
    terminal.line("echo \"code=$?\" > ../code");
    assert_eq!(terminal.file("code"), "code=5\n");
    terminal.shows("rescued");
    assert_eq!(terminal.modes("modes.end"), modes, "the terminal's modes are as before");
    assert!(!path.exists());
    before.assert_unchanged(&repo);
}

#[test]
fn less_scrolls_and_outlives_the_interrupt_key() {
    let repo = windrow_testkit::TestRepo::builder()
        .binary(windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into()))
        .build();
    let numbers: String = (1..=500).map(|number| format!("row {number}\n")).collect();
    repo.write("numbers.txt", numbers);
    repo.commit("Numbers");
    let Some(terminal) = Terminal::open(&repo, "less") else { return };
    let modes = terminal.file("modes.first");
    terminal.line("windrow run --name fern -- less numbers.txt; echo \"code=$?\" > ../code");
    terminal.shows("row 1");
    terminal.text("G");
    terminal.shows("row 500");
    terminal.key("C-c");
    terminal.text("g");
    terminal.until("less is at the first line", || terminal.screen().starts_with("row 1\n"));
    terminal.text("q");
    assert_eq!(terminal.file("code"), "code=0\n", "the interrupt key was for less alone");
    terminal.shows("fern  removed");
    assert_eq!(terminal.modes("modes.end"), modes);
}

#[test]
fn the_interrupt_key_ends_a_command_and_the_worktree_is_given_back() {
    let repo = repo();
    let Some(terminal) = Terminal::open(&repo, "bash") else { return };
    terminal.line("windrow run --name fern -- sh -c 'echo one > new.txt; echo up > ../../up; sleep 600'");
    terminal.file("up");
    terminal.key("C-c");
    // bash abandons the rest of the line with a command that died of the interrupt.
    terminal.shows("fern  removed");
    terminal.line("echo \"code=$?\" > ../code");
    assert_eq!(terminal.file("code"), "code=130\n");
    assert_eq!(terminal.modes("modes.end"), terminal.file("modes.first"));
    let rescues = repo.windrow(["rescue", "list", "--json"]).run().assert_success().json();
    assert_eq!(rescues["rescues"].as_array().unwrap().len(), 1, "{rescues}");
}

#[test]
fn an_interactive_shell_in_a_worktree_has_job_control_of_its_own() {
    let repo = repo();
    let Some(terminal) = Terminal::open(&repo, "bash") else { return };
    terminal.line("SHELL=/bin/bash windrow shell fern");
    terminal.shows("leaving the shell gives the worktree back");
    terminal.line("pwd > ../../inside; sleep 600");
    assert!(terminal.file("inside").ends_with("repo.windrow/fern\n"));
    terminal.until("the inner shell stops its own job", || {
        terminal.key("C-z");
        terminal.screen().contains("Stopped")
    });
    terminal.line("fg");
    terminal.key("C-c");
    terminal.line("exit 3");
    terminal.line("echo \"code=$?\" > ../code");
    assert_eq!(terminal.file("code"), "code=3\n");
    terminal.shows("fern  removed");
    assert_eq!(terminal.modes("modes.end"), terminal.file("modes.first"));
}

#[test]
fn a_background_job_waits_for_the_terminal_until_it_is_brought_forward() {
    let repo = repo();
    let Some(terminal) = Terminal::open(&repo, "bash") else { return };
    terminal.line(
        "windrow run --name fern -- sh -c 'echo up > ../../up; read line; echo \"got $line\" > ../../got' &",
    );
    terminal.file("up");
    terminal.line("echo mine > ../mine");
    assert_eq!(terminal.file("mine"), "mine\n", "the shell still has the terminal");
    assert!(!repo.root().join("got").exists());
    terminal.line("fg");
    terminal.line("hello");
    assert_eq!(terminal.file("got"), "got hello\n");
    terminal.shows("fern  removed");
    assert_eq!(terminal.modes("modes.end"), terminal.file("modes.first"));
}
