//! The text of a cloud file.

use std::fmt::Write as _;

use super::look::Contact;
use super::service::{FoundDatabase, FoundService};
use crate::model::DatabaseId;

/// A cloud file that is about to be written.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What was found.
    pub contact: &'a Contact,
    /// The cloud's name.
    pub name: &'a str,
    /// Whether URLs are written out with their passwords.
    pub secrets: bool,
    /// The day, for people.
    pub day: &'a str,
}

impl Draft<'_> {
    /// The text. It holds passwords only if they were asked for.
    pub fn text(&self) -> String {
        let mut text =
            format!("# The cloud file of leapfrog, written by `leapfrog init` on {}. Every key and its\n", self.day);
        text.push_str("# meaning: leapfrog.example.yaml, and `leapfrog schema cloud` for editors.\n");
        text.push_str(match self.secrets {
            true => "# It holds passwords: keep it where only you can read it.\n",
            false => "# It holds no passwords: they stay in the services' own files, which are read each time.\n",
        });
        let _ = write!(text, "format: 1\nname: {}\n\nrunner:\n  containers:\n    images:\n", quoted(self.name));
        self.images(&mut text);
        text.push_str("\nservices:\n");
        for found in self.contact.sound() {
            self.service(&mut text, found);
        }
        text
    }

    fn images(&self, text: &mut String) {
        let images = &self.contact.images;
        let _ = writeln!(text, "      # {}.", plain(&images.source));
        if !images.known {
            text.push_str(
                "      # Put yours here before you plan: {series} is like 2024.1, {codename} like caracal,\n",
            );
            text.push_str("      # {service} like nova. A service of its own goes below `services`.\n");
        }
        for remark in &images.remarks {
            comment(text, 6, remark);
        }
        if let Some(pattern) = &images.default {
            let _ = writeln!(text, "      default: {}", quoted(pattern));
        }
        let services: Vec<_> =
            self.contact.sound().filter_map(|found| images.services.get_key_value(&found.service)).collect();
        if !services.is_empty() {
            text.push_str("      services:\n");
        }
        for (service, pattern) in services {
            let _ = writeln!(text, "        {service}: {}", quoted(pattern));
        }
    }

    fn service(&self, text: &mut String, found: &FoundService) {
        let _ = writeln!(text, "  {}:", found.service);
        for remark in &found.remarks {
            comment(text, 4, remark);
        }
        let single = found.databases.iter().find(|database| database.id.slot.as_str() == DatabaseId::MAIN);
        if let Some(database) = single {
            note(text, 4, database);
            text.push_str("    database:\n");
            self.access(text, 6, found, database);
        }
        let named: Vec<&FoundDatabase> =
            found.databases.iter().filter(|database| database.id.slot.as_str() != DatabaseId::MAIN).collect();
        if !named.is_empty() {
            text.push_str("    databases:\n");
        }
        for database in named {
            note(text, 6, database);
            let _ = writeln!(text, "      {}:", database.id.slot);
            self.access(text, 8, found, database);
        }
        if found.mapped {
            comment(text, 4, "every cell that the cell mappings name, on these servers");
            text.push_str("    cells: mapped\n");
        }
    }

    fn access(&self, text: &mut String, indent: usize, found: &FoundService, database: &FoundDatabase) {
        let pad = " ".repeat(indent);
        if self.secrets {
            let url = match database.derived {
                true => database.url.for_service(),
                false => database.text.clone(),
            };
            let _ = writeln!(text, "{pad}url: {}", quoted(url.expose()));
            return;
        }
        let _ = writeln!(text, "{pad}url_from:");
        let files: Vec<String> = found.files.iter().map(|file| quoted(file.as_str())).collect();
        let _ = writeln!(text, "{pad}  files: [{}]", files.join(", "));
        if database.name.group != "database" {
            let _ = writeln!(text, "{pad}  section: {}", quoted(&database.name.group));
        }
        if database.name.option != "connection" {
            let _ = writeln!(text, "{pad}  option: {}", quoted(&database.name.option));
        }
        if database.derived {
            let _ = writeln!(text, "{pad}  database: {}", quoted(database.url.name()));
        }
    }
}

/// Where a database is, for whoever reads the file.
fn note(text: &mut String, indent: usize, database: &FoundDatabase) {
    comment(text, indent, &format!("{} ({})", database.url, database.place));
}

/// A comment, in lines of a hundred columns at most where its words let it.
fn comment(text: &mut String, indent: usize, words: &str) {
    let pad = " ".repeat(indent);
    let mut line = format!("{pad}#");
    for word in plain(words).split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 && line.len() > indent + 1 {
            let _ = writeln!(text, "{line}");
            line = format!("{pad}#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// A text that stays in its line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "\u{85}\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect()
}

/// A text in quotes, as YAML takes it in any place.
fn quoted(text: &str) -> String {
    let word = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if word && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text) {
        return text.to_owned();
    }
    // JSON's texts are YAML's.
    serde_json::Value::from(text).to_string()
}
