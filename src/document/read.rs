//! Reading one document.

use std::ops::Range;

use serde::de::DeserializeOwned;

use super::tree::{Kind, Tree};
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
        let mut mistakes = Vec::new();
        let Some(mut tree) = Tree::parse(source, &mut mistakes) else {
            return Err(mistakes);
        };
        tree.check_keys(source, &mut mistakes);
        if let Some(mistake) = wrong_format(source, &tree, format) {
            // A document of another format has other keys: nothing else can be said of it.
            return Err(vec![mistake]);
        }
        let value = loop {
            match T::deserialize(Typed::new(&tree)) {
                Ok(value) => break Some(value),
                Err(fault) => {
                    if mistakes.len() >= MISTAKES {
                        let more = format!("there are more than {MISTAKES} mistakes: the others are not shown");
                        mistakes.push(Mistake::of_file(source.file(), more));
                        break None;
                    }
                    if !get_over(fault, source, &mut tree, &mut mistakes) {
                        break None;
                    }
                }
            }
        };
        match value {
            Some(value) if mistakes.is_empty() => Ok(Self { value, source: source.clone(), tree }),
            _ => {
                Mistake::sort(&mut mistakes);
                Err(mistakes)
            }
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
        let mistake = Mistake::at(source, &tree.range(node), fault.message);
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
