//! The parsed text: nodes that remember where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, options};

use super::supplied::Supplied;
use super::{Mistake, Source};

/// A node's number in its tree.
pub(super) type NodeId = usize;

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// Unquoted text, which may be meant as a number or a truth value.
    Plain(String),
    /// Quoted or block text.
    Text(String),
    /// A list.
    Sequence(Vec<NodeId>),
    /// Keys and values.
    Mapping(Vec<(NodeId, NodeId)>),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) parent: Option<NodeId>,
    span: Range<usize>,
}

/// An entry of a mapping, by its places.
#[derive(Debug)]
pub struct Entry<'t> {
    /// The keys that lead to it, its own the last.
    pub path: &'t [&'t str],
    /// The bytes of its key.
    pub key: Range<usize>,
    /// The bytes of its value, if that is a scalar.
    pub value: Option<Range<usize>>,
}

/// All nodes of a document. The root is the first of them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Values that were found wrong and are passed over from then on.
    gone: BTreeSet<NodeId>,
    /// Nodes that something was taken from: what is wrong with them now is a consequence.
    damaged: BTreeSet<NodeId>,
    /// Keys whose absence from a mapping is a consequence.
    excused: BTreeSet<(NodeId, String)>,
    /// Keys that are missing from a mapping, and which guess stands for their value.
    supplied: BTreeMap<NodeId, BTreeMap<&'static str, Supplied>>,
}

/// Deeper nesting than any document needs; the deserializer descends once per level.
const DEPTH: usize = 32;
/// More nodes than any document needs.
const NODES: usize = 50_000;

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn is_gone(&self, id: NodeId) -> bool {
        self.gone.contains(&id)
    }

    pub(super) fn is_damaged(&self, id: NodeId) -> bool {
        self.damaged.contains(&id)
    }

    /// A scalar's text.
    pub(super) fn text(&self, id: NodeId) -> Option<&str> {
        match &self.nodes[id].kind {
            Kind::Plain(text) | Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the node is a mapping's key.
    pub(super) fn is_key(&self, id: NodeId) -> bool {
        let parent = self.nodes[id].parent.map(|parent| &self.nodes[parent].kind);
        matches!(parent, Some(Kind::Mapping(entries)) if entries.iter().any(|(key, _)| *key == id))
    }

    /// The key of a node that is a mapping's value; else the node.
    pub(super) fn key_of(&self, id: NodeId) -> NodeId {
        match self.nodes[id].parent.map(|parent| &self.nodes[parent].kind) {
            Some(Kind::Mapping(entries)) => entries.iter().find(|(_, value)| *value == id).map_or(id, |(key, _)| *key),
            _ => id,
        }
    }

    /// Whether nothing was taken from the value at `path`, a path of keys, or put in its place.
    pub(super) fn is_sound(&self, path: &str) -> bool {
        let mut id = Self::ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Kind::Mapping(entries) = &self.nodes[id].kind else { return true };
            match entries.iter().find(|(key, _)| self.text(*key) == Some(part)) {
                Some((_, value)) if self.is_gone(*value) => return false,
                Some((_, value)) => id = *value,
                None => return !self.is_excused(id, part) && !self.supplied(id).iter().any(|(key, _)| *key == part),
            }
        }
        let touched = self.damaged.iter().chain(self.supplied.keys());
        !touched
            .copied()
            .any(|node| std::iter::successors(Some(node), |node| self.nodes[*node].parent).any(|at| at == id))
    }

    /// Calls `seen` with every entry of every mapping.
    pub(super) fn visit(&self, seen: &mut dyn FnMut(Entry<'_>)) {
        self.visit_below(Self::ROOT, &mut Vec::new(), seen);
    }

    fn visit_below<'t>(&'t self, id: NodeId, path: &mut Vec<&'t str>, seen: &mut dyn FnMut(Entry<'_>)) {
        match &self.nodes[id].kind {
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    path.push(self.text(*key).unwrap_or_default());
                    let value_range = self.text(*value).map(|_| self.range(*value));
                    seen(Entry { path, key: self.range(*key), value: value_range });
                    self.visit_below(*value, path, seen);
                    path.pop();
                }
            }
            Kind::Sequence(items) => items.iter().for_each(|item| self.visit_below(*item, path, seen)),
            _ => {}
        }
    }

    /// Passes over a node (for a key: over its value) from now on. Whether that was possible: the
    /// root cannot go.
    pub(super) fn remove(&mut self, id: NodeId) -> bool {
        let Some(parent) = self.nodes[id].parent else {
            return false;
        };
        let entry = match &self.nodes[parent].kind {
            Kind::Mapping(entries) => entries.iter().find(|(key, value)| *key == id || *value == id).copied(),
            _ => None,
        };
        if let Some(key) = entry.and_then(|(key, _)| self.text(key)) {
            self.excuse(parent, key.to_owned());
        }
        self.damaged.insert(parent);
        self.gone.insert(entry.map_or(id, |(_, value)| value))
    }

    /// Says no more of this key when it is missing from this mapping.
    pub(super) fn excuse(&mut self, mapping: NodeId, key: String) {
        self.excused.insert((mapping, key));
    }

    pub(super) fn is_excused(&self, mapping: NodeId, key: &str) -> bool {
        self.excused.contains(&(mapping, key.to_owned()))
    }

    /// Puts a value in the place of a missing key, another one where one stands already. Whether there
    /// was one left.
    pub(super) fn supply(&mut self, mapping: NodeId, key: &'static str) -> bool {
        let supplied = self.supplied.entry(mapping).or_default();
        let attempt = supplied.get(key).map_or(0, |supplied| supplied.attempt + 1);
        supplied.insert(key, Supplied { attempt });
        attempt < Supplied::ATTEMPTS
    }

    /// What stands for the missing keys of a mapping.
    pub(super) fn supplied(&self, mapping: NodeId) -> Vec<(&'static str, Supplied)> {
        self.supplied.get(&mapping).into_iter().flatten().map(|(key, supplied)| (*key, *supplied)).collect()
    }

    /// The bytes to point at: those of a scalar, or of a collection's first scalar.
    pub(super) fn range(&self, id: NodeId) -> Range<usize> {
        let node = &self.nodes[id];
        let first = match &node.kind {
            Kind::Sequence(items) => items.first(),
            Kind::Mapping(entries) => entries.first().map(|(key, _)| key),
            _ => None,
        };
        // Flow collections have brackets, and all of them is worth showing.
        match first {
            Some(first) if node.span.is_empty() => self.range(*first),
            _ => node.span.clone(),
        }
    }

    /// The node at a path of keys and indexes, or the nearest one around it that exists. `*` stands
    /// for the only entry of a mapping.
    pub(super) fn locate(&self, path: &str) -> NodeId {
        let mut id = Self::ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let next = match &self.nodes[id].kind {
                Kind::Sequence(items) => part.parse::<usize>().ok().and_then(|index| items.get(index).copied()),
                Kind::Mapping(entries) => entries
                    .iter()
                    .find(|(key, _)| part == "*" || self.text(*key) == Some(part))
                    .map(|(_, value)| *value),
                _ => None,
            };
            match next {
                Some(next) => id = next,
                None => break,
            }
        }
        id
    }

    /// Parses a text. Mistakes that leave the rest readable are collected and their nodes passed
    /// over; `None` where nothing can be read.
    pub(super) fn parse(source: &Source, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let mut builder = Builder { source, mistakes, tree: Self::default(), open: Vec::new() };
        let whole = builder.run();
        (whole && !builder.tree.nodes.is_empty()).then_some(builder.tree)
    }
}

/// Whether `text` can be a key or a name, and so is fit to be repeated even in a discreet document.
pub(crate) fn is_word(text: &str) -> bool {
    text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

struct Builder<'s> {
    source: &'s Source,
    mistakes: &'s mut Vec<Mistake>,
    tree: Tree,
    /// The collections being read, with a key that waits for its value.
    open: Vec<(NodeId, Option<NodeId>)>,
}

impl Builder<'_> {
    /// Whether the text was read to its end.
    fn run(&mut self) -> bool {
        let source = self.source.clone();
        let limits = options! { flow_nesting_limit: DEPTH + 1, emit_comments: false, emit_unresolved_aliases: true };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(source.text(), limits) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    match error.kind() {
                        ErrorKind::RecursionLimitExceeded => self.refuse_size(&(at..at + 1), "nested too deeply"),
                        kind => self.report(&(at..at + 1), format!("this is not YAML: {kind}")),
                    }
                    return false;
                }
            };
            let range = span.byte_range().unwrap_or_default();
            if self.tree.nodes.len() >= NODES || self.open.len() > DEPTH {
                self.refuse_size(&range, if self.open.len() > DEPTH { "nested too deeply" } else { "too large" });
                return false;
            }
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        self.report(&range, "a second document begins here: a file holds one".to_owned());
                        return true;
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let kind = match style {
                        ScalarStyle::Plain if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") => Kind::Null,
                        ScalarStyle::Plain => Kind::Plain(text.into_owned()),
                        _ => Kind::Text(text.into_owned()),
                    };
                    let id = self.add(kind, range);
                    self.refuse_extras(id, &span, anchor, tag.is_some());
                }
                Event::SequenceStart(_, anchor, tag) => {
                    let id = self.add(Kind::Sequence(Vec::new()), range);
                    self.refuse_extras(id, &span, anchor, tag.is_some());
                    self.open.push((id, None));
                }
                Event::MappingStart(_, anchor, tag) => {
                    let id = self.add(Kind::Mapping(Vec::new()), range);
                    self.refuse_extras(id, &span, anchor, tag.is_some());
                    self.open.push((id, None));
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some((id, _)) = self.open.pop() {
                        let node = &mut self.tree.nodes[id];
                        // Only flow collections have a first byte of their own.
                        if !node.span.is_empty() {
                            node.span.end = range.end.max(node.span.end);
                        }
                    }
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => {
                    let id = self.add(Kind::Null, range.clone());
                    self.report(&range, "aliases are not supported: write the value out".to_owned());
                    self.tree.remove(id);
                }
                _ => {}
            }
        }
        if self.tree.nodes.is_empty() || (self.tree.nodes.len() == 1 && matches!(self.tree.nodes[0].kind, Kind::Null)) {
            self.report(&(0..0), "the file is empty".to_owned());
            return false;
        }
        true
    }

    fn report(&mut self, range: &Range<usize>, message: String) {
        self.mistakes.push(Mistake::at(self.source, range, message));
    }

    fn refuse_size(&mut self, range: &Range<usize>, what: &str) {
        self.report(range, format!("the document is {what}: at most {DEPTH} levels and {NODES} values"));
    }

    fn refuse_extras(&mut self, id: NodeId, span: &Span, anchor: usize, tag: bool) {
        if tag {
            let range = span.tag_span().and_then(|tag| tag.byte_range()).unwrap_or_else(|| self.tree.range(id));
            self.report(&range, "tags are not supported: leave it out".to_owned());
            self.tree.remove(id);
        }
        if anchor != 0 {
            let range = self.tree.nodes[id].span.clone();
            self.report(&range, "anchors are not supported: leave the & and its name out".to_owned());
        }
    }

    /// Adds a node where the text stands.
    fn add(&mut self, kind: Kind, span: Range<usize>) -> NodeId {
        let id = self.tree.nodes.len();
        let parent = self.open.last().map(|(parent, _)| *parent);
        self.tree.nodes.push(Node { kind, parent, span });
        let Some((parent, key)) = self.open.last_mut() else {
            return id;
        };
        match (&mut self.tree.nodes[*parent].kind, key.take()) {
            (Kind::Sequence(items), _) => items.push(id),
            (Kind::Mapping(entries), Some(key)) => entries.push((key, id)),
            (_, waiting) => {
                debug_assert!(waiting.is_none());
                *key = Some(id);
            }
        }
        id
    }
}

impl Tree {
    /// Keys that are no words and keys given twice: the second one counts as not there.
    pub(super) fn check_keys(&mut self, source: &Source, mistakes: &mut Vec<Mistake>) {
        let mut wrong = Vec::new();
        let mut doubles = Vec::new();
        for node in &self.nodes {
            let Kind::Mapping(entries) = &node.kind else { continue };
            let mut seen: BTreeMap<&str, NodeId> = BTreeMap::new();
            for (key, value) in entries {
                match self.text(*key) {
                    None => wrong.push(*key),
                    Some(text) => match seen.get(text) {
                        Some(first) => doubles.push((*key, *value, *first)),
                        None => drop(seen.insert(text, *key)),
                    },
                }
            }
        }
        for key in wrong {
            mistakes.push(Mistake::at(source, &self.range(key), "a key must be a word"));
            self.remove(key);
        }
        for (key, value, first) in doubles {
            let line = source.place(&self.range(first)).line;
            let text = self.text(key).unwrap_or_default();
            let message = match source.is_discreet() && !is_word(text) {
                true => format!("the key is given twice, first in line {line}"),
                false => format!("the key `{text}` is given twice, first in line {line}"),
            };
            mistakes.push(Mistake::at(source, &self.range(key), message));
            self.gone.insert(value);
        }
    }
}
