//! Build caches that come along: which times sources are given, and what a compiler has noted about one of its outputs.

use crate::Stamp;

/// Whether a build tool's cache comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SeedChoice {
    /// Where it can be done safely and cheaply.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// A kind of build cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeedTool {
    /// `target/` of cargo.
    Cargo,
}

impl SeedTool {
    /// Its name in outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
        }
    }
}

/// The time of change to give a file that holds what the seed's own source holds; `None` when it must count as changed.
///
/// A build tool takes an output for fresh when no source's time is later than the moment it was built. The time is the source's own,
/// unless something was built between that time and the moment that the kernel last saw the source change: a time can be set
/// back, that moment cannot. `builds` are the moments of all outputs, in order.
#[must_use]
pub fn seeded_time(changed: Stamp, seen: Stamp, builds: &[Stamp]) -> Option<Stamp> {
    let next = builds.get(builds.partition_point(|built| *built < changed));
    let doubtful = next.is_some_and(|built| *built <= seen.max(changed));
    (!doubtful).then_some(changed)
}

/// What a dependency file of rustc says about where an output was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepInfo {
    /// Sources are named relative to the workspace: the package is one of its own.
    pub local: bool,
    /// A variable that was compiled in holds the path of the checkout.
    pub baked: bool,
    /// Sources named by their absolute path inside the checkout, outside the target directory.
    pub inside: Vec<Vec<u8>>,
}

impl DepInfo {
    /// Reads a dependency file that was written below `target` in the checkout at `root`.
    ///
    /// *Source*: rustc's `write_out_deps`: a rule for each output, a rule without prerequisites for each source, and a line
    /// `# env-dep:NAME=VALUE` for each variable that was compiled in.
    #[must_use]
    pub fn read(text: &[u8], root: &[u8], target: &[u8]) -> Self {
        let mut found = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            if let Some(variable) = line.strip_prefix(b"# env-dep:") {
                found.baked |= names_a_place(variable) || mentions(variable, root);
            } else if let Some(source) = line.strip_suffix(b":") {
                found.add_source(unescape(source), root, target);
            }
        }
        found
    }

    fn add_source(&mut self, source: Vec<u8>, root: &[u8], target: &[u8]) {
        if source.first() != Some(&b'/') {
            self.local = true;
        } else if is_below(&source, root) && !is_below(&source, target) {
            self.inside.push(source);
        }
    }
}

/// Variables of cargo's that say where something lies, whatever path the build was begun by.
fn names_a_place(variable: &[u8]) -> bool {
    const PLACES: [&[u8]; 4] =
        [b"CARGO_MANIFEST_DIR=", b"CARGO_MANIFEST_PATH=", b"CARGO_TARGET_TMPDIR=", b"OUT_DIR="];
    variable.starts_with(b"CARGO_BIN_EXE_") || PLACES.iter().any(|place| variable.starts_with(place))
}

/// Tells whether a text holds a path, as it is or with its backslashes doubled, as rustc writes them.
#[must_use]
pub fn mentions(text: &[u8], path: &[u8]) -> bool {
    let doubled: Vec<u8> =
        path.iter().flat_map(|byte| std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'\\'))).collect();
    holds(text, path) || (doubled != path && holds(text, &doubled))
}

/// Tells whether a text holds a path at a place that is not the beginning of another one.
#[must_use]
pub fn mentions_outside(text: &[u8], path: &[u8], other: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = find(rest, path) {
        if !rest[at..].starts_with(other) {
            return true;
        }
        rest = &rest[at + path.len()..];
    }
    false
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    find(text, wanted).is_some()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    bstr::ByteSlice::find(text, wanted)
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Blanks are written with a backslash before them.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' || bytes.peek() != Some(&b' ') {
            plain.push(byte);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Stamp {
        Stamp { seconds, nanos: 0 }
    }

    #[test]
    fn h32_a_time_that_was_set_back_over_a_build_is_not_given() {
        let builds = [at(10), at(20)];
        for (changed, seen, given) in [
            (5, 5, true),
            (5, 9, true),
            (12, 15, true),
            (25, 25, true),
            // Written after the build of 10, dated before it.
            (5, 11, false),
            (5, 10, false),
            (12, 30, false),
            // In the very moment of a build nobody knows what it saw.
            (10, 10, false),
        ] {
            let expected = given.then_some(at(changed));
            assert_eq!(seeded_time(at(changed), at(seen), &builds), expected, "{changed} {seen}");
        }
        assert_eq!(seeded_time(at(5), at(50), &[]), Some(at(5)));
    }

    #[test]
    fn a_dependency_file_tells_whose_and_where() {
        let text = b"/w/repo/target/debug/deps/t-1.d: a\\ b/t.rs\n\na\\ b/t.rs:\n/w/repo/target/debug/build/x/out/y.rs:\n\
            /w/repo/vendor/z.rs:\n/w/repository/q.rs:\n\n# env-dep:CARGO_BIN_EXE_b=/w/repo/target/debug/b\n";
        let found = DepInfo::read(text, b"/w/repo", b"/w/repo/target");
        assert_eq!(
            found,
            DepInfo { local: true, baked: true, inside: vec![b"/w/repo/vendor/z.rs".to_vec()] }
        );
        let other = b"/home/u/.cargo/registry/src/x/lib.rs:\n\n# env-dep:CARGO_PKG_NAME=x\n# env-dep:UNSET\n";
        assert_eq!(DepInfo::read(other, b"/w/repo", b"/w/repo/target"), DepInfo::default());
    }

    #[test]
    fn a_path_is_found_where_it_is_not_part_of_the_other() {
        let out = b"/w/t/build/x-1/out";
        assert!(!mentions_outside(b"cargo:root=/w/t/build/x-1/out/lib", b"/w", out));
        assert!(mentions_outside(b"a=/w/t/build/x-1/out b=/w/src", b"/w", out));
        assert!(mentions(b"X=C:\\\\w\\\\t", b"C:\\w"));
    }
}
