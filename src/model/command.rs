//! A command line with a closed list of placeholders.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A command and its arguments. The one placeholder is `{count}`: how many rows one round of a data
/// migration may move. Anything else in braces is a mistake; there is no template language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Command(Arc<[String]>);

/// A command line that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Nothing to run.
    #[error("the command is empty: its first word is the program")]
    Empty,
    /// A placeholder that does not exist.
    #[error("`{0}` holds an unknown placeholder: only {{count}} exists")]
    Placeholder(String),
}

impl Command {
    const COUNT: &'static str = "{count}";

    /// The program's name.
    pub fn program(&self) -> &str {
        &self.0[0]
    }

    /// Whether the command takes a row count.
    pub fn takes_count(&self) -> bool {
        self.0.iter().any(|word| word.contains(Self::COUNT))
    }

    /// The words to run, with `count` in the place of its placeholder.
    pub fn words(&self, count: Option<u64>) -> Vec<String> {
        let count = count.map(|count| count.to_string()).unwrap_or_default();
        self.0.iter().map(|word| word.replace(Self::COUNT, &count)).collect()
    }
}

impl TryFrom<Vec<String>> for Command {
    type Error = CommandError;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(CommandError::Empty);
        }
        if let Some(word) = words.iter().find(|word| word.replace(Self::COUNT, "").contains(['{', '}'])) {
            return Err(CommandError::Placeholder(word.clone()));
        }
        Ok(Self(words.into()))
    }
}

impl From<Command> for Vec<String> {
    fn from(command: Command) -> Self {
        command.0.to_vec()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Result<Command, CommandError> {
        Command::try_from(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_count_takes_its_place_in_any_word() {
        let nova = command(&["nova-manage", "db", "online_data_migrations", "--max-count={count}"]).expect("valid");
        assert!(nova.takes_count());
        assert_eq!(nova.words(Some(50))[3], "--max-count=50");
    }

    #[test]
    fn an_empty_command_and_an_unknown_placeholder_are_mistakes() {
        assert_eq!(command(&[]), Err(CommandError::Empty));
        assert_eq!(command(&[""]), Err(CommandError::Empty));
        assert_eq!(command(&["x", "{counts}"]), Err(CommandError::Placeholder("{counts}".into())));
    }
}
