//! What the types of the documents cannot say: whether a document means something.
//!
//! Each file by itself first ([`release`], [`playbook`]), then all of them together ([`together`]).
//! Everything that is wrong is added to one list; nothing here stops at the first mistake.

mod code;
mod exceptions;
mod playbook;
mod preconditions;
mod recorded;
mod release;
mod steps;
mod together;

pub(super) use exceptions::exceptions;
pub(super) use playbook::playbook;
pub(super) use release::release;
pub(super) use together::together;

use crate::document::{Document, Mistake};

/// A document under examination and the mistakes found so far.
struct Examination<'d, T> {
    document: &'d Document<T>,
    mistakes: &'d mut Vec<Mistake>,
}

impl<T> Examination<'_, T> {
    /// Reports a mistake at a path of the document.
    fn report(&mut self, path: &str, message: impl Into<String>) {
        self.mistakes.push(self.document.mistake(path, message));
    }

    /// Reports a mistake with advice.
    fn advise(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(self.document.mistake(path, message).with_help(help));
    }

    /// Reports a text that says nothing.
    fn require_text(&mut self, path: &str, text: &str, what: &str) {
        if text.trim().is_empty() {
            self.report(path, format!("{what} is empty"));
        }
    }
}
