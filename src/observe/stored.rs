//! Database URLs that databases store: where they lead, without their passwords.
//!
//! nova keeps a URL per cell in `nova_api.cell_mappings`. It may be a template: `{scheme}`,
//! `{username}`, `{password}`, `{hostname}`, `{port}`, `{path}`, `{query}` and `{fragment}` stand for
//! the parts of `[database] connection` (nova: `CellMapping._format_url`, Python's `str.format`). Which
//! database that is depends on the command, so a template counts only where it leads to the same
//! database whichever it is taken from.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{ConnectionUrl, DatabaseId, MappedUrl, Secret, StoredUrl};

/// Where the URL `text`, stored under `name`, leads among `targets`.
pub(super) fn lead(name: String, text: &str, targets: &BTreeMap<&DatabaseId, &ConnectionUrl>) -> StoredUrl {
    let forms: BTreeSet<String> = if text.contains('{') {
        targets.values().map(|base| expand(text, base).unwrap_or_else(|| text.to_owned())).collect()
    } else {
        BTreeSet::from([text.to_owned()])
    };
    let urls: Vec<Option<ConnectionUrl>> = forms.iter().map(|form| form.parse().ok()).collect();
    let same = |one: &ConnectionUrl| urls.iter().all(|url| url.as_ref().is_some_and(|url| url.same_database(one)));
    match urls.first() {
        Some(Some(url)) if same(url) => StoredUrl {
            name,
            leads_to: url.to_string(),
            database: targets.iter().find(|(_, target)| target.same_database(url)).map(|(id, _)| (*id).clone()),
        },
        _ if urls.len() > 1 && urls.iter().all(Option::is_some) => {
            let ways: Vec<String> = urls.iter().flatten().map(ConnectionUrl::to_string).collect();
            StoredUrl { name, leads_to: ways.join(" or "), database: None }
        }
        _ => StoredUrl { name, leads_to: redact(forms.first().map_or(text, String::as_str)), database: None },
    }
}

/// The row `name` with the URL `text`, to be followed: a template is filled from `base`, password and query
/// included.
pub(super) fn follow(name: String, text: &str, base: &ConnectionUrl) -> MappedUrl {
    // A template that nova cannot fill leads nowhere.
    let filled = if text.contains('{') { fill(text, base, true) } else { Some(text.to_owned()) };
    let url = filled.map(Secret::new).and_then(|filled| filled.expose().parse::<ConnectionUrl>().ok());
    let leads_to = match &url {
        Some(url) => url.to_string(),
        None => redact(&expand(text, base).filter(|_| text.contains('{')).unwrap_or_else(|| text.to_owned())),
    };
    MappedUrl { name, url, leads_to }
}

/// The template `text` filled with the parts of `base`, without its secrets; nothing if it holds anything
/// unknown, for then nova takes it as it is.
fn expand(text: &str, base: &ConnectionUrl) -> Option<String> {
    fill(text, base, false)
}

/// As [`expand`]; with the secrets where it is `open`.
fn fill(text: &str, base: &ConnectionUrl, open: bool) -> Option<String> {
    let escape = |part: &str| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
    // What Python makes of an absent part.
    let none = || "None".to_owned();
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            filled.push_str(&rest[..1]);
            rest = after;
            continue;
        }
        let (name, after) = rest.strip_prefix('{')?.split_once('}')?;
        filled.push_str(&match name {
            "scheme" => base.scheme().to_owned(),
            "username" => base.user().map_or_else(none, escape),
            // Never needed to know where a URL leads.
            "password" | "query" if !open => {
                if name == "query" {
                    String::new()
                } else {
                    "hidden".to_owned()
                }
            }
            "password" => base.password().map_or_else(none, |password| escape(password.expose())),
            "query" => base.query().map(|query| query.expose().to_owned()).unwrap_or_default(),
            "fragment" => String::new(),
            // urllib gives an IPv6 address without its brackets.
            "hostname" => base.host().trim_start_matches('[').trim_end_matches(']').to_lowercase(),
            "port" => base.named_port().map_or_else(none, |port| port.to_string()),
            "path" => escape(base.name()),
            _ => return None,
        });
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// A text that is no URL leapfrog can read, with everything hidden that may be a password.
fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return "(not a URL)".to_owned();
    };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (user.split(':').next().unwrap_or_default(), place),
        None => ("", rest),
    };
    let place = place.split('?').next().unwrap_or_default();
    // Without an @ what follows a colon may be a password, unless it is a port.
    let (host, after) = place.split_once(':').unwrap_or((place, ""));
    let port = after.split('/').next().unwrap_or_default();
    let plain = after.is_empty() || matches!(port, "{port}" | "None") || port.bytes().all(|byte| byte.is_ascii_digit());
    let place = if plain { place.to_owned() } else { format!("{host}:(hidden)") };
    let at = if user.is_empty() { "" } else { "@" };
    format!("{scheme}://{user}{at}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn targets(urls: &[(&str, &str)]) -> Vec<(DatabaseId, ConnectionUrl)> {
        let parse = |(id, url): &(&str, &str)| (id.parse().expect("an id"), url.parse().expect("a URL"));
        urls.iter().map(parse).collect()
    }

    fn led(text: &str, urls: &[(&str, &str)]) -> (String, Option<String>) {
        let targets = targets(urls);
        let stored = lead("c".into(), text, &targets.iter().map(|(id, url)| (id, url)).collect());
        (stored.leads_to, stored.database.map(|id| id.to_string()))
    }

    const ONE_SERVER: &[(&str, &str)] = &[
        ("nova.cell0", "mysql+pymysql://nova:pw@db:3306/nova_cell0"),
        ("nova.cells.cell1", "mysql+pymysql://nova:pw@db:3306/nova?charset=utf8"),
    ];

    #[test]
    fn a_url_leads_to_the_database_of_the_cloud_file_that_it_names() {
        let (leads_to, database) = led("mysql+pymysql://other:Secret99@DB/nova?charset=utf8", ONE_SERVER);
        assert_eq!(
            (leads_to.as_str(), database.as_deref()),
            ("mysql+pymysql://other@DB/nova", Some("nova.cells.cell1"))
        );
        let (leads_to, database) = led("mysql+pymysql://nova:Secret99@production/nova", ONE_SERVER);
        assert_eq!((leads_to.as_str(), database), ("mysql+pymysql://nova@production/nova", None));
    }

    #[test]
    fn a_template_is_filled_as_nova_does_it() {
        let template = "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0?{query}";
        let (leads_to, database) = led(template, ONE_SERVER);
        assert_eq!(
            (leads_to.as_str(), database.as_deref()),
            ("mysql+pymysql://nova@db:3306/nova_cell0", Some("nova.cell0"))
        );
        let (_, database) = led("mysql://{username}:Secret99@{hostname}:{port}/nova", ONE_SERVER);
        assert_eq!(database.as_deref(), Some("nova.cells.cell1"));
    }

    #[test]
    fn a_template_that_leads_elsewhere_from_each_database_leads_nowhere() {
        let two = [("nova.cell0", "mysql://nova@a:3306/nova_cell0"), ("nova.cells.cell1", "mysql://nova@b:3306/nova")];
        let (leads_to, database) = led("mysql://{username}:{password}@{hostname}:{port}/nova", &two);
        assert_eq!((leads_to.as_str(), database), ("mysql://nova@a:3306/nova or mysql://nova@b:3306/nova", None));
        let same = led("{scheme}://{username}:{password}@b:3306/{path}", &two);
        assert_eq!(same.1, None);
    }

    #[test]
    fn a_template_that_nova_itself_cannot_fill_is_shown_as_it_comes_out() {
        let no_port = [("nova.cell0", "mysql://nova@db/nova_cell0")];
        let template = "mysql://nova:Secret99@{hostname}:{port}/nova_cell0";
        assert_eq!(led(template, &no_port), ("mysql://nova@db:None/nova_cell0".into(), None));
        assert_eq!(led("mysql://nova:Secret99@{host}/x", &no_port).1, None);
    }

    #[test]
    fn a_template_is_followed_with_the_password_and_the_query_of_its_base() {
        let base: ConnectionUrl =
            "mysql+pymysql://nova:p%40ss%2Fw@db:3307/nova_cell0?charset=utf8".parse().expect("a URL");
        let template = "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell1?{query}";
        let row = follow("cell1".into(), template, &base);
        let url = row.url.expect("a URL");
        assert_eq!(url.for_service().expose(), "mysql+pymysql://nova:p%40ss%2Fw@db:3307/nova_cell1?charset=utf8");
        assert_eq!(row.leads_to, "mysql+pymysql://nova@db:3307/nova_cell1");
        let literal = follow("cell2".into(), "mysql+pymysql://n:Secret99@other/nova?charset=utf8", &base);
        assert_eq!(literal.url.expect("a URL").password().map(Secret::expose), Some("Secret99"));
        let unknown = follow("cell3".into(), "mysql://n:Secret99@{host}/x", &base);
        assert_eq!((unknown.url, unknown.leads_to.contains("Secret99")), (None, false));
    }

    #[test]
    fn what_is_no_url_is_hidden() {
        for (text, expected) in [
            ("Secret99", "(not a URL)"),
            ("mysql://nova:Secret99", "mysql://nova:(hidden)"),
            ("mysql://nova:Sec/ret99?@db/x?password=Secret99", "mysql://nova@db/x"),
            ("mysql://nova:Secret99@db:port/x", "mysql://nova@db:(hidden)"),
            ("none:///", "none:///"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_stored_text_shows_its_password(before in "[a-z{}:/+]{0,12}", after in "[a-z0-9{}@:/?]{0,20}") {
            let text = format!("{before}://nova:Secret99@{after}");
            let (leads_to, _) = led(&text, ONE_SERVER);
            prop_assert!(!leads_to.contains("Secret99"), "{} became {}", text, leads_to);
        }
    }
}
