//! From a step of the plan to a task of a runner, and keeping secrets out of what comes back.

use std::collections::BTreeMap;

use crate::model::{ConnectionUrl, DatabaseId, Engine, Secret};
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

    /// The engine of a database.
    pub fn engine(&self, database: &DatabaseId) -> Option<Engine> {
        self.0.get(database).map(ConnectionUrl::engine)
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
        PrivateFile {
            path: configuration.path.clone(),
            passed_with: configuration.passed_with.as_ref().map(ToString::to_string),
            content: Secret::new(text),
        }
    }

    /// What hides these databases' passwords in text that goes to a log or a screen.
    pub fn redactor(&self) -> Redactor {
        let passwords = self.0.values().filter_map(ConnectionUrl::password);
        let mut secrets: Vec<Secret> = passwords.flat_map(|password| spellings(password.expose())).collect();
        secrets.sort_by(|one, two| (two.expose().len(), two.expose()).cmp(&(one.expose().len(), one.expose())));
        secrets.dedup();
        Redactor { secrets }
    }
}

/// oslo.config replaces `$name` in values; a doubled dollar sign stands for itself.
fn escape(value: &str) -> String {
    value.replace('$', "$$")
}

/// The ways in which programs write a password: as it is, and as part of a URL. SQLAlchemy 1.4 escapes
/// `:`, `@` and `/` only, 2.0 all but a space and `+`; Python's `quote` leaves `/`, `quote_plus` makes `+` of
/// a space; configuration files double a percent sign. leapfrog's own files escape all they can.
fn spellings(password: &str) -> Vec<Secret> {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let all = escaped(password, unreserved);
    let mut forms = vec![
        password.to_owned(),
        all.replace("%20", "+"),
        escaped(password, |c| unreserved(c) || c == '/'),
        escaped(password, |c| unreserved(c) || c == ' ' || c == '+'),
        escaped(password, |c| !":@/".contains(c)),
        all,
    ];
    forms.retain(|form| !form.is_empty());
    forms.extend(forms.clone().iter().skip(1).map(|form| lower_digits(form)));
    forms.extend(forms.clone().iter().map(|form| form.replace('%', "%%")));
    forms.into_iter().map(Secret::new).collect()
}

/// `text` with every character escaped that `keeps` does not keep.
fn escaped(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if keeps(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    escaped
}

/// `%2F` as `%2f`.
fn lower_digits(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
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
            passed_with: None,
            options: [
                (
                    "api_database".into(),
                    [("connection".into(), OptionValue::UrlOf("nova.api".parse().expect("valid")))].into(),
                ),
                ("database".into(), [("max_retries".into(), OptionValue::Text("1".into()))].into()),
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
    fn a_password_is_hidden_however_a_program_writes_it() {
        let redactor = connections().redactor();
        for text in [
            "using p$ss@w%rd here",
            "mysql://nova:p%24ss%40w%25rd@db/nova",
            "mysql://nova:p$ss%40w%rd@db/nova",
            "mysql://nova:p%24ss%40w%25rd@db/nova and p%%24ss%%40w%%25rd",
        ] {
            let shown = redactor.redact(text.to_owned());
            assert!(shown.contains("(hidden)") && !shown.contains("ss") && !shown.contains("rd"), "{shown}");
        }
        let url = "mysql://n@db/n".parse::<ConnectionUrl>().expect("valid").with_password(Secret::new("a/b c+d\u{e9}"));
        let redactor = Connections::new([("nova.api".parse().expect("valid"), url)].into()).redactor();
        for text in
            ["a/b c+d\u{e9}", "a%2Fb+c%2Bd%C3%A9", "a%2fb%20c%2bd%c3%a9", "a/b%20c%2Bd%C3%A9", "a%2Fb c+d%C3%A9"]
        {
            assert_eq!(redactor.redact(format!("<{text}>")), "<(hidden)>");
        }
    }

    #[test]
    fn without_a_password_nothing_is_hidden() {
        let empty = "mysql://n@db/n".parse::<ConnectionUrl>().expect("valid").with_password(Secret::new(""));
        let redactor = Connections::new([("nova.api".parse().expect("valid"), empty)].into()).redactor();
        assert_eq!(redactor.redact("any text".into()), "any text");
    }
}
