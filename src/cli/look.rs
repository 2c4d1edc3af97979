//! Where a command's words go: data to standard output, everything else to standard error.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};

use anyhow::Context;
use miette::GraphicalReportHandler;

use super::arguments::{Common, Output};
use super::stop::{Cause, Stop};
use crate::document::Mistake;
use crate::report::jsonl::Refused;
use crate::report::{Look, Outlet, Paper, terminal_columns};

/// Both outputs of a command and how things may look on them.
pub(super) struct Show {
    /// The form that was asked for.
    pub(super) output: Output,
    /// How things may look on standard output.
    pub(super) out: Look,
    /// How things may look on standard error.
    pub(super) err: Look,
    stdout: Outlet,
    stderr: Outlet,
}

impl Show {
    /// The outputs of this process.
    pub(super) fn new(common: &Common) -> Self {
        let environment = |name: &str| std::env::var(name).ok();
        let color = common.color.into();
        Self {
            output: common.output.into(),
            out: Look::detect(std::io::stdout().is_terminal(), color, environment),
            err: Look::detect(std::io::stderr().is_terminal(), color, environment),
            stdout: Outlet::stdout(),
            stderr: Outlet::stderr(),
        }
    }

    /// Whether an operator can be shown a changing screen.
    pub(super) fn is_terminal(&self) -> bool {
        std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
    }

    /// Standard output, to write texts on.
    pub(super) fn out_paper(&self) -> Paper {
        Paper { look: self.out, columns: columns(std::io::stdout().is_terminal()) }
    }

    /// Standard error, to write texts on.
    pub(super) fn err_paper(&self) -> Paper {
        Paper { look: self.err, columns: columns(std::io::stderr().is_terminal()) }
    }

    /// Prints data.
    pub(super) fn print(&self, text: &str) {
        self.stdout.say(fit(text, self.out));
        self.stdout.drain();
    }

    /// Prints data as one JSON document; where lines are wanted, on one.
    pub(super) fn print_json(&self, value: &impl serde::Serialize) -> Result<(), Stop> {
        let text = match self.output {
            Output::Jsonl => serde_json::to_string(value),
            Output::Text | Output::Json => serde_json::to_string_pretty(value),
        };
        let text = text.map_err(|error| Stop::internal(error.into()))?;
        self.stdout.say(text + "\n");
        self.stdout.drain();
        Ok(())
    }

    /// Tells the operator something that is no data.
    pub(super) fn complain(&self, text: &str) {
        self.stderr.say(fit(text, self.err));
        self.stderr.drain();
    }

    /// Tells the operator, in sentences, what is not as it should be. A terminal gets its words wrapped; a
    /// file or a pipe whole lines, as a search wants them.
    pub(super) fn caution(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            self.complain(&self.err_paper().fold(text));
        } else {
            self.complain(text);
        }
    }

    /// Asks whether to go on; without a clear yes, says that nothing was touched.
    ///
    /// # Errors
    /// There is nobody to answer.
    pub(super) fn asks(&self, question: &str) -> Result<bool, Stop> {
        self.complain(&format!("\n{question} [yes/no] "));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).context("failed to read the answer").map_err(Stop::internal)?;
        let yes = matches!(answer.trim().to_lowercase().as_str(), "yes" | "y");
        if !yes {
            self.complain("nothing was touched\n");
        }
        Ok(yes)
    }

    /// An outlet for JSON Lines.
    pub(super) fn stdout(&self) -> Outlet {
        self.stdout.clone()
    }

    /// An outlet for dated lines.
    pub(super) fn stderr(&self) -> Outlet {
        self.stderr.clone()
    }

    /// Tells why a command ends early: to the operator, and to a program that reads standard output.
    pub(super) fn error(&self, stop: &Stop) {
        match &stop.cause {
            Cause::Error(error) => {
                let mut text = format!("leapfrog: {error}\n");
                for cause in error.chain().skip(1) {
                    text.push_str(&format!("  because: {cause}\n"));
                }
                self.caution(&text);
            }
            Cause::Document(diagnostic) => self.complain(&self.diagnostic(&**diagnostic)),
            Cause::Refused(refusals) => {
                let count = refusals.len();
                let mut text = format!(
                    "leapfrog: refused; no database was touched ({count} reason{})\n",
                    if count == 1 { "" } else { "s" }
                );
                for refusal in refusals {
                    text.push_str(&format!("\n{refusal}\n"));
                }
                self.caution(&text);
                if self.output != Output::Text {
                    let line = Refused::new(refusals, jiff::Timestamp::now());
                    if let Ok(line) = serde_json::to_string(&line) {
                        self.stdout.say(line + "\n");
                        self.stdout.drain();
                    }
                }
            }
        }
    }

    /// Mistakes in a document with the lines around them.
    pub(super) fn diagnostic(&self, diagnostic: &dyn miette::Diagnostic) -> String {
        let theme = match (self.err.unicode, self.err.color) {
            (true, true) => miette::GraphicalTheme::unicode(),
            (true, false) => miette::GraphicalTheme::unicode_nocolor(),
            (false, _) => miette::GraphicalTheme::none(),
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(self.err_paper().columns);
        let mut text = format!("leapfrog: {diagnostic}\n");
        for mistake in diagnostic.related().into_iter().flatten() {
            text.push('\n');
            if handler.render_report(&mut text, mistake).is_err() {
                text.push_str(&format!("{mistake}\n"));
            }
        }
        text
    }

    /// Tells what the operator should look at and what stops nothing, each thing once.
    pub(super) fn warn(&self, mistakes: &[Mistake]) {
        let mut told = BTreeSet::new();
        for mistake in mistakes.iter().filter(|mistake| told.insert(mistake.message())) {
            let mut text = format!("leapfrog: warning: {}\n", mistake.one_line());
            if let Some(help) = mistake.help() {
                text.push_str(&format!("  next      {help}\n"));
            }
            self.caution(&text);
        }
    }
}

/// The columns to wrap words in: the terminal's, or what fits most windows.
fn columns(terminal: bool) -> usize {
    const USUAL: usize = 100;
    if terminal { terminal_columns().min(USUAL) } else { USUAL }
}

/// The text in characters that the output can show.
fn fit(text: &str, look: Look) -> String {
    if look.unicode { text.to_owned() } else { text.replace('→', "->").replace('…', "...") }
}
