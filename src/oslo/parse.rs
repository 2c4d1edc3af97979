//! One file: lines to sections and options, as oslo.config's `iniparser` does it.

use super::error::Malformation;
use crate::model::Secret;

/// An option as it is written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The section, as it is compared: in lower case, but for `DEFAULT`.
    pub(super) group: String,
    /// The option's name.
    pub(super) option: String,
    /// Its value before any substitution; lines that continue it follow after a line feed.
    pub(super) value: Secret,
    /// The line that it begins in, from 1.
    pub(super) line: usize,
}

/// A line that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line, from 1.
    pub(super) line: usize,
    pub(super) what: Malformation,
}

/// A group's name as services compare it: any case will do but for `DEFAULT`.
pub(super) fn normal(group: &str) -> String {
    if group == "DEFAULT" { group.to_owned() } else { group.to_lowercase() }
}

/// The options of a file, in their order.
///
/// # Errors
/// The first line that a service could not read.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, Fault> {
    let text = text(bytes)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut group: Option<String> = None;
    // Whether the line before belongs to an option, so that this one may continue it.
    let mut open = false;
    for (at, line) in lines(text).enumerate() {
        let fault = |what| Err(Fault { line: at + 1, what });
        let line = line.trim_end();
        if line.is_empty() {
            open = false;
        } else if line.starts_with([' ', '\t']) {
            let Some(entry) = entries.last_mut().filter(|_| open) else { return fault(Malformation::Continuation) };
            entry.value = Secret::new(format!("{}\n{}", entry.value.expose(), line.trim_start()));
        } else if let Some(rest) = line.strip_prefix('[') {
            open = false;
            match rest.strip_suffix(']') {
                None => return fault(Malformation::Bracket),
                Some("") => return fault(Malformation::NoName),
                Some(name) => group = Some(normal(name)),
            }
        } else if line.starts_with(['#', ';']) {
            open = false;
        } else {
            let Some(end) = line.find(['=', ':']) else { return fault(Malformation::NoAssignment) };
            let (option, value) = (line[..end].trim(), unquoted(line[end + 1..].trim()));
            if option.is_empty() {
                return fault(Malformation::NoKey);
            }
            let Some(group) = group.clone() else { return fault(Malformation::NoSection) };
            entries.push(Entry { group, option: option.to_owned(), value: Secret::new(value), line: at + 1 });
            open = true;
        }
    }
    Ok(entries)
}

/// The file's text, if it is one that a service could read.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let line_of = |at: usize| lines_before(&bytes[..at]) + 1;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Fault { line: line_of(error.valid_up_to()), what: Malformation::Encoding })?;
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(Fault { line: line_of(at), what: Malformation::Nul });
    }
    if text.starts_with('\u{feff}') {
        return Err(Fault { line: 1, what: Malformation::ByteOrderMark });
    }
    Ok(text)
}

/// How many lines end in these bytes.
fn lines_before(bytes: &[u8]) -> usize {
    let feeds = bytes.iter().filter(|byte| **byte == b'\n').count();
    let alone = bytes.windows(2).filter(|pair| pair[0] == b'\r' && pair[1] != b'\n').count();
    feeds + alone
}

/// The lines of a text with any of the three ends that Python knows.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// A value without the quotes around it, if it has the same one on both ends.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            // A lone quote is both ends in one, and nothing is left.
            return if rest.is_empty() { rest } else { rest.strip_suffix(quote).unwrap_or(value) };
        }
    }
    value
}
