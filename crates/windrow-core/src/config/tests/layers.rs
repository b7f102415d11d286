//! Precedence, origins and the defaults.

use std::time::Duration;

use windrow_model::{
    DeleteBranch, LandStrategy, LogMode, SeedChoice, Settings, Strategy, StrategyChoice, Submodules,
};

use super::{Fixture, value};
use crate::config::{Origin, Sources, environment_name, keys, load};

#[test]
fn without_sources_everything_is_default() {
    let loaded = load(&Sources::default(), "0.1.0").unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert!(loaded.warnings.is_empty());
    assert!(loaded.values.iter().all(|value| value.origin == Origin::Default));
}

#[test]
fn files_that_do_not_exist_add_nothing() {
    let fixture = Fixture::new();
    assert_eq!(fixture.load().unwrap().settings, Settings::default());
}

#[test]
fn values_are_complete_and_sorted() {
    let loaded = Fixture::new().load().unwrap();
    let listed: Vec<_> = loaded.values.iter().map(|value| value.key.as_str()).collect();
    let mut known: Vec<_> = keys().iter().map(|doc| doc.key).collect();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn the_table_names_the_defaults_of_the_model() {
    let loaded = Fixture::new().load().unwrap();
    for doc in keys() {
        assert_eq!(value(&loaded, doc.key).value, doc.default, "{}", doc.key);
    }
}

const EVERY_KEY: &str = r#"
min_version = "1.0"
[discovery]
depth = 3
[pool]
max_worktrees = 8
directory = "/scratch/{name}"
min_free = "5GiB"
ttl = "30m"
keeper = false
maintenance = false
warm = 3
strategy = "clone"
templates = 2
idle = "1d"
max_bytes = "7GiB"
[branch]
template = "pilot/{key}"
delete = "pushed"
[carry]
include = [".env"]
link = ["node_modules"]
exclude = ["*.pem"]
context = [".mine"]
max_size = 4096
[seed]
cargo = "off"
max_bytes = "3MiB"
wait = "7s"
shared_target = true
go_trimpath = true
[rescue]
keep = "2d"
max_size = "1GiB"
total_size = "3GiB"
disposable = ["*.log"]
[run]
grace = 9
log = "always"
log_size = 0x1000
keep = "1h30m"
[submodules]
populate = "recursive"
[task]
states = ["open", "shut"]
[ports]
count = 3
range = "4000-4999"
[env]
DATABASE = "app_{slug}"
[guard]
max_files = 7
[land]
strategy = "ff"
verify = "make test"
verify_timeout = "9m"

[push]
timeout = "90s"
hooks = true
pr_command = "gh pr create"
"#;

#[test]
fn every_key_is_read_from_a_file() {
    let fixture = Fixture::new().user(EVERY_KEY);
    let loaded = fixture.load().unwrap();
    let Settings {
        discovery,
        pool,
        branch,
        carry,
        rescue,
        run,
        task,
        ports,
        env,
        submodules,
        guard,
        seed,
        land,
        push,
    } = loaded.settings;
    assert_eq!((push.timeout, push.hooks), (Duration::from_secs(90), true));
    assert_eq!(push.pr_command.as_deref(), Some("gh pr create"));
    assert_eq!((ports.count, ports.range.to_string().as_str()), (3, "4000-4999"));
    assert_eq!(env.into_iter().collect::<Vec<_>>(), [("DATABASE".to_owned(), "app_{slug}".to_owned())]);
    assert_eq!((land.strategy, land.verify.as_deref()), (LandStrategy::FastForward, Some("make test")));
    assert_eq!(land.verify_timeout, Duration::from_secs(540));
    assert_eq!(task.states, ["open", "shut"]);
    assert_eq!((discovery.depth, pool.max_worktrees), (3, Some(8)));
    assert_eq!((pool.directory.as_str(), pool.min_free_bytes), ("/scratch/{name}", 5 << 30));
    assert_eq!((pool.ttl, pool.keeper, pool.maintenance), (Duration::from_secs(1_800), false, false));
    assert_eq!((pool.warm, pool.templates, pool.idle), (3, 2, Duration::from_secs(86_400)));
    assert_eq!((pool.strategy, pool.max_bytes), (StrategyChoice::Only(Strategy::Clone), Some(7 << 30)));
    assert_eq!((branch.template.to_string().as_str(), branch.delete), ("pilot/{key}", DeleteBranch::Pushed));
    assert_eq!((carry.include, carry.link), (vec![".env".to_owned()], vec!["node_modules".to_owned()]));
    assert_eq!((carry.exclude, carry.context), (vec!["*.pem".to_owned()], vec![".mine".to_owned()]));
    assert_eq!((carry.max_bytes, rescue.max_bytes, rescue.total_bytes), (4096, 1 << 30, 3 << 30));
    assert_eq!((rescue.keep, rescue.disposable), (Duration::from_secs(172_800), vec!["*.log".to_owned()]));
    assert_eq!((run.grace, run.log, run.log_bytes), (Duration::from_secs(9), LogMode::Always, 4096));
    assert_eq!((run.keep, submodules), (Duration::from_secs(5_400), Submodules::Recursive));
    assert_eq!((guard.max_files, seed.shared_target, seed.go_trimpath), (7, true, true));
    assert_eq!((seed.cargo, seed.max_bytes, seed.wait), (SeedChoice::Off, 3 << 20, Duration::from_secs(7)));
    assert!(loaded.values.iter().all(|value| value.origin == Origin::User(fixture.user_file())));
}

#[test]
fn a_later_layer_wins() {
    let key = "run.grace";
    let layered = Fixture::new();
    let name = environment_name(key);
    let expect = |fixture: &Fixture, seconds, origin| {
        let loaded = fixture.load().unwrap();
        assert_eq!(loaded.settings.run.grace, Duration::from_secs(seconds));
        assert_eq!(value(&loaded, key).origin, origin);
    };
    let layered = layered.user("run.grace = 1");
    expect(&layered, 1, Origin::User(layered.user_file()));
    let layered = layered.repository("run.grace = 2");
    expect(&layered, 2, Origin::Repository(layered.repository_file()));
    let layered = layered.private("run.grace = 3");
    expect(&layered, 3, Origin::Private(layered.private_file()));
    let layered = layered.environment(name.clone(), "4");
    expect(&layered, 4, Origin::Environment(name));
    let layered = layered.flag(key, "5").flag(key, "6");
    expect(&layered, 6, Origin::Flag(key.to_owned()));
}

#[test]
fn lists_replace_and_layers_mix() {
    let fixture = Fixture::new()
        .user("[carry]\ninclude = ['a', 'b']\nlink = ['l']")
        .private("[carry]\ninclude = ['c']\n[pool]\nmax_worktrees = 4")
        .flag("pool.max_worktrees", "unlimited");
    let settings = fixture.load().unwrap().settings;
    assert_eq!((settings.carry.include, settings.carry.link), (vec!["c".to_owned()], vec!["l".to_owned()]));
    assert_eq!(settings.pool.max_worktrees, None);
}

#[test]
fn text_is_read_by_the_kind_of_the_key() {
    let fixture = Fixture::new()
        .flag("discovery.depth", "2")
        .flag("pool.ttl", "'45m'")
        .flag("pool.min_free", "10")
        .flag("branch.delete", "\"never\"")
        .flag("carry.include", ".env")
        .flag("carry.link", "[]")
        .flag("carry.exclude", r#"["[ab].key", "c"]"#);
    let settings = fixture.load().unwrap().settings;
    assert_eq!((settings.discovery.depth, settings.pool.ttl), (2, Duration::from_secs(2_700)));
    assert_eq!((settings.pool.min_free_bytes, settings.branch.delete), (10, DeleteBranch::Never));
    assert_eq!(settings.carry.include, [".env"]);
    assert_eq!(settings.carry.exclude, ["[ab].key", "c"]);
    assert!(settings.carry.link.is_empty());
}

#[test]
fn other_variables_are_none_of_ours() {
    let fixture = Fixture::new()
        .environment("WINDROW_NAME", "quiet-fern")
        .environment("WINDROW_POOL_TTL", "nonsense")
        .environment("WINDROW_CONFIG", "/somewhere")
        .environment("XWINDROW_CONFIG__POOL__TTL", "1s")
        .environment("WINDROW_CONFIG__POOL__TTL", "7s");
    let loaded = fixture.load().unwrap();
    let only = Settings {
        pool: windrow_model::PoolSettings { ttl: Duration::from_secs(7), ..Default::default() },
        ..Default::default()
    };
    assert_eq!(loaded.settings, only);
}

#[test]
fn what_is_listed_reads_back_as_itself() {
    let before = Fixture::new().user("[carry]\ninclude = ['q\"\\', \"t\\tab\"]\n[pool]\nttl = 90061");
    let before = before.load().unwrap();
    let text: String =
        before.values.iter().map(|value| format!("{} = {}\n", value.key, value.value)).collect();
    let after = Fixture::new().user(&text).load().unwrap();
    assert_eq!(after.settings, before.settings);
}

#[test]
fn variables_come_from_every_layer_but_the_committed_one() {
    let fixture = Fixture::new()
        .user("[env]\nA = \"user\"\nB = \"user\"\n")
        .private("[env]\nB = \"{port_1}\"\n")
        .environment("WINDROW_CONFIG__ENV__Mixed_Case", "{name}")
        .flag("env.C", "flag");
    let loaded = fixture.load().unwrap();
    let set: Vec<_> = loaded.settings.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(set, ["A=user", "B={port_1}", "C=flag", "Mixed_Case={name}"]);
    assert_eq!(value(&loaded, "env.B").origin, Origin::Private(fixture.private_file()));
    let committed = Fixture::new().repository("[env]\nA = \"x\"\n");
    assert!(committed.message().contains("`env.A` is refused"), "{}", committed.message());
    for wrong in [
        "PATH = 3",
        "A = \"{nme}\"",
        "GIT_DIR = \"/x\"",
        "WINDROW_NAME = \"x\"",
        "1A = \"x\"",
        "A = { b = 1 }",
    ] {
        let told = Fixture::new().user(&format!("[env]\n{wrong}\n")).message();
        assert!(told.contains("`env."), "{told}");
    }
}
