//! The operator's credentials for a registry, as `docker login` or `podman login` left them.
//!
//! Files are looked at in this order, and the first that knows the registry counts: the one that the
//! settings name; `REGISTRY_AUTH_FILE`; `config.json` in `DOCKER_CONFIG` or `~/.docker`; Podman's
//! `containers/auth.json`. A file may delegate to a credential helper, a program. A helper that fails
//! is no reason to stop, as most images need no login: the registry is asked without credentials,
//! and only if it refuses, the error tells of the helper too.

use std::fs;
use std::path::{Path, PathBuf};

use bollard::auth::DockerCredentials;
use camino::Utf8PathBuf;
use docker_credential::{CredentialRetrievalError, DockerCredential};

use crate::model::{ImageReference, Secret};

/// What the operator's files say about one registry.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// A user's name and password.
    Password {
        /// The user's name.
        user: String,
        /// The password, or an access token in its place.
        password: Secret,
        /// The file it was found through.
        file: PathBuf,
    },
    /// A token that takes the place of name and password.
    Token {
        /// The token.
        token: Secret,
        /// The file it was found through.
        file: PathBuf,
    },
    /// No file knows the registry.
    None {
        /// The files that were looked at and exist, or the usual one.
        files: Vec<PathBuf>,
    },
    /// A file knows the registry, and what it says could not be read.
    Unreadable {
        /// What is wrong, a sentence without secrets.
        why: String,
    },
}

impl Login {
    /// Looks for the credentials of the registry that `image` is in.
    pub(super) async fn find(image: &ImageReference, file: Option<&Utf8PathBuf>) -> Self {
        let files: Vec<PathBuf> = match file {
            Some(file) => vec![file.clone().into()],
            None => usual_files(),
        };
        let image = image.clone();
        // Reads files and may run a helper program, which may even ask for a passphrase.
        let search = tokio::task::spawn_blocking(move || search(&image, &files));
        match search.await {
            Ok(login) => login,
            Err(_) => Self::Unreadable { why: "The search for credentials broke off.".into() },
        }
    }

    /// The form in which the engine takes them.
    pub(super) fn credentials(&self, image: &ImageReference) -> Option<DockerCredentials> {
        let serveraddress = Some(server(image).to_owned());
        match self {
            Self::Password { user, password, .. } => Some(DockerCredentials {
                username: Some(user.clone()),
                password: Some(password.expose().to_owned()),
                serveraddress,
                ..DockerCredentials::default()
            }),
            Self::Token { token, .. } => Some(DockerCredentials {
                identitytoken: Some(token.expose().to_owned()),
                serveraddress,
                ..DockerCredentials::default()
            }),
            Self::None { .. } | Self::Unreadable { .. } => None,
        }
    }

    /// What an operator whose login was refused should know, a sentence.
    pub(super) fn story(&self, registry: &str) -> String {
        match self {
            Self::Password { user, file, .. } => {
                format!(
                    "The credentials of user `{user}` that {} holds for {registry} were not accepted.",
                    file.display()
                )
            }
            Self::Token { file, .. } => {
                format!("The token that {} holds for {registry} was not accepted; it may have expired.", file.display())
            }
            Self::None { files } => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                format!("No credentials for {registry} are in {}.", files.join(" or "))
            }
            Self::Unreadable { why } => why.clone(),
        }
    }
}

/// The name under which the credentials of an image's registry are stored.
fn server(image: &ImageReference) -> &str {
    match image.registry() {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => "https://index.docker.io/v1/",
        registry => registry,
    }
}

fn usual_files() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("HOME");
    [
        variable("REGISTRY_AUTH_FILE"),
        variable("DOCKER_CONFIG")
            .or_else(|| home.as_ref().map(|home| home.join(".docker")))
            .map(|d| d.join("config.json")),
        variable("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json")),
        home.map(|home| home.join(".config/containers/auth.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn search(image: &ImageReference, files: &[PathBuf]) -> Login {
    let mut unreadable = None;
    for file in files {
        match search_file(image, file) {
            Ok(Some(login)) => return login,
            Ok(None) => {}
            Err(why) => unreadable = unreadable.or(Some(why)),
        }
    }
    if let Some(why) = unreadable {
        return Login::Unreadable { why };
    }
    let existing: Vec<PathBuf> = files.iter().filter(|file| file.exists()).cloned().collect();
    Login::None { files: if existing.is_empty() { files.iter().take(1).cloned().collect() } else { existing } }
}

fn search_file(image: &ImageReference, file: &Path) -> Result<Option<Login>, String> {
    let content = match fs::read(file) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{} cannot be read: {error}.", file.display())),
    };
    for name in names(image, &content) {
        match docker_credential::get_credential_from_reader(content.as_slice(), &name) {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                return Ok(Some(Login::Password { user, password: Secret::new(password), file: file.into() }));
            }
            Ok(DockerCredential::IdentityToken(token)) => {
                return Ok(Some(Login::Token { token: Secret::new(token), file: file.into() }));
            }
            Err(error) => match unreadable(&error) {
                None => {}
                Some(why) => return Err(format!("{} names credentials for {name}, but {why}.", file.display())),
            },
        }
    }
    Ok(None)
}

/// The names to look for, the most exact first: Podman's file may hold credentials for a part of a registry.
///
/// A helper is only ever asked for the registry itself, and asking it takes time.
fn names(image: &ImageReference, content: &[u8]) -> Vec<String> {
    let known: serde_json::Value = serde_json::from_slice(content).unwrap_or_default();
    let mut names = Vec::new();
    let mut name = image.name();
    while let Some((shorter, _)) = name.rsplit_once('/') {
        if known["auths"].get(&name).is_some() {
            names.push(name.clone());
        }
        name = shorter.to_owned();
    }
    names.push(server(image).to_owned());
    names
}

/// What is wrong, unless it only means that there are no credentials. A helper's own words stay out: they may hold secrets.
fn unreadable(error: &CredentialRetrievalError) -> Option<String> {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => None,
        // What every helper answers that has nothing for the registry, with exit code 1.
        CredentialRetrievalError::HelperFailure { stdout, .. } if stdout.contains("credentials not found") => None,
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            Some(format!("the credential helper `{helper}` failed"))
        }
        CredentialRetrievalError::HelperCommunicationError => {
            Some("its credential helper (`credsStore` or `credHelpers`) cannot be started".into())
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            Some("its credential helper's answer makes no sense".into())
        }
        CredentialRetrievalError::CredentialDecodingError => Some("they are not in the usual base64 form".into()),
        CredentialRetrievalError::CredentialMismatchError => Some("they contradict themselves".into()),
        CredentialRetrievalError::ConfigReadError => Some("the file is no valid JSON of that kind".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str, image: &str) -> (Login, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("config.json");
        fs::write(&file, config).expect("written");
        (search(&image.parse().expect("valid"), &[file]), directory)
    }

    #[test]
    fn a_login_is_found_by_registry_and_by_a_part_of_it() {
        // alice:secret, robot:exact
        let config = r#"{"auths": {"quay.io": {"auth": "YWxpY2U6c2VjcmV0"}, "quay.io/openstack": {"auth": "cm9ib3Q6ZXhhY3Q="},
            "https://index.docker.io/v1/": {"identitytoken": "token"}}}"#;
        let user = |image: &str| match find(config, image).0 {
            Login::Password { user, password, .. } => format!("{user}:{}", password.expose()),
            Login::Token { token, .. } => token.expose().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(user("quay.io/other/nova:1"), "alice:secret");
        assert_eq!(user("quay.io/openstack/nova:1"), "robot:exact");
        assert_eq!(user("docker.io/openstack/nova:1"), "token");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let config = r#"{"auths": {"quay.io": {"auth": "YWxpY2U6c2VjcmV0"}}}"#;
        let (login, _directory) = find(config, "quay.io/nova:1");
        let shown = format!("{login:?} {}", login.story("quay.io"));
        assert!(shown.contains("alice") && !shown.contains("secret") && !shown.contains("YWxpY2U6"), "{shown}");
    }

    #[test]
    fn without_a_login_the_story_names_the_file_and_the_registry() {
        let (login, directory) = find("{}", "quay.io/nova:1");
        let file = directory.path().join("config.json").display().to_string();
        assert_eq!(login.story("quay.io"), format!("No credentials for quay.io are in {file}."));
        assert!(login.credentials(&"quay.io/nova:1".parse().expect("valid")).is_none());
    }

    #[test]
    fn a_helper_that_is_not_there_and_a_broken_file_are_told_not_fatal() {
        let (login, _directory) = find(r#"{"credsStore": "there-is-no-such-helper"}"#, "quay.io/nova:1");
        assert!(login.story("quay.io").contains("credential helper"), "{login:?}");
        let (login, _directory) = find("{", "quay.io/nova:1");
        assert!(login.story("quay.io").contains("no valid JSON"), "{login:?}");
    }
}
