//! Which directories hold only what can be made again.

/// Why a directory may be dropped without a rescue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Disposable {
    /// It says so itself. *Source*: the Cache Directory Tagging Specification (bford.info/cachedir).
    CacheTag,
    /// A build tool's output beside the file that it is made from.
    BuildOutput {
        /// The file beside it, such as `Cargo.toml`.
        manifest: &'static str,
    },
    /// The user's own list (`[rescue] disposable`).
    Configured,
}

impl Disposable {
    /// A build tool's output beside a file of that name; `None` when no such file is known.
    #[must_use]
    pub fn of_manifest(name: &str) -> Option<Self> {
        let known = OUTPUTS.iter().flat_map(|(_, beside)| beside.iter());
        let manifest = known.copied().find(|known| *known == name)?;
        Some(Self::BuildOutput { manifest })
    }
}

/// What is seen of a directory from outside.
#[derive(Clone, Copy, Debug)]
pub struct DirectorySigns<'a> {
    /// Its own name.
    pub name: &'a [u8],
    /// The names beside it in its parent.
    pub siblings: &'a [&'a [u8]],
    /// Whether it holds a file `CACHEDIR.TAG` that begins with the signature.
    pub cache_tag: bool,
}

/// Directory name, and the files of which one must stand beside it.
const OUTPUTS: [(&str, &[&str]); 22] = [
    ("target", &["Cargo.toml", "pom.xml", "build.sbt"]),
    ("node_modules", &["package.json"]),
    (".next", &["package.json"]),
    (".nuxt", &["package.json"]),
    (".turbo", &["package.json", "turbo.json"]),
    (".parcel-cache", &["package.json"]),
    (".svelte-kit", &["package.json"]),
    (".venv", &["pyproject.toml", "requirements.txt", "setup.py", "uv.lock", "Pipfile"]),
    ("venv", &["pyproject.toml", "requirements.txt", "setup.py", "Pipfile"]),
    (".tox", &["tox.ini", "pyproject.toml", "setup.cfg"]),
    (".nox", &["noxfile.py"]),
    (".pytest_cache", &["pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini", "conftest.py", "setup.py"]),
    (".mypy_cache", &["pyproject.toml", "mypy.ini", "setup.cfg", "setup.py"]),
    (".ruff_cache", &["pyproject.toml", "ruff.toml"]),
    ("build", &["CMakeLists.txt", "meson.build", "build.gradle", "build.gradle.kts"]),
    ("cmake-build-debug", &["CMakeLists.txt"]),
    ("cmake-build-release", &["CMakeLists.txt"]),
    (".gradle", &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"]),
    ("_build", &["mix.exs", "dune-project"]),
    ("deps", &["mix.exs"]),
    (".zig-cache", &["build.zig"]),
    ("zig-out", &["build.zig"]),
];

/// Tells whether a directory that git does not track holds only what can be made again.
///
/// Names alone never decide: the manifest must stand beside it. `__pycache__` is the one exception, because only Python
/// writes there.
#[must_use]
pub fn disposable_directory(signs: &DirectorySigns<'_>) -> Option<Disposable> {
    if signs.cache_tag {
        return Some(Disposable::CacheTag);
    }
    if signs.name == b"__pycache__" {
        return Some(Disposable::BuildOutput { manifest: "*.py" });
    }
    let manifests = OUTPUTS.iter().find(|(name, _)| name.as_bytes() == signs.name)?.1;
    let manifest = manifests.iter().find(|file| signs.siblings.contains(&file.as_bytes()))?;
    Some(Disposable::BuildOutput { manifest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(name: &str, siblings: &[&[u8]]) -> Option<Disposable> {
        disposable_directory(&DirectorySigns { name: name.as_bytes(), siblings, cache_tag: false })
    }

    #[test]
    fn an_output_needs_its_manifest_beside_it() {
        assert_eq!(
            judge("target", &[b"Cargo.toml"]),
            Some(Disposable::BuildOutput { manifest: "Cargo.toml" })
        );
        assert_eq!(judge("target", &[b"README.md"]), None);
        assert_eq!(judge("build", &[b"package.json"]), None);
        assert_eq!(judge("notes", &[b"Cargo.toml"]), None);
    }

    #[test]
    fn a_tag_decides_alone() {
        let signs = DirectorySigns { name: b"anything", siblings: &[], cache_tag: true };
        assert_eq!(disposable_directory(&signs), Some(Disposable::CacheTag));
    }
}
