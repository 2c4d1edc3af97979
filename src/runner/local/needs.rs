//! Which package needs which: what uv says beside each line of a lock, `# via nova, oslo-db`.
//!
//! With it a part of a release's lock can be taken that is whole in itself: what one service needs, in the very
//! versions that the release has for all of them.

use std::collections::{BTreeMap, BTreeSet};

/// The packages of a lock: the lines of each, and what needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::runner) struct Needs(BTreeMap<String, Package>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Package {
    version: String,
    /// Its lines in the lock, with its digests.
    lines: String,
    needed_by: BTreeSet<String>,
}

impl Needs {
    /// Reads what `uv pip compile --generate-hashes --annotate` writes.
    pub(super) fn parse(text: &str) -> Self {
        let mut needs = Self::default();
        let mut current = None;
        for line in text.lines() {
            if let Some(said) = line.trim_start().strip_prefix('#') {
                let said = said.trim();
                let by = said.strip_prefix("via").map_or(said, str::trim);
                if let Some(package) = current.as_ref().and_then(|name| needs.0.get_mut(name))
                    && !by.is_empty()
                    && line.starts_with(' ')
                {
                    package.needed_by.insert(normal(by));
                }
                continue;
            }
            if let Some((name, version)) = line.split_once("==").filter(|_| !line.starts_with(' ')) {
                let name = normal(name.split('[').next().unwrap_or(name));
                let end = version.find([' ', ';', '\\']).unwrap_or(version.len());
                needs.0.entry(name.clone()).or_default().version = version[..end].to_owned();
                current = Some(name);
            }
            if let Some(package) = current.as_ref().and_then(|name| needs.0.get_mut(name)) {
                package.lines.push_str(line);
                package.lines.push('\n');
            }
        }
        needs
    }

    /// The packages that `requirements` (`nova>=29,<30`) lead to, those themselves included.
    pub(in crate::runner) fn closure<'a>(
        &self,
        requirements: impl IntoIterator<Item = &'a String>,
        without: &[&str],
    ) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = requirements.into_iter().map(|text| name_of(text)).collect();
        found.retain(|name| self.0.contains_key(name));
        loop {
            let more: Vec<String> = self
                .0
                .iter()
                .filter(|(name, package)| {
                    !found.contains(*name)
                        && !without.contains(&name.as_str())
                        && !package.needed_by.is_disjoint(&found)
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// The lock of some of its packages.
    pub(super) fn lock_of(&self, names: &BTreeSet<String>) -> String {
        self.0.iter().filter(|(name, _)| names.contains(*name)).map(|(_, package)| package.lines.as_str()).collect()
    }

    /// The version that a requirement was resolved to.
    pub(in crate::runner) fn version(&self, requirement: &str) -> Option<&str> {
        self.0.get(&name_of(requirement)).map(|package| package.version.as_str())
    }
}

/// The name in a requirement, as uv writes it: `psycopg2-binary` of `psycopg2_binary[x]>=2`.
fn name_of(requirement: &str) -> String {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(requirement.len());
    normal(&requirement[..end])
}

/// A package's name in its one normal form (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::new();
    for part in name.trim().split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(&part.to_ascii_lowercase());
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "\
alembic==1.13.2 \\
    --hash=sha256:1ff0
    # via
    #   nova
    #   oslo-db
nova==29.0.2 \\
    --hash=sha256:2a \\
    --hash=sha256:2b
    # via -r -
numpy==2.0.0 ; python_full_version >= '3.9' \\
    --hash=sha256:3
    # via websockify
oslo-db[x]==15.0.0 \\
    --hash=sha256:4
    # via keystone
websockify==0.12.0 \\
    --hash=sha256:5
    # via nova
";

    #[test]
    fn a_part_of_a_lock_is_whole_in_itself() {
        let needs = Needs::parse(LOCK);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        let nova = ["nova>=29,<30".to_owned()];
        assert_eq!(needs.closure(&nova, &[]), names(&["alembic", "nova", "numpy", "websockify"]));
        assert_eq!(needs.closure(&nova, &["websockify"]), names(&["alembic", "nova"]));
        assert_eq!(needs.closure(&["Oslo.DB".to_owned(), "unknown".to_owned()], &[]), names(&["alembic", "oslo-db"]));
        assert_eq!((needs.version("nova>=29,<30"), needs.version("oslo_db")), (Some("29.0.2"), Some("15.0.0")));
        assert_eq!(needs.version("numpy"), Some("2.0.0"));
        assert_eq!(
            needs.lock_of(&names(&["nova", "numpy"])),
            "nova==29.0.2 \\\n    --hash=sha256:2a \\\n    --hash=sha256:2b\n\
             numpy==2.0.0 ; python_full_version >= '3.9' \\\n    --hash=sha256:3\n"
        );
    }

    #[test]
    fn a_name_has_one_form() {
        for (text, name) in [
            ("nova>=29,<30", "nova"),
            ("Foo.Bar_baz[extra]", "foo-bar-baz"),
            ("PyMySQL", "pymysql"),
            ("setuptools<81", "setuptools"),
            ("a ; python_version > '3'", "a"),
        ] {
            assert_eq!(name_of(text), name);
        }
    }
}
