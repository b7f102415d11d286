//! H37: the power is cut after something was acknowledged, or in the middle of it; what was acknowledged is there.

use windrow_testkit::{Binary, Cuttable, FileSystem, TestRepo, assert_same, root_only};

use crate::pool::{acquire, restore, windrow};

fn binary() -> Binary {
    Binary(env!("CARGO_BIN_EXE_windrow").into())
}

/// A repository on a file system whose power can be cut.
fn on(cuttable: &Cuttable) -> TestRepo {
    let repo = TestRepo::builder().inside(cuttable.path()).binary(binary()).build();
    let config = repo.surroundings().root().join("config/windrow");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("config.toml"), "[pool]\nmin_free = \"1MiB\"\n").unwrap();
    cuttable.sync();
    repo
}

#[test]
fn h37_another_device_number_after_the_reboot_makes_no_other_file_system() {
    let Some(root) = root_only("a file system on another device") else { return };
    let Some(mut cuttable) = Cuttable::new(root, FileSystem::Xfs) else { return };
    let repo = on(&cuttable);
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("untracked.txt", "untracked");
    let before = lease.files();
    cuttable.sync();
    cuttable.power_on();
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}
