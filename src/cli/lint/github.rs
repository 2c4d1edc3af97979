//! What was found, as GitHub's runners take it for annotations (workflow commands, `::error file=…::…`).

use super::text::shows;
use crate::lint::{Found, Report, Severity};
use crate::report::clean;

/// A line for each finding from warnings on, with information and what was accepted if `verbose`.
pub(super) fn annotations(report: &Report, verbose: bool) -> String {
    report.findings.iter().filter(|found| verbose || shows(found)).map(line).collect()
}

fn line(found: &Found) -> String {
    let command = match found.severity {
        _ if found.accepted.is_some() => "notice",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "notice",
    };
    let at = &found.at;
    let title = format!("{} {}", found.rule, found.name);
    let message = clean(&format!("{}. {} Instead: {}", found.what, found.why, found.mend));
    format!(
        "::{command} file={},line={},endLine={},col={},title={}::{}\n",
        property(&clean(&at.file)),
        at.start.line,
        at.end.line,
        at.start.character,
        property(&title),
        data(&message)
    )
}

/// A text as a command's message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A text as a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_a_property_is_escaped() {
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_eq!(data("a:b,c%\r\n"), "a:b,c%25%0D%0A");
    }
}
