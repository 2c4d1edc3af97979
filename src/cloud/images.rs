//! Image patterns: which image holds a service's code in a release.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{ImageError, ImageReference, Series, Service};

/// The pattern of a cloud file that nobody has told where its images are. `.invalid` is no host's name (RFC 2606).
pub const UNNAMED: &str = "registry.invalid/name-your-images:{series}";

/// Looks whether a text can be a pattern for all services.
///
/// # Errors
/// What is wrong with it.
pub fn check_pattern(text: &str) -> Result<(), PatternError> {
    let service = "barbican".parse().map_err(|_| PatternError::NoRelease)?;
    ImagePattern::new(text, &service).map(drop)
}

/// An image reference with placeholders: `{series}`, `{codename}` and `{service}`. A pattern that was
/// read makes a valid reference and another one for each release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImagePattern(String);

/// A text that is no image pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A placeholder that does not exist.
    #[error("`{{{0}}}` is no placeholder: there are {{series}}, {{codename}} and {{service}}")]
    Placeholder(String),
    /// A brace without its other half.
    #[error("a brace has no other half: placeholders are {{series}}, {{codename}} and {{service}}")]
    Brace,
    /// The same image for every release.
    #[error("the pattern names the same image for every release: put {{series}} or {{codename}} in it")]
    NoRelease,
    /// What the pattern makes is no reference.
    #[error("the pattern makes no image reference: {0}")]
    Reference(#[from] ImageError),
}

/// Why there is no image for a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoImage {
    /// Neither a pattern of its own nor a default.
    #[error("find an image for {0}: the cloud file has no pattern for it under runner.containers.images")]
    Pattern(Service),
    /// The pattern is the one that `leapfrog init` writes where it knows none.
    #[error(
        "find an image for {0}: the cloud file does not say yet where images are. Write it under runner.containers.images, \
         like quay.io/openstack.kolla/nova-api:{{series}}-ubuntu-jammy for a service or \
         registry.example:5000/openstack:{{series}} for all"
    )]
    Unnamed(Service),
    /// The release's codename does not fit into an image reference.
    #[error("find an image for {service}")]
    Reference {
        /// The service.
        service: Service,
        /// What is wrong with the reference.
        #[source]
        source: ImageError,
    },
}

impl ImagePattern {
    pub(super) fn new(text: &str, service: &Service) -> Result<Self, PatternError> {
        let mut rest = text;
        let (mut names_release, mut plain) = (false, String::new());
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let (name, after) = after.split_once('}').ok_or(PatternError::Brace)?;
            match name {
                "series" | "codename" => names_release = true,
                "service" => {}
                other => return Err(PatternError::Placeholder(other.to_owned())),
            }
            rest = after;
        }
        plain.push_str(rest);
        if plain.contains('}') {
            return Err(PatternError::Brace);
        }
        if !names_release {
            return Err(PatternError::NoRelease);
        }
        let pattern = Self(text.to_owned());
        pattern.fill(service, "2024.1", "caracal").parse::<ImageReference>()?;
        Ok(pattern)
    }

    fn fill(&self, service: &Service, series: &str, codename: &str) -> String {
        let text = self.0.replace("{series}", series).replace("{codename}", codename);
        text.replace("{service}", service.as_str())
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The patterns of a cloud: one for all, and some services' own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Images {
    pub(super) default: Option<ImagePattern>,
    pub(super) services: BTreeMap<Service, ImagePattern>,
}

impl Images {
    pub(super) fn image(&self, service: &Service, series: &Series, codename: &str) -> Result<ImageReference, NoImage> {
        let pattern = self.services.get(service).or(self.default.as_ref());
        let pattern = pattern.ok_or_else(|| NoImage::Pattern(service.clone()))?;
        if pattern.0 == UNNAMED {
            return Err(NoImage::Unnamed(service.clone()));
        }
        let reference = pattern.fill(service, series.as_str(), codename).parse();
        reference.map_err(|source| NoImage::Reference { service: service.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> Service {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_pattern_is_filled_for_each_service_and_release() {
        let nova = service("nova");
        let pattern = ImagePattern::new("quay.io/os/{service}-api:{series}-{codename}", &nova).expect("valid");
        let images = Images { default: Some(pattern), services: BTreeMap::new() };
        let image = images.image(&nova, &"2023.1".parse().expect("valid"), "antelope").expect("valid");
        assert_eq!(image.to_string(), "quay.io/os/nova-api:2023.1-antelope");
        let wrong = images.image(&nova, &"2023.1".parse().expect("valid"), "ante lope");
        assert!(matches!(wrong, Err(NoImage::Reference { .. })));
        let none = Images::default().image(&nova, &"2023.1".parse().expect("valid"), "antelope");
        assert_eq!(none, Err(NoImage::Pattern(nova.clone())));
        let unnamed = ImagePattern::new(UNNAMED, &nova).expect("valid");
        let images = Images { default: Some(unnamed), services: BTreeMap::new() };
        let none = images.image(&nova, &"2023.1".parse().expect("valid"), "antelope").expect_err("no image");
        assert!(none.to_string().contains("does not say yet where images are"), "{none}");
    }

    #[test]
    fn a_pattern_that_cannot_work_says_why() {
        for (text, expected) in [
            ("quay.io/os/keystone:{release}", "`{release}` is no placeholder"),
            ("quay.io/os/keystone:{series", "no other half"),
            ("quay.io/os/keystone:series}", "no other half"),
            ("quay.io/os/keystone:latest", "same image for every release"),
            ("keystone:{series}", "no registry"),
            ("quay.io/os/Keystone:{series}", "not an image reference"),
            ("quay.io/os/keystone", "same image"),
        ] {
            let message = ImagePattern::new(text, &service("keystone")).expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
