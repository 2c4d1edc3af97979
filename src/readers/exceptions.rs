//! Which migration raised which exception.
//!
//! nova and placement say `Error attempting to run <function NAME at 0x…>`, cinder `Error attempting to
//! run NAME`; a traceback follows, on its own or as lines of a log. Tracebacks may be chained: the last
//! exception is the one that ended the migration. Which texts mean failure is the playbook's to say; this
//! reader only finds names and last lines for what the operator is told.

use super::counts::LONGEST_NAME;

/// What a failing migration is announced with.
const ANNOUNCED: &str = "Error attempting to run ";

/// What a traceback begins with.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// The most exceptions that are kept.
const MOST: usize = 16;

/// The longest text of an exception, in characters.
const LONGEST: usize = 400;

/// An exception in the output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raised {
    /// The migration that raised it, where that is said.
    pub migration: Option<String>,
    /// Its last line: `module.Class: text`.
    pub exception: Option<String>,
}

/// Collects exceptions, line by line.
#[derive(Debug, Default)]
pub struct ExceptionReader {
    raised: Vec<Raised>,
    in_traceback: bool,
}

impl ExceptionReader {
    /// Takes in one line of output, without its end.
    pub fn line(&mut self, text: &str) {
        let text = without_log(text);
        if let Some(name) = announced(text) {
            self.in_traceback = false;
            // It is said twice: in the output and in the log.
            if self.raised.last().is_none_or(|last| last.migration.as_deref() != Some(name)) {
                self.begin(Some(name.to_owned()));
            }
        } else if text.trim() == TRACEBACK {
            self.in_traceback = true;
        } else if self.in_traceback && !text.trim().is_empty() && !text.starts_with([' ', '\t']) {
            self.in_traceback = false;
            if self.raised.is_empty() {
                self.begin(None);
            }
            if let Some(last) = self.raised.last_mut() {
                last.exception = Some(text.trim().chars().take(LONGEST).collect());
            }
        }
    }

    fn begin(&mut self, migration: Option<String>) {
        if self.raised.len() < MOST {
            self.raised.push(Raised { migration, exception: None });
        }
    }

    /// What was raised, in the order of the output.
    pub fn finish(self) -> Vec<Raised> {
        self.raised
    }
}

/// The migration that a line says has failed.
fn announced(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(ANNOUNCED)?;
    let rest = rest.strip_prefix("<function ").unwrap_or(rest);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
    let name = rest[..end].trim_end_matches('.');
    (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
}

/// A line of oslo.log without its date, time, process, level and module; any other line as it is.
fn without_log(text: &str) -> &str {
    const LEVELS: [&str; 5] = ["ERROR", "CRITICAL", "WARNING", "INFO", "DEBUG"];
    let mut words = text.splitn(5, ' ');
    let mut all = |wanted: &str| {
        words
            .next()
            .is_some_and(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || wanted.contains(c)))
    };
    let stamped = all("-") && all(":.,") && all("");
    if !(stamped && words.next().is_some_and(|level| LEVELS.contains(&level))) {
        return text;
    }
    // Then the module and one space; what follows keeps its indent.
    words.next().and_then(|rest| rest.split_once(' ')).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Option<String>, Option<String>)> {
        let mut reader = ExceptionReader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.finish().into_iter().map(|raised| (raised.migration, raised.exception)).collect()
    }

    #[test]
    fn the_last_exception_of_a_chain_is_the_one_that_is_told() {
        let log = "2026-11-21 21:47:38.727 22501 ERROR nova.cmd.manage";
        let text = format!(
            "Error attempting to run <function populate_uuids at 0x7f15>\n\
             {log} [None req-1 - - - - - -] Error attempting to run <function populate_uuids at 0x7f15>: x.Y: (z)\n\
             {log} Traceback (most recent call last):\n{log}   File \"a.py\", line 1, in b\n\
             {log} ConnectionRefusedError: [Errno 111]\n{log} \n\
             {log} The above exception was the direct cause of the following exception:\n\
             {log} Traceback (most recent call last):\n{log}     c()\n\
             {log} oslo_db.exception.DBConnectionError: (2003, \"Can't connect\")\n"
        );
        let exception = "oslo_db.exception.DBConnectionError: (2003, \"Can't connect\")".to_owned();
        assert_eq!(read(&text), [(Some("populate_uuids".to_owned()), Some(exception))]);
    }

    #[test]
    fn each_failing_migration_has_its_own_exception() {
        let text = "Error attempting to run a_b\nTraceback (most recent call last):\n  File x\nValueError: one\n\
                    Error attempting to run <function c at 0x1>\nTraceback (most recent call last):\n  y\nKeyError: 2\n";
        let raised = read(text);
        assert_eq!(raised[0], (Some("a_b".into()), Some("ValueError: one".into())));
        assert_eq!(raised[1], (Some("c".into()), Some("KeyError: 2".into())));
    }

    #[test]
    fn an_exception_that_nobody_caught_has_no_migration() {
        let text = "An error has occurred:\nTraceback (most recent call last):\n  File x\nsqlalchemy.exc.OperationalError: (1054)\n";
        assert_eq!(read(text), [(None, Some("sqlalchemy.exc.OperationalError: (1054)".into()))]);
        assert_eq!(read("all is well\n"), []);
    }
}
