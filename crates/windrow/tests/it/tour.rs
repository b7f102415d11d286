//! The README's tour: every command of it runs, in order, and does what the text around it says.

use std::path::Path;

use windrow_testkit::{Binary, Invocation, TestRepo};

/// The commands between the fences marked `tour`, one section each.
fn sections(readme: &str) -> Vec<String> {
    let mut sections = Vec::new();
    let mut current: Option<String> = None;
    for line in readme.lines() {
        match (&mut current, line) {
            (None, "```tour") => current = Some(String::new()),
            (Some(_), "```") => sections.extend(current.take()),
            (Some(section), _) => {
                section.push_str(line);
                section.push('\n');
            }
            (None, _) => {}
        }
    }
    sections
}

#[test]
fn the_tour_of_the_readme_does_what_it_says() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let sections = sections(&readme);
    let repo = TestRepo::with_binary(Binary(env!("CARGO_BIN_EXE_windrow").into()));
    repo.write("README", "a repository\n");
    repo.commit("first");
    let binaries = Path::new(env!("CARGO_BIN_EXE_windrow")).parent().unwrap().display();
    let run = |commands: &str| {
        let script = format!("PATH=\"{binaries}:$PATH\"\nset -eu\n{commands}");
        let shell = Invocation::new("bash", repo.path(), repo.surroundings());
        let outcome = shell.args(["-c", &script]).run().assert_success();
        format!("{}{}", outcome.text(), outcome.stderr_text())
    };
    let expected = [
        "Say hello",
        "draft",
        "landed  on main",
        "ada   bob      contents  done.txt",
        "refs/heads/windrow/home",
        "tried 2 times",
        "landed on main",
        "has everything of main",
        "## windrow/mine",
        "2 leases given back",
        "look",
        "thrown away",
        "template thrown away",
        "layered-",
        "Pick plums",
        "shop_right_one http://localhost:",
        "Mend the fence",
        "## windrow/",
        "doomed-",
        "`oops.txt` in the main checkout was added",
        "be brief",
        "everything agrees",
        "adopted",
        "stand in the way",
        "its work is not in its target",
        "the budget is 20.0 GiB",
        "\"worktrees\":[]",
        "bold-oak",
    ];
    assert_eq!(sections.len(), expected.len(), "a section of the tour came or went");
    for (commands, expected) in sections.iter().zip(expected) {
        let printed = run(commands);
        assert!(printed.contains(expected), "`{expected}` is missing after:\n{commands}\nin:\n{printed}");
    }
    assert!(run("windrow list").contains("no worktrees"), "the tour leaves nothing behind");
}
