//! `cargo xtask picture`: runs a short session in a scratch repository and draws what the terminal showed as
//! `docs/terminal.svg`, so that the README's picture is what the program really prints.

use std::{fmt::Write as _, fs, path::Path};

use windrow_testkit::{Binary, Invocation, TestRepo};

use crate::Result;

/// What is typed; each line is a command.
const SESSION: &[&str] = &[
    "windrow run --name quiet-fern -- ./agent 'fix the login'",
    "windrow acquire --name brisk-otter --key task-42",
    "windrow list",
    "windrow restore quiet-fern --name bold-heron",
];

/// An agent that commits, leaves a draft, builds, and forgets a process.
const AGENT: &str = "#!/bin/sh
echo 'fixed' > login.txt; git add login.txt; git commit -qm \"$1\"
echo draft > notes.md; mkdir target; echo x > target/x
sleep 600 &
";

const LINE: u32 = 19;
const LEFT: u32 = 18;
const WIDTH: u32 = 980;

/// Draws the picture with the release build.
pub(crate) fn write(root: &Path) -> Result {
    let text = session(&root.join("target/release/windrow"));
    fs::write(root.join("docs/terminal.svg"), svg(&text))?;
    println!("wrote docs/terminal.svg");
    Ok(())
}

fn session(binary: &Path) -> String {
    let repo = TestRepo::builder().directory("shop").binary(Binary(binary.to_owned())).build();
    repo.write("Cargo.toml", "[package]\n");
    repo.write("agent", AGENT);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(repo.path().join("agent"), executable).expect("the file is ours");
    repo.commit("first");
    let path = binary.parent().unwrap_or(binary).display().to_string();
    let mut shown = String::new();
    for command in SESSION {
        let script = format!("PATH=\"{path}:$PATH\"; {command} 2>&1");
        let shell = Invocation::new("bash", repo.path(), repo.surroundings());
        let shell = shell.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").args(["-c", &script]);
        let printed = shell.run().assert_success();
        let _ = writeln!(shown, "\u{1b}[1m$ {command}\u{1b}[0m");
        shown.push_str(&String::from_utf8_lossy(&printed.stdout));
        shown.push('\n');
    }
    let home = repo.path().parent().unwrap_or(repo.path()).display().to_string();
    shown.replace(&home, "~")
}

fn svg(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    let height = LINE * u32::try_from(lines.len()).unwrap_or(u32::MAX) + 34;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-size=\"14\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, monospace\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n"
    );
    for (number, line) in (1..).zip(lines) {
        let y = LINE * number + 8;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{y}\" xml:space=\"preserve\" fill=\"#d7dae0\">{}</text>",
            spans(line)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// One line with its escape sequences as `tspan`s.
fn spans(line: &str) -> String {
    let mut drawn = String::new();
    let mut style = String::new();
    for (place, piece) in line.split("\u{1b}[").enumerate() {
        let (codes, rest) =
            if place == 0 { ("", piece) } else { piece.split_once('m').unwrap_or(("", piece)) };
        if place > 0 {
            style = codes.split(';').fold(style, restyle);
        }
        if !rest.is_empty() {
            let _ = write!(drawn, "<tspan{style}>{}</tspan>", escaped(rest));
        }
    }
    drawn
}

fn restyle(mut style: String, code: &str) -> String {
    let colour = match code {
        "" | "0" => return String::new(),
        "1" => return style + " font-weight=\"bold\"",
        "2" | "90" => "#8b919d",
        "31" | "91" => "#f07178",
        "32" | "92" => "#a5d67a",
        "33" | "93" => "#ffcb6b",
        "34" | "94" => "#82aaff",
        "35" | "95" => "#c792ea",
        "36" | "96" => "#7fdbca",
        _ => return style,
    };
    if let Some(start) = style.find(" fill=") {
        style.truncate(start);
    }
    style + &format!(" fill=\"{colour}\"")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans_and_markup_is_escaped() {
        let drawn = spans("a\u{1b}[1;32m<b>\u{1b}[0m c");
        assert_eq!(
            drawn,
            "<tspan>a</tspan><tspan font-weight=\"bold\" fill=\"#a5d67a\">&lt;b&gt;</tspan><tspan> c</tspan>"
        );
    }
}
