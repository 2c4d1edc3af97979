//! From a step of the plan to a task of a runner, and keeping secrets out of what comes back.

use std::collections::BTreeMap;

use crate::model::{ConnectionUrl, DatabaseId, Secret};
use crate::plan::{OptionValue, StepConfiguration};
use crate::runner::PrivateFile;

/// The databases' URLs, and with them every secret of a run.
#[derive(Debug, Clone)]
pub struct Connections(BTreeMap<DatabaseId, ConnectionUrl>);

impl Connections {
    /// The URLs by database.
    pub fn new(urls: BTreeMap<DatabaseId, ConnectionUrl>) -> Self {
        Self(urls)
    }

    /// The file as an oslo.config INI. A database that is not known leaves its option out; plans name
    /// databases of the cloud file only.
    pub fn render(&self, configuration: &StepConfiguration) -> PrivateFile {
        let mut text = String::from("# Made by leapfrog for one step; removed with it.\n");
        for (group, options) in &configuration.options {
            text.push_str(&format!("[{group}]\n"));
            for (option, value) in options {
                match value {
                    OptionValue::Text(value) => text.push_str(&format!("{option} = {}\n", escape(value))),
                    OptionValue::UrlOf(database) => {
                        if let Some(url) = self.0.get(database) {
                            text.push_str(&format!("{option} = {}\n", escape(url.for_service().expose())));
                        }
                    }
                }
            }
        }
        PrivateFile { path: configuration.path.clone(), content: Secret::new(text) }
    }

    /// What hides these databases' passwords in text that goes to a log or a screen.
    pub fn redactor(&self) -> Redactor {
        let mut secrets = Vec::new();
        for url in self.0.values() {
            if let Some(password) = url.password().filter(|password| !password.expose().is_empty()) {
                let service = url.for_service();
                let written = service.expose().split_once("://").map_or("", |(_, rest)| rest);
                let written = written.split_once('@').map_or("", |(user, _)| user);
                if let Some((_, written)) = written.split_once(':') {
                    secrets.push(Secret::new(written));
                }
                secrets.push(password.clone());
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        secrets.dedup();
        Redactor { secrets }
    }
}

/// oslo.config replaces `$name` in values; a doubled dollar sign stands for itself.
fn escape(value: &str) -> String {
    value.replace('$', "$$")
}

/// Hides known secrets in text.
#[derive(Debug, Clone)]
pub struct Redactor {
    /// Longest first, so that a secret that holds another is hidden whole.
    secrets: Vec<Secret>,
}

impl Redactor {
    /// The text with every secret replaced.
    pub fn redact(&self, text: String) -> String {
        let mut text = text;
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "(hidden)");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections() -> Connections {
        let url = "mysql://nova@db/nova?charset=utf8".parse::<ConnectionUrl>().expect("valid");
        let url = url.with_password(Secret::new("p$ss@w%rd"));
        Connections::new([("nova.api".parse().expect("valid"), url)].into())
    }

    #[test]
    fn a_step_gets_its_databases_urls_in_a_file_that_oslo_config_reads_back() {
        let configuration = StepConfiguration {
            path: "/etc/nova/nova.conf".into(),
            options: [
                (
                    "api_database".to_owned(),
                    [("connection".to_owned(), OptionValue::UrlOf("nova.api".parse().expect("valid")))].into(),
                ),
                ("database".to_owned(), [("max_retries".to_owned(), OptionValue::Text("1".into()))].into()),
            ]
            .into(),
        };
        let file = connections().render(&configuration);
        let text = file.content.expose();
        assert!(
            text.contains("[api_database]\nconnection = mysql+pymysql://nova:p%24ss%40w%25rd@db/nova?charset=utf8\n"),
            "{text}"
        );
        assert!(text.contains("[database]\nmax_retries = 1\n"));
        assert!(!format!("{file:?}").contains("p%24ss"));
    }

    #[test]
    fn a_password_is_hidden_as_it_is_and_as_it_is_escaped() {
        let redactor = connections().redactor();
        for text in ["using p$ss@w%rd here", "mysql://nova:p%24ss%40w%25rd@db/nova"] {
            let shown = redactor.redact(text.to_owned());
            assert!(shown.contains("(hidden)") && !shown.contains("ss@w") && !shown.contains("%24ss"), "{shown}");
        }
    }
}
