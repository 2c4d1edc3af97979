//! A YAML text as a tree of keys and values that know their places, in bytes.
//!
//! Types are read from the tree afterwards (see `shape`), so that one mistake does not hide the next.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, NonFiniteFloatPolicy, Spanned};

/// The keys that lead to a value, from the top of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(Vec<String>);

impl Path {
    pub(super) fn new<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.map(str::to_owned).to_vec())
    }

    pub(super) fn join(&self, key: impl AsRef<str>) -> Self {
        let mut path = self.clone();
        path.0.push(key.as_ref().to_owned());
        path
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    pub(super) fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// Whether `other` is this path or leads on from it.
    pub(super) fn leads_to(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Range<usize>,
    pub(super) value: Value,
}

/// What a value is. Scalars stay text: what they mean depends on who reads them.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Nothing,
    Scalar(String),
    List,
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Range<usize>,
    pub(super) node: Node,
}

/// Why a text is no tree. The message does not repeat the text.
#[derive(Debug)]
pub(super) struct NotYaml {
    pub(super) place: Range<usize>,
    pub(super) message: String,
}

impl Node {
    /// Reads `text`.
    pub(super) fn read(text: &str) -> Result<Self, NotYaml> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            non_finite_float_policy: NonFiniteFloatPolicy::AsString,
            budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 20_000, max_aliases: 100 },
        };
        let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| NotYaml {
            place: error.location().map_or(0..0, |location| find(text, &location)),
            message: explain(&error),
        })?;
        Self::build(raw, text)
    }

    fn build(raw: Spanned<Raw>, text: &str) -> Result<Self, NotYaml> {
        let at = place(&raw.referenced);
        let value = match raw.value {
            Raw::Nothing => Value::Nothing,
            Raw::Text(text) => Value::Scalar(text),
            Raw::Literal => Value::Scalar(text.get(place(&raw.defined)).unwrap_or_default().to_owned()),
            Raw::List => Value::List,
            Raw::Map(entries) => {
                let entries = entries.into_iter().map(|(key, value)| {
                    let key = Self::build(key, text)?;
                    let Value::Scalar(name) = key.value else {
                        let message = "a key has to be a single word".to_owned();
                        return Err(NotYaml { place: key.place, message });
                    };
                    Ok(Entry { key: name, key_place: key.place, node: Self::build(value, text)? })
                });
                Value::Map(entries.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { place: at, value })
    }

    fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry that `path` leads to.
    pub(super) fn entry(&self, path: &Path) -> Option<&Entry> {
        let (last, parents) = path.0.split_last()?;
        let mut node = self;
        for key in parents {
            node = &node.entries().iter().find(|entry| entry.key == *key)?.node;
        }
        node.entries().iter().find(|entry| entry.key == *last)
    }

    /// The text of the scalar that `path` leads to.
    pub(super) fn scalar(&self, path: &Path) -> Option<&str> {
        match &self.entry(path)?.node.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The place of the value that `path` leads to, of its key where the value has many parts, or of
    /// the nearest key on the way that exists.
    pub(super) fn place_of(&self, path: &Path) -> Range<usize> {
        match self.entry(path) {
            Some(entry) => match entry.node.value {
                Value::Scalar(_) if !entry.node.place.is_empty() => entry.node.place.clone(),
                _ => entry.key_place.clone(),
            },
            None => path.parent().map_or(0..0, |parent| self.key_place_of(&parent)),
        }
    }

    /// The place of the key that `path` ends with, or of the nearest one on the way that exists.
    pub(super) fn key_place_of(&self, path: &Path) -> Range<usize> {
        match self.entry(path) {
            Some(entry) => entry.key_place.clone(),
            None => path.parent().map_or(0..0, |parent| self.key_place_of(&parent)),
        }
    }

    /// Cuts off what `path` leads to; false if there is nothing.
    pub(super) fn remove(&mut self, path: &Path) -> bool {
        let Some((last, parents)) = path.0.split_last() else { return false };
        let mut node = self;
        for key in parents {
            let Value::Map(entries) = &mut node.value else { return false };
            let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) else { return false };
            node = &mut entry.node;
        }
        let Value::Map(entries) = &mut node.value else { return false };
        let before = entries.len();
        entries.retain(|entry| entry.key != *last);
        entries.len() < before
    }

    /// Calls `seen` with every value and the path to it.
    pub(super) fn visit(&self, path: &Path, seen: &mut dyn FnMut(&Path, &Self)) {
        seen(path, self);
        for entry in self.entries() {
            entry.node.visit(&path.join(&entry.key), seen);
        }
    }
}

fn place(location: &Location) -> Range<usize> {
    let span = location.span();
    let start = number(span.byte_offset().unwrap_or_default());
    start..start.saturating_add(number(span.byte_len().unwrap_or_default()))
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The place of a location that has only line and column, as those of the scanner's errors.
fn find(text: &str, location: &Location) -> Range<usize> {
    let (line, column) = (number(location.line()).max(1), number(location.column()).max(1));
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text[start..].lines().next().unwrap_or_default();
    let at = start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
    at..at
}

/// What is wrong with a text that is no YAML, without a word of the text itself.
fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::DuplicateMappingKey { .. } => "the key is there twice".to_owned(),
        Error::MultipleDocuments { .. } => "the file holds more than one document: only one is read".to_owned(),
        Error::Eof { .. } => "the document is empty".to_owned(),
        Error::Budget { .. } => "the document is too deep or too large for a cloud file".to_owned(),
        Error::UnknownAnchor { .. } => "the alias names no anchor that comes before it".to_owned(),
        _ => "this is not valid YAML: look at quotes, braces, colons and indentation here and just before".to_owned(),
    }
}

/// A YAML value as the parser tells it.
enum Raw {
    Nothing,
    Text(String),
    /// A number or a truth value; its text is in the source.
    Literal,
    List,
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Raw::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        Node::read(text).unwrap_or_else(|error| panic!("{}", error.message))
    }

    #[test]
    fn every_value_knows_its_place_and_keeps_its_text() {
        let text = "format: 1\nname: \"ä b\"\nruns: {user: 0010, pull: yes, half: 2024.10}\nempty:\n";
        let tree = read(text);
        for (path, expected, source) in [
            (Path::new(["format"]), "1", "1"),
            (Path::new(["name"]), "ä b", "\"ä b\""),
            (Path::new(["runs", "user"]), "0010", "0010"),
            (Path::new(["runs", "pull"]), "yes", "yes"),
            (Path::new(["runs", "half"]), "2024.10", "2024.10"),
        ] {
            assert_eq!(tree.scalar(&path), Some(expected));
            assert_eq!(&text[tree.place_of(&path)], source);
        }
        assert_eq!(&text[tree.key_place_of(&Path::new(["runs", "pull"]))], "pull");
        assert_eq!(&text[tree.place_of(&Path::new(["empty"]))], "empty");
        assert_eq!(&text[tree.place_of(&Path::new(["runs", "absent", "deeper"]))], "runs");
    }

    #[test]
    fn a_text_that_is_no_tree_says_where_and_repeats_nothing() {
        for (text, line, expected) in [
            ("a: 1\nb: {url: \"Secret99\n", 2, "not valid YAML"),
            ("a: 1\nSecret99: 1\nSecret99: 2\n", 3, "twice"),
            ("a: *Secret99\n", 1, "alias"),
            ("? [Secret99]\n: 1\n", 1, "single word"),
            ("a: 1\n---\nSecret99: 1\n", 2, "more than one document"),
        ] {
            let error = Node::read(text).expect_err(text);
            assert!(error.message.contains(expected) && !error.message.contains("Secret99"), "{text}: {error:?}");
            let found = text[..error.place.start].matches('\n').count() + 1;
            assert!(found.abs_diff(line) <= 1, "{text}: {error:?}");
        }
        assert!(matches!(read("# nothing\n").value, Value::Nothing));
    }
}
