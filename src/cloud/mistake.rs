//! A cloud file that cannot be used.

use std::fmt;

use miette::Diagnostic;

use crate::document::Mistake;

/// Every mistake of a cloud file, in the order of its lines; at least one. Rendered by `miette` it shows
/// the lines, with everything masked that may be a password.
#[derive(Debug, Clone)]
pub struct CloudError {
    /// The mistakes.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => f.write_str("the cloud file has a mistake"),
            count => write!(f, "the cloud file has {count} mistakes"),
        }
    }
}

impl std::error::Error for CloudError {}

impl Diagnostic for CloudError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn Diagnostic)))
    }
}
