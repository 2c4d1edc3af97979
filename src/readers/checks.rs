//! Reading what a release's own checks say (`*-status upgrade check`): pure, so that every output can be
//! tried.
//!
//! oslo.upgradecheck draws a table of one column, one cell a check, or prints one line of JSON where it is
//! asked for and the program heeds it (placement-status takes `--json` and draws its table all the same);
//! nova-status has its own code and the same table. Logs may stand before, after and between the lines.
//!
//! An output that was cut off says nothing at all: a check that is missing at its end may be the one that
//! failed.

use serde::Deserialize;

use crate::model::{CheckResult, ReleaseCheck};

/// The title of the table.
const TITLE: &str = "Upgrade Check Results";

/// The most checks of a report; releases have a dozen at most.
const CHECKS: usize = 256;

/// The most bytes that are kept of a name or of details.
const LONGEST: usize = 4096;

/// Appends a broken line of a cell, as far as there is room.
fn append(text: &mut String, line: &str) {
    if text.len() + line.len() < LONGEST {
        text.push(' ');
        text.push_str(line.trim());
    }
}

/// Collects the checks of one output, line by line.
#[derive(Debug, Default)]
pub struct CheckReader {
    /// Whether the table's title was seen.
    titled: bool,
    checks: Vec<ReleaseCheck>,
    /// The check whose cell is open.
    open: Option<Cell>,
    /// Something in the table could not be read.
    broken: bool,
    /// What a line of JSON said.
    json: Option<Vec<ReleaseCheck>>,
}

/// A cell of the table.
#[derive(Debug, Default)]
struct Cell {
    name: String,
    result: Option<CheckResult>,
    details: Option<String>,
}

/// The document of `--json`.
#[derive(Deserialize)]
struct Report {
    checks: Vec<ReportedCheck>,
}

#[derive(Deserialize)]
struct ReportedCheck {
    check: String,
    result: u8,
    details: Option<String>,
}

impl CheckReader {
    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one line of output; lines that belong to no report are passed over.
    pub fn line(&mut self, text: &str) {
        let text = text.trim();
        if text.starts_with('{') {
            if let Ok(report) = serde_json::from_str::<Report>(text) {
                let checks: Option<Vec<ReleaseCheck>> = report.checks.into_iter().map(ReportedCheck::read).collect();
                self.broken |= checks.as_ref().is_none_or(|checks| checks.len() > CHECKS);
                self.json = checks;
            }
        } else if text.len() > 2 && text.starts_with("+-") && text.ends_with("-+") {
            self.border();
        } else if let Some(inner) = text.strip_prefix('|').and_then(|text| text.strip_suffix('|')) {
            self.row(inner.strip_prefix(' ').unwrap_or(inner).trim_end());
        }
    }

    /// The end of a cell.
    fn border(&mut self) {
        match self.open.take() {
            Some(Cell { name, result: Some(result), details }) => {
                let details = details.map(|text| text.trim().to_owned());
                let details = details.filter(|text| !text.is_empty() && text != "None");
                self.broken |= self.checks.len() == CHECKS;
                if self.broken {
                    return;
                }
                self.checks.push(ReleaseCheck { name, result, details });
            }
            Some(_) => self.broken = true,
            None => {}
        }
    }

    /// One line of a cell, without its frame.
    fn row(&mut self, text: &str) {
        if !self.titled {
            self.titled = text.trim() == TITLE;
            return;
        }
        let Some(cell) = &mut self.open else {
            match text.strip_prefix("Check: ") {
                Some(name) if !name.trim().is_empty() => {
                    self.open = Some(Cell { name: name.trim().to_owned(), ..Cell::default() });
                }
                _ => self.broken = true,
            }
            return;
        };
        match (&cell.result, &mut cell.details) {
            (None, _) => match text.strip_prefix("Result: ").map(str::trim) {
                Some("Success") => cell.result = Some(CheckResult::Success),
                Some("Warning") => cell.result = Some(CheckResult::Warning),
                Some("Failure") => cell.result = Some(CheckResult::Failure),
                Some(_) => self.broken = true,
                // A long name, broken by the table.
                None => {
                    append(&mut cell.name, text);
                }
            },
            (Some(_), None) => match text.strip_prefix("Details:") {
                Some(details) => cell.details = Some(details.trim().to_owned()),
                None => self.broken = true,
            },
            (Some(_), Some(details)) => {
                // Long words are broken in their middle (`https://docs` and `.openstack.org`) by the hard limit
                // on the width; nothing tells such a break from one at a space.
                append(details, text);
            }
        }
    }

    /// The checks in the order of the output; nothing if it holds no report, or not a whole one.
    pub fn finish(self) -> Option<Vec<ReleaseCheck>> {
        let checks = self.json.unwrap_or(self.checks);
        let whole = !self.broken && self.open.is_none() && !checks.is_empty();
        whole.then_some(checks)
    }
}

impl ReportedCheck {
    fn read(self) -> Option<ReleaseCheck> {
        let result = match self.result {
            0 => CheckResult::Success,
            1 => CheckResult::Warning,
            2 => CheckResult::Failure,
            _ => return None,
        };
        let details = self.details.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Some(ReleaseCheck { name: self.check.trim().to_owned(), result, details })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Vec<ReleaseCheck>> {
        let mut reader = CheckReader::new();
        text.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    fn told(text: &str) -> Vec<(String, CheckResult)> {
        read(text).expect("a report").into_iter().map(|check| (check.name, check.result)).collect()
    }

    const PLACEMENT: &str = include_str!("../../tests/fixtures/output/placement-status-2023.2.txt");
    const NOVA: &str = include_str!("../../tests/fixtures/output/nova-status-2026.1.txt");
    const CINDER: &str = include_str!("../../tests/fixtures/output/cinder-status-2023.2.json.txt");

    #[test]
    fn placements_table_is_read_with_details_over_several_lines() {
        let checks = read(PLACEMENT).expect("a report");
        assert_eq!(checks.len(), 3);
        assert_eq!(checks[0].details, None);
        assert_eq!((checks[1].name.as_str(), checks[1].result), ("Incomplete Consumers", CheckResult::Warning));
        assert_eq!(
            checks[1].details.as_deref(),
            Some(
                "There are 120 incomplete consumers table records for existing allocations. Run the \
                 \"placement-manage db online_data_migrations\" command."
            )
        );
    }

    #[test]
    fn novas_table_is_read_though_it_draws_its_own() {
        let failed: Vec<String> =
            told(NOVA).into_iter().filter(|(_, r)| *r == CheckResult::Failure).map(|(name, _)| name).collect();
        assert_eq!(failed, ["Cells v2", "Placement API", "Service User Token Configuration"]);
    }

    #[test]
    fn cinders_json_is_read_among_log_lines() {
        let text = format!("Option \"x\" is deprecated {{\n2026-11-22 1 WARNING cinder [-] {{}}\n{CINDER}\nbye\n");
        let checks = told(&text);
        assert_eq!(checks.len(), 8);
        assert!(checks.contains(&("Service UUIDs".to_owned(), CheckResult::Failure)), "{checks:?}");
    }

    #[test]
    fn an_output_that_was_cut_off_says_nothing() {
        let lines: Vec<&str> = PLACEMENT.lines().collect();
        for end in (0..lines.len()).filter(|end| !lines[..*end].last().is_some_and(|line| line.starts_with("+-"))) {
            assert_eq!(read(&lines[..end].join("\n")), None, "cut after {end} lines");
        }
        assert_eq!(read(&CINDER[..CINDER.len() - 10]), None);
        assert_eq!(read("Error:\nTraceback (most recent call last):\n| Upgrade Check Results |\n"), None);
    }

    #[test]
    fn a_result_that_nobody_knows_makes_the_report_unreadable() {
        assert_eq!(read(&PLACEMENT.replace("Result: Warning", "Result: Warnung")), None);
        assert_eq!(read(r#"{"name": "x", "checks": [{"check": "a", "result": 3, "details": null}]}"#), None);
    }

    /// A table as prettytable draws it.
    fn drawn(checks: &[(String, CheckResult, Vec<String>)]) -> String {
        let mut cells = vec![vec![TITLE.to_owned()]];
        for (name, result, details) in checks {
            let result = match result {
                CheckResult::Success => "Success",
                CheckResult::Warning => "Warning",
                CheckResult::Failure => "Failure",
            };
            let mut lines = vec![format!("Check: {name}"), format!("Result: {result}")];
            lines.push(format!("Details: {}", details.first().map_or("None", String::as_str)));
            lines.extend(details.iter().skip(1).map(|line| format!("  {line}")));
            cells.push(lines);
        }
        let width = cells.iter().flatten().map(|line| line.chars().count()).max().unwrap_or(0);
        let border = format!("+{}+\n", "-".repeat(width + 2));
        let mut text = border.clone();
        for cell in cells {
            for line in cell {
                text.push_str(&format!("| {line:width$} |\n"));
            }
            text.push_str(&border);
        }
        text
    }

    fn check() -> impl Strategy<Value = (String, CheckResult, Vec<String>)> {
        let result = prop_oneof![Just(CheckResult::Success), Just(CheckResult::Warning), Just(CheckResult::Failure)];
        let line = "[a-zA-Z|+:][a-zA-Z0-9|+: -]{0,30}[a-z|]";
        ("[A-Z][a-zA-Z0-9 />-]{0,60}[a-z]", result, proptest::collection::vec(line, 0..4))
    }

    proptest! {
        #[test]
        fn no_output_makes_the_reader_panic(text in "[|+{}\": a-zA-Z0-9\\-\n]{0,300}", any in any::<String>()) {
            let _ = read(&text);
            let _ = read(&any);
            let _ = read(&format!("| {TITLE} |\n{text}"));
        }

        #[test]
        fn every_drawn_table_is_read(checks in proptest::collection::vec(check(), 1..6), log in "[a-z0-9 :.-]{0,40}") {
            let table = drawn(&checks);
            let read = read(&format!("{log}\n{table}{log}\n")).expect("a report");
            prop_assert_eq!(read.len(), checks.len());
            for (read, (name, result, details)) in read.iter().zip(&checks) {
                prop_assert_eq!(&read.name, name);
                prop_assert_eq!(read.result, *result);
                let details: Vec<&str> = details.iter().flat_map(|line| line.split_whitespace()).collect();
                let found: Vec<&str> = read.details.iter().flat_map(|text| text.split_whitespace()).collect();
                prop_assert_eq!(found, details);
            }
        }
    }
}
