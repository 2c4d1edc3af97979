//! Reads a type from a tree, and does not stop at the first mistake.
//!
//! serde ends with the first error. Here the value in error is cut out of the tree and the type is
//! read again, until what is left can be read; a field that is missing only because it was cut is no
//! further mistake. So every unknown key, every wrong value and every missing field is reported at
//! once, and checks of the meaning can still look at what is sound.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Unexpected, Visitor};

use crate::document::nearest;

use super::mask::is_word;
use super::tree::{Node, Path, Value};

/// A mistake in a document's shape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// What it is about.
    pub(super) path: Path,
    /// Whether the key is meant, not its value.
    pub(super) at_key: bool,
    pub(super) message: String,
    pub(super) advice: Option<String>,
}

/// What was read of a document.
pub(super) struct Shaped<T> {
    /// The sound part; nothing if too little is left.
    pub(super) document: Option<T>,
    pub(super) flaws: Vec<Flaw>,
    /// What was cut out.
    pub(super) cut: Vec<Path>,
}

/// Reads as much of `tree` as can be read.
pub(super) fn read<T: DeserializeOwned>(tree: &Node) -> Shaped<T> {
    let mut rest = tree.clone();
    let mut shaped = Shaped { document: None, flaws: Vec::new(), cut: Vec::new() };
    loop {
        let fault = match T::deserialize(&rest) {
            Ok(document) => {
                shaped.document = Some(document);
                return shaped;
            }
            Err(fault) => fault,
        };
        let at_key = fault.at_key;
        let path = fault.path.into_iter().rev().fold(Path::default(), |path, key| path.join(key));
        let known = match &fault.kind {
            Kind::Missing(field) => shaped.cut.contains(&path.join(field)),
            _ => false,
        };
        if !known {
            let (message, advice) = fault.kind.explain();
            shaped.flaws.push(Flaw { path: path.clone(), at_key, message, advice });
        }
        if !rest.remove(&path) {
            return shaped;
        }
        shaped.cut.push(path);
    }
}

/// Why a type could not be read.
#[derive(Debug)]
pub(super) struct Fault {
    /// The keys on the way, the last one first.
    path: Vec<String>,
    at_key: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    UnknownKey { key: String, known: &'static [&'static str] },
    Missing(&'static str),
    Other(String),
}

impl Kind {
    fn explain(self) -> (String, Option<String>) {
        match self {
            Self::UnknownKey { key, known } => {
                let message = if is_word(&key) { format!("unknown key `{key}`") } else { "unknown key".to_owned() };
                let advice = match nearest(&key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("keys that may stand here: {}", known.join(", ")),
                };
                (message, Some(advice))
            }
            Self::Missing(field) => (format!("the key `{field}` is missing"), None),
            Self::Other(message) => (message, None),
        }
    }
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { path: Vec::new(), at_key: false, kind }
    }

    fn wrong(node: &Node, expected: &dyn de::Expected) -> Self {
        let found = match node.value {
            Value::Nothing => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List => "a list",
            Value::Map(_) => "keys with values",
        };
        Self::new(Kind::Other(format!("there is {found} where {expected} belongs")))
    }

    fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }

    // What was found is not repeated: it may be a password in the wrong place.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Other(format!("{expected} belongs here")))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Other(format!("{expected} belongs here")))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Other(format!("one of these words belongs here: {}", expected.join(", "))))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, super::tree::Entry>,
    current: Option<&'a super::tree::Entry>,
}

impl<'a, 'de> MapAccess<'de> for Entries<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| Fault { at_key: true, ..fault.under(&entry.key) })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry = self.current.take().ok_or_else(|| Fault::new(Kind::Other("a value without a key".to_owned())))?;
        seed.deserialize(&entry.node).map_err(|fault| fault.under(&entry.key))
    }
}

/// A whole number is read from its digits alone: no signs, underscores or other bases.
macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = match &self.value {
                Value::Scalar(text) if text.chars().all(|c| c.is_ascii_digit()) => text.parse::<$type>().ok(),
                _ => None,
            };
            match number {
                Some(number) => visitor.$visit(number),
                None => Err(Fault::new(Kind::Other("a whole number belongs here".to_owned()))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Scalar(text) => visitor.visit_str(text),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), current: None }),
            Value::Nothing | Value::List => Err(Fault::wrong(self, &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), current: None }),
            _ => Err(Fault::wrong(self, &"a map of keys and values")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Map(_) => self.deserialize_map(visitor),
            _ => Err(Fault::wrong(self, &format!("a map of {}", fields.join(", ")).as_str())),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Scalar(text) => visitor.visit_str(text),
            _ => Err(Fault::wrong(self, &"a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Scalar(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(Fault::wrong(self, &format!("one of the words {}", words.join(", ")).as_str())),
        }
    }

    whole_numbers! { deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64 }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pond {
        name: String,
        #[serde(default)]
        frogs: BTreeMap<String, Frog>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Frog {
        legs: u32,
        mood: Option<Mood>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mood {
        Good,
        VeryGood,
    }

    fn shaped(text: &str) -> Shaped<Pond> {
        read(&Node::read(text).unwrap_or_else(|error| panic!("{}", error.message)))
    }

    #[test]
    fn a_sound_document_is_read() {
        let pond = shaped("name: 0010\nfrogs: {a: {legs: 4, mood: very-good}, b: {legs: 4, mood: ~}}\n");
        assert!(pond.flaws.is_empty());
        let pond = pond.document.expect("sound");
        assert_eq!(pond.name, "0010");
        assert!(matches!(pond.frogs["a"].mood, Some(Mood::VeryGood)) && pond.frogs["b"].legs == 4);
    }

    #[test]
    fn every_mistake_is_reported_and_the_rest_is_kept() {
        let pond = shaped(
            "name: pond\ncolour: blue\nfrogs:\n  a: {legs: four}\n  b: {leg: 4}\n  c: {legs: 4, mood: bad}\n  d: [1]\n  e: {legs: 4, mood: good}\n",
        );
        let flaws: Vec<String> = pond
            .flaws
            .iter()
            .map(|flaw| {
                format!("{}: {} {}", flaw.path.keys().join("."), flaw.message, flaw.advice.as_deref().unwrap_or(""))
            })
            .collect();
        insta::assert_snapshot!(flaws.join("\n"), @r"
        colour: unknown key `colour` keys that may stand here: name, frogs
        frogs.a.legs: a whole number belongs here 
        frogs.b.leg: unknown key `leg` did you mean `legs`?
        frogs.b: the key `legs` is missing 
        frogs.c.mood: one of these words belongs here: good, very-good 
        frogs.d: there is a list where a map of legs, mood belongs
        ");
        let frogs: Vec<String> = pond.document.expect("enough is left").frogs.into_keys().collect();
        assert_eq!(frogs, ["c", "e"]);
    }

    #[test]
    fn a_document_of_which_too_little_is_left_is_none() {
        for text in ["[1]", "", "frogs: {}", "name: {}"] {
            let pond = shaped(text);
            assert!(pond.document.is_none(), "{text}");
            assert_eq!(pond.flaws.len(), 1, "{text}: {:?}", pond.flaws);
        }
    }
}
