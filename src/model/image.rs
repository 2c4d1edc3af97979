//! What holds a release's code: container images and local environments, by reference and by digest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Series, Service};

/// What holds a release's code. Of an image: registry, repository, and a tag or a digest. Of an environment on this
/// machine: `local/2023.1`, or `local/2023.1/nova` where each service has one of its own; with a digest behind it
/// where it is pinned.
///
/// An image's registry is required because engines complete short names differently (Docker: Docker Hub;
/// Podman: a search list), and a cloud must not depend on which one answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ImageReference {
    registry: String,
    repository: String,
    /// `:tag` or `@sha256:…`, with its separator; nothing of an environment that is not pinned.
    version: String,
}

/// A text that is no usable image reference or digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No registry is named.
    #[error("`{0}` names no registry: write it in full, like quay.io/openstack.kolla/keystone:2024.1-ubuntu-jammy")]
    NoRegistry(String),
    /// Neither tag nor digest.
    #[error("`{0}` has neither a tag nor a digest: append :TAG (`latest` would not say which release it is)")]
    NoVersion(String),
    /// Characters that no reference has.
    #[error("`{0}` is not an image reference: lower-case path, then :TAG or @sha256:DIGEST")]
    Malformed(String),
    /// Not a digest.
    #[error("`{0}` is not a digest: sha256: and 64 hexadecimal digits")]
    Digest(String),
}

impl ImageReference {
    /// What stands in the place of a registry where the code is in an environment on this machine.
    const LOCAL: &str = "local";

    /// The environment of a release on this machine, or of one service in it.
    pub fn environment(series: &Series, service: Option<&Service>) -> Self {
        let repository = match service {
            Some(service) => format!("{series}/{service}"),
            None => series.to_string(),
        };
        Self { registry: Self::LOCAL.to_owned(), repository, version: String::new() }
    }

    /// Whether it is an environment on this machine, and no image.
    pub fn is_environment(&self) -> bool {
        self.registry == Self::LOCAL
    }

    /// What it is, in a word for operators.
    pub fn noun(&self) -> &'static str {
        if self.is_environment() { "environment" } else { "image" }
    }

    /// What is done to bring it here, in a word for operators.
    pub fn bringing(&self) -> &'static str {
        if self.is_environment() { "making" } else { "pulling" }
    }

    /// The registry's host, with its port where it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Registry and repository, without tag or digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, where it has one.
    pub fn tag(&self) -> Option<&str> {
        self.version.strip_prefix(':')
    }

    /// Whether it is an image of the container engine here and of no registry: `localhost/…`. With a port it is one of
    /// a registry on this machine.
    pub fn is_unpublished(&self) -> bool {
        self.registry == "localhost"
    }

    /// The same repository, pinned to `digest`.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { version: format!("@{digest}"), ..self.clone() }
    }
}

impl FromStr for ImageReference {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (registry, rest) = text.split_once('/').ok_or_else(|| ImageError::NoRegistry(text.to_owned()))?;
        if registry == Self::LOCAL {
            return environment(rest).ok_or_else(|| ImageError::NoRegistry(text.to_owned()));
        }
        if !(registry == "localhost" || registry.contains(['.', ':'])) {
            return Err(ImageError::NoRegistry(text.to_owned()));
        }
        let (repository, version) = match rest.split_once('@') {
            Some((repository, digest)) => {
                digest.parse::<Digest>()?;
                (repository.split(':').next().unwrap_or(repository), format!("@{digest}"))
            }
            None => {
                let (repository, tag) = rest.split_once(':').ok_or_else(|| ImageError::NoVersion(text.to_owned()))?;
                let valid = (1..=128).contains(&tag.len())
                    && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
                if !valid {
                    return Err(ImageError::Malformed(text.to_owned()));
                }
                (repository, format!(":{tag}"))
            }
        };
        let valid_registry = registry.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c));
        let valid_repository = repository.split('/').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        });
        if !valid_registry || !valid_repository {
            return Err(ImageError::Malformed(text.to_owned()));
        }
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), version })
    }
}

/// The environment that `text` names behind `local/`.
fn environment(text: &str) -> Option<ImageReference> {
    let (name, version) = match text.split_once('@') {
        Some((name, digest)) => (name, format!("@{}", digest.parse::<Digest>().ok()?)),
        None => (text, String::new()),
    };
    let (series, service) = match name.split_once('/') {
        Some((series, service)) => (series, Some(service.parse::<Service>().ok()?)),
        None => (name, None),
    };
    let series = series.parse::<Series>().ok()?;
    Some(ImageReference { version, ..ImageReference::environment(&series, service.as_ref()) })
}

impl TryFrom<String> for ImageReference {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}{}", self.registry, self.repository, self.version))
    }
}

/// A content digest, `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Digest(String);

impl Digest {
    /// The first twelve digits, as engines show them.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

impl FromStr for Digest {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = text
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        if valid { Ok(Self(text.to_owned())) } else { Err(ImageError::Digest(text.to_owned())) }
    }
}

impl TryFrom<String> for Digest {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_needs_a_registry_and_a_version() {
        for (text, expected) in [
            ("keystone:2024.1", "no registry"),
            ("openstack/keystone:2024.1", "no registry"),
            ("quay.io/keystone", "neither a tag"),
            ("127.0.0.1:5000/os", "neither a tag"),
            ("quay.io/Key:1", "not an image"),
            ("quay.io/a//b:1", "not an image"),
            ("quay.io/a:", "not an image"),
            ("quay.io/a@sha256:12", "not a digest"),
        ] {
            let message = text.parse::<ImageReference>().expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_digest_takes_the_place_of_a_tag() {
        let image: ImageReference = "127.0.0.1:5000/leapfrog/openstack:2024.1".parse().expect("valid");
        assert_eq!((image.registry(), image.name().as_str()), ("127.0.0.1:5000", "127.0.0.1:5000/leapfrog/openstack"));
        let digest: Digest = format!("sha256:{HEX}").parse().expect("valid");
        let pinned = image.pinned(&digest);
        assert_eq!(pinned.to_string(), format!("127.0.0.1:5000/leapfrog/openstack@sha256:{HEX}"));
        assert_eq!(pinned.to_string().parse::<ImageReference>(), Ok(pinned));
    }

    #[test]
    fn an_environment_of_this_machine_is_told_from_an_image() {
        let series: Series = "2023.1".parse().expect("a series");
        let whole = ImageReference::environment(&series, None);
        assert_eq!((whole.to_string().as_str(), whole.noun()), ("local/2023.1", "environment"));
        let digest: Digest = format!("sha256:{HEX}").parse().expect("valid");
        let nova = ImageReference::environment(&series, Some(&"nova".parse().expect("a service"))).pinned(&digest);
        assert_eq!(nova.to_string(), format!("local/2023.1/nova@sha256:{HEX}"));
        for reference in [whole, nova] {
            assert_eq!(reference.to_string().parse::<ImageReference>(), Ok(reference.clone()));
        }
        for text in ["local/openstack:2023.1", "local/2023.1/nova/x", "local/", "local/2023.1:tag"] {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
        let image: ImageReference = "localhost/os:1".parse().expect("valid");
        assert_eq!((image.is_environment(), image.noun()), (false, "image"));
    }

    proptest! {
        #[test]
        fn what_is_accepted_round_trips(text in "[a-z0-9.:/@-]{0,40}") {
            if let Ok(image) = text.parse::<ImageReference>() {
                prop_assert_eq!(image.to_string().parse::<ImageReference>(), Ok(image));
            }
        }
    }
}
