//! Reading one document.

use std::ops::Range;

use serde::de::DeserializeOwned;

use super::tree::{Entry, Kind, Tree, is_word};
use super::typed::{Cause, Fault, Typed};
use super::{Mistake, Source};

/// A document that was read, and where each of its values stands.
#[derive(Debug)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    source: Source,
    tree: Tree,
}

/// Nobody reads more mistakes of one file in one go.
const MISTAKES: usize = 100;

impl<T: DeserializeOwned> Document<T> {
    /// Reads a document whose `format` must be `format`.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, in the order of the text. Text that is not YAML ends the reading
    /// at its place.
    pub fn read(source: &Source, format: u32) -> Result<Self, Vec<Mistake>> {
        match Attempt::read(source, format) {
            Attempt { value: Some(value), tree: Some(tree), mistakes, source } if mistakes.is_empty() => {
                Ok(Self { value, source, tree })
            }
            attempt => Err(attempt.mistakes),
        }
    }
}

impl<T> Document<T> {
    /// The document's file and text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A mistake in what the value at `path` means. A path is keys and indexes with slashes
    /// (`steps/2/run/series/from`), `*` is the only entry of a mapping; where the path ends early
    /// (a key that was left out) its last existing part is pointed at.
    pub fn mistake(&self, path: &str, message: impl Into<String>) -> Mistake {
        Mistake::at(&self.source, &self.range(path), message)
    }

    fn range(&self, path: &str) -> Range<usize> {
        self.tree.range(self.tree.locate(path))
    }
}

/// A document as far as it can be read: what its mistakes leave of it can be checked all the same.
// Not `Debug`: the tree holds the text of discreet documents.
pub struct Attempt<T> {
    /// What it says, without what is wrong and with guesses where something is missing; nothing if too
    /// little can be read. Not to be used for anything but looking for more mistakes, if there are any.
    pub value: Option<T>,
    /// Every mistake that was found, in the order of the text.
    pub mistakes: Vec<Mistake>,
    source: Source,
    tree: Option<Tree>,
}

impl<T: DeserializeOwned> Attempt<T> {
    /// Reads as much as can be read of a document whose `format` must be `format`.
    pub fn read(source: &Source, format: u32) -> Self {
        let mut mistakes = Vec::new();
        let mut tree = Tree::parse(source, &mut mistakes);
        let mut value = None;
        if let Some(tree) = &mut tree {
            tree.check_keys(source, &mut mistakes);
            if let Some(mistake) = wrong_format(source, tree, format) {
                // A document of another format has other keys: nothing else can be said of it.
                mistakes = vec![mistake];
            } else {
                value = walk(source, tree, &mut mistakes);
            }
        }
        Mistake::sort(&mut mistakes);
        Self { value, mistakes, source: source.clone(), tree }
    }
}

impl<T> Attempt<T> {
    /// The same, with mistakes that show `shown` in the place of the text: see [`Source::discreet`].
    #[must_use]
    pub fn discreet(self, shown: String) -> Self {
        let source = self.source.discreet(shown);
        let mistakes = self.mistakes.into_iter().map(|mistake| mistake.shown_by(&source)).collect();
        Self { mistakes, source, ..self }
    }

    /// A mistake in what the value at `path` means: at the value if it is a scalar, else at its key. A
    /// path is keys with slashes; where it ends early its last existing part counts.
    pub fn mistake(&self, path: &str, message: impl Into<String>) -> Mistake {
        let range = self.tree.as_ref().map(|tree| {
            let node = tree.locate(path);
            if tree.text(node).is_some() { tree.range(node) } else { tree.range(tree.key_of(node)) }
        });
        Mistake::at(&self.source, &range.unwrap_or_default(), message)
    }

    /// A mistake in the last key of `path`, or the last one that exists.
    pub fn mistake_at_key(&self, path: &str, message: impl Into<String>) -> Mistake {
        let range = self.tree.as_ref().map(|tree| tree.range(tree.key_of(tree.locate(path))));
        Mistake::at(&self.source, &range.unwrap_or_default(), message)
    }

    /// Whether the value at `path` was read as it stands. Else what is wrong with its meaning may be a
    /// consequence of a mistake that was reported.
    pub fn is_sound(&self, path: &str) -> bool {
        self.tree.as_ref().is_none_or(|tree| tree.is_sound(path))
    }

    /// Calls `seen` with every entry of every mapping. Whether the text could be parsed at all.
    pub fn visit(&self, seen: &mut dyn FnMut(Entry<'_>)) -> bool {
        self.tree.as_ref().inspect(|tree| tree.visit(seen)).is_some()
    }
}

/// Walks the tree again and again until nothing wrong is left of it.
fn walk<T: DeserializeOwned>(source: &Source, tree: &mut Tree, mistakes: &mut Vec<Mistake>) -> Option<T> {
    loop {
        match T::deserialize(Typed::new(tree)) {
            Ok(value) => return Some(value),
            Err(_) if mistakes.len() >= MISTAKES => {
                let more = format!("there are more than {MISTAKES} mistakes: the others are not shown");
                mistakes.push(Mistake::of_file(source.file(), more));
                return None;
            }
            Err(fault) => {
                if !get_over(fault, source, tree, mistakes) {
                    return None;
                }
            }
        }
    }
}

/// Reports a fault unless it follows from one that was reported, and changes the tree so that the next
/// walk gets past it. Whether there is a next walk.
fn get_over(fault: Fault, source: &Source, tree: &mut Tree, mistakes: &mut Vec<Mistake>) -> bool {
    let node = fault.node.unwrap_or(Tree::ROOT);
    let follows = match fault.cause {
        Cause::Missing(key) => tree.is_excused(node, key),
        Cause::Supplied(..) => true,
        Cause::Wrong | Cause::Unknown { .. } => tree.is_damaged(node),
    };
    if !follows || mistakes.is_empty() {
        let text = tree.text(node);
        let open = !source.is_discreet() || tree.is_key(node) && text.is_some_and(is_word);
        let message = if open { fault.message() } else { fault.discreet_message(text) };
        let mistake = Mistake::at(source, &tree.range(node), message);
        mistakes.push(match fault.help {
            Some(help) => mistake.with_help(help),
            None => mistake,
        });
    }
    match fault.cause {
        Cause::Missing(key) => tree.supply(node, key),
        Cause::Supplied(mapping, key) => tree.supply(mapping, key) || tree.remove(mapping),
        Cause::Unknown { meant } => {
            if let (Some(meant), Some(parent)) = (meant, tree.node(node).parent) {
                tree.excuse(parent, meant);
            }
            tree.remove(node)
        }
        Cause::Wrong => tree.remove(node),
    }
}

fn wrong_format(source: &Source, tree: &Tree, format: u32) -> Option<Mistake> {
    if !matches!(tree.node(Tree::ROOT).kind, Kind::Mapping(_)) {
        return None;
    }
    let node = tree.locate("format");
    let message = match (node, tree.text(node)) {
        (Tree::ROOT, _) => format!("`format` is missing: begin the document with `format: {format}`"),
        (_, Some(text)) if text.parse() == Ok(format) => return None,
        (_, Some(text)) if text.parse::<u32>().is_ok_and(|given| given > format) => {
            format!("format {text} was written for a newer leapfrog; this one reads format {format}")
        }
        _ => format!("this is not a format leapfrog knows: write `format: {format}`"),
    };
    Some(Mistake::at(source, &tree.range(node), message))
}
