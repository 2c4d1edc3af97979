//! `$name`, `${name}` and `$$` in values, as `ConfigOpts._substitute` and Python's `string.Template` take them.

use super::configuration::{Configuration, Name, Setting};
use super::error::OsloError;
use crate::model::Secret;

/// The longest value that substitutions may make.
const LONGEST: usize = 64 * 1024;

/// The most substitutions that a value may take.
const MOST: usize = 1000;

/// The way through options that lead to each other.
struct Way {
    /// The options that lead here.
    names: Vec<Name>,
    /// How many more substitutions there may be.
    left: usize,
}

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Option(&'a str),
}

impl Configuration {
    /// What is written for an option, as [`written`](Self::written), with everything substituted.
    ///
    /// # Errors
    /// A `$` leads nowhere, or in a circle.
    pub fn value(&self, names: &[Name]) -> Result<Option<Setting>, OsloError> {
        let Some(setting) = self.written(names) else { return Ok(None) };
        let mut way = Way { names: vec![setting.name.clone()], left: MOST };
        let value = self.substituted(&setting, &mut way)?;
        Ok(Some(Setting { value, ..setting }))
    }

    /// The value of a setting; `way` leads to it, itself included.
    fn substituted(&self, setting: &Setting, way: &mut Way) -> Result<Secret, OsloError> {
        // A backslash before it escapes a dollar sign, too.
        let written = Secret::new(setting.value.expose().replace(r"\$", "$$"));
        let mut made = String::new();
        for piece in pieces(written.expose()) {
            match piece {
                Piece::Text(text) => made.push_str(text),
                Piece::Option(name) => made.push_str(self.option(name, setting, way)?.expose()),
            }
            if made.len() > LONGEST {
                return Err(OsloError::Endless { file: setting.file.clone(), line: setting.line });
            }
        }
        Ok(Secret::new(made))
    }

    /// What stands for `$name` in `setting`: `group.option`; or an option of the same group, else of `DEFAULT`.
    fn option(&self, name: &str, setting: &Setting, way: &mut Way) -> Result<Secret, OsloError> {
        let first = match name.split_once('.') {
            Some((group, option)) => Name::new(group, option),
            None => Name::new(&setting.name.group, name),
        };
        let found = self.written(&[first]).or_else(|| self.written(&[Name::new("DEFAULT", name)]));
        let (file, line, name) = (setting.file.clone(), setting.line, name.to_owned());
        if way.left == 0 {
            return Err(OsloError::Endless { file, line });
        }
        way.left -= 1;
        let Some(found) = found else { return Err(OsloError::Undefined { file, line, name }) };
        if way.names.contains(&found.name) {
            return Err(OsloError::Circle { file, line, name });
        }
        way.names.push(found.name.clone());
        let value = self.substituted(&found, way);
        way.names.pop();
        value
    }
}

/// A value in pieces. A dollar sign that begins nothing stays what it is.
fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        pieces.push(Piece::Text(before));
        let braced = after.strip_prefix('{').and_then(|inner| {
            let length = identifier(inner);
            inner[length..].starts_with('}').then_some((&inner[..length], length + 2)).filter(|_| length > 0)
        });
        let plain = identifier(after);
        if let Some(next) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$"));
            rest = next;
        } else if let Some((name, length)) = braced {
            pieces.push(Piece::Option(name));
            rest = &after[length..];
        } else if plain > 0 {
            pieces.push(Piece::Option(&after[..plain]));
            rest = &after[plain..];
        } else {
            pieces.push(Piece::Text("$"));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// How many bytes of an option's name `text` begins with: a letter or `_`, then letters, digits, `_` and dots.
fn identifier(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}
