//! Tree nodes to typed values: a serde deserializer whose mistakes know their node.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::nearest;
use super::supplied::Supplied;
use super::tree::{Kind, NodeId, Tree};

/// What serde found wrong, and at which node.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) node: Option<NodeId>,
    message: String,
    /// What stands in the text, as the end of the message.
    found: String,
    pub(super) help: Option<String>,
    pub(super) cause: Cause,
}

/// What the reader can do about a fault to go on.
#[derive(Debug)]
pub(super) enum Cause {
    /// The node is wrong.
    Wrong,
    /// The node is a key or word nobody knows; perhaps this one was meant.
    Unknown { meant: Option<String> },
    /// The node is a mapping without this key.
    Missing(&'static str),
    /// The value put in the place of this key of this mapping was not accepted.
    Supplied(NodeId, &'static str),
}

impl Fault {
    fn new(message: String) -> Self {
        Self { node: None, message, found: String::new(), help: None, cause: Cause::Wrong }
    }

    fn expected(what: &str, found: &str) -> Self {
        Self { found: format!(", found {found}"), ..Self::new(format!("expected {what}")) }
    }

    /// What is wrong, with what stands in the text.
    pub(super) fn message(&self) -> String {
        format!("{}{}", self.message, self.found)
    }

    /// What is wrong, without what stands in the text, which is `text`.
    pub(super) fn discreet_message(&self, text: Option<&str>) -> String {
        match text.filter(|text| !text.is_empty()) {
            Some(text) => self.message.replace(text, "(hidden)"),
            None => self.message.clone(),
        }
    }

    /// The innermost node wins: it is set first.
    fn at(self, node: NodeId) -> Self {
        Self { node: self.node.or(Some(node)), ..self }
    }

    fn unknown(what: &str, found: &str, known: &[&str]) -> Self {
        let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
        let meant = nearest(found, known.iter().copied()).map(str::to_owned);
        let help = match &meant {
            Some(meant) => format!("did you mean `{meant}`? known are: {list}"),
            None => format!("known are: {list}"),
        };
        let found = format!(" `{}`", shown(found));
        Self { help: Some(help), cause: Cause::Unknown { meant }, found, ..Self::new(format!("unknown {what}")) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "u8" => "a whole number from 0 to 255".to_owned(),
            "u16" | "u32" | "u64" | "usize" => "a whole number, not negative and not too large".to_owned(),
            "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, not too large".to_owned(),
            other => other.to_owned(),
        };
        let found = match found {
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            other => other.to_string(),
        };
        Self::expected(&expected, &found)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::unknown("word", found, known)
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::unknown("key", found, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { cause: Cause::Missing(field), ..Self::new(format!("`{field}` is missing")) }
    }
}

/// At most 40 characters of a text, without control characters.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() { format!("{short}…") } else { short }
}

/// A node on its way to a value.
#[derive(Clone, Copy)]
pub(super) struct Typed<'t> {
    tree: &'t Tree,
    node: NodeId,
    /// Keys may be numbers in quotes: JSON knows no others.
    is_key: bool,
}

impl<'t> Typed<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self { tree, node: Tree::ROOT, is_key: false }
    }

    fn child(self, node: NodeId) -> Self {
        Self { node, is_key: false, ..self }
    }

    fn key(self, node: NodeId) -> Self {
        Self { node, is_key: true, ..self }
    }

    fn kind(self) -> &'t Kind {
        &self.tree.node(self.node).kind
    }

    fn unfit<T>(self, expected: &str) -> Result<T, Fault> {
        let found = match self.kind() {
            Kind::Null => "nothing".to_owned(),
            Kind::Plain(text) => format!("`{}`", shown(text)),
            Kind::Text(text) => format!("the text `{}`", shown(text)),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
        };
        Err(Fault::expected(expected, &found).at(self.node))
    }

    fn read<T: de::DeserializeSeed<'static>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| fault.at(self.node))
    }

    fn number<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = match self.kind() {
            Kind::Plain(text) => text,
            Kind::Text(text) if self.is_key => text,
            _ => return self.unfit("a whole number"),
        };
        if let Ok(number) = text.parse::<u64>() {
            visitor.visit_u64(number)
        } else if let Ok(number) = text.parse::<i64>() {
            visitor.visit_i64(number)
        } else {
            return self.unfit("a whole number");
        }
        .map_err(|fault: Fault| fault.at(self.node))
    }

    fn decimal<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind() {
            Kind::Plain(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    visitor.visit_f64(number).map_err(|fault: Fault| fault.at(self.node))
                }
                _ => self.unfit("a number"),
            },
            _ => self.unfit("a number"),
        }
    }

    fn word<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind() {
            Kind::Plain(text) | Kind::Text(text) => visitor.visit_str(text).map_err(|fault: Fault| fault.at(self.node)),
            _ => self.unfit("text"),
        }
    }
}

macro_rules! forward {
    ($($method:ident => $to:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$to(visitor)
        })*
    };
}

impl de::Deserializer<'static> for Typed<'_> {
    type Error = Fault;

    forward! {
        deserialize_u8 => number, deserialize_u16 => number, deserialize_u32 => number, deserialize_u64 => number,
        deserialize_i8 => number, deserialize_i16 => number, deserialize_i32 => number, deserialize_i64 => number,
        deserialize_f32 => decimal, deserialize_f64 => decimal,
        deserialize_str => word, deserialize_string => word, deserialize_identifier => word,
    }

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind() {
            Kind::Null => visitor.visit_unit().map_err(|fault: Fault| fault.at(self.node)),
            Kind::Plain(text) if text.parse::<u64>().is_ok() => self.number(visitor),
            Kind::Plain(text) if text == "true" || text == "false" => self.deserialize_bool(visitor),
            Kind::Plain(_) | Kind::Text(_) => self.word(visitor),
            Kind::Sequence(_) => self.deserialize_seq(visitor),
            Kind::Mapping(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind() {
            Kind::Plain(text) if text == "true" => visitor.visit_bool(true),
            Kind::Plain(text) if text == "false" => visitor.visit_bool(false),
            _ => self.unfit("`true` or `false`"),
        }
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind() {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Sequence(items) = self.kind() else {
            return self.unfit("a list");
        };
        visitor.visit_seq(Items { at: self, rest: items }).map_err(|fault| fault.at(self.node))
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Mapping(entries) = self.kind() else {
            return self.unfit("a mapping");
        };
        let entries = Entries { at: self, rest: entries, supplied: self.tree.supplied(self.node), value: None };
        visitor.visit_map(entries).map_err(|fault| fault.at(self.node))
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (key, value) = match self.kind() {
            Kind::Plain(_) | Kind::Text(_) => (self, None),
            Kind::Mapping(entries) => {
                let live: Vec<_> = entries.iter().filter(|(_, value)| !self.tree.is_gone(*value)).collect();
                let [(key, value)] = live[..] else {
                    let known = variants.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
                    return Err(Fault::new(format!("expected exactly one key of {known}")).at(self.node));
                };
                (self.child(*key), Some(self.child(*value)))
            }
            _ => return self.unfit("one word"),
        };
        visitor.visit_enum(Variant { key, value }).map_err(|fault| fault.at(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'static>>
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Items<'t> {
    at: Typed<'t>,
    rest: &'t [NodeId],
}

impl de::SeqAccess<'static> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'static>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        while let Some((item, rest)) = self.rest.split_first() {
            self.rest = rest;
            if !self.at.tree.is_gone(*item) {
                return self.at.child(*item).read(seed).map(Some);
            }
        }
        Ok(None)
    }
}

struct Entries<'t> {
    at: Typed<'t>,
    rest: &'t [(NodeId, NodeId)],
    /// What stands for keys that are missing.
    supplied: Vec<(&'static str, Supplied)>,
    value: Option<Value>,
}

enum Value {
    Node(NodeId),
    Supplied(&'static str, Supplied),
}

impl de::MapAccess<'static> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(((key, value), rest)) = self.rest.split_first() {
            self.rest = rest;
            if !self.at.tree.is_gone(*value) {
                self.value = Some(Value::Node(*value));
                return self.at.key(*key).read(seed).map(Some);
            }
        }
        if let Some((key, value)) = self.supplied.pop() {
            self.value = Some(Value::Supplied(key, value));
            let key: StrDeserializer<'_, Fault> = key.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: de::DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(Value::Node(value)) => self.at.child(value).read(seed),
            Some(Value::Supplied(key, value)) => seed.deserialize(value).map_err(|fault| {
                let cause = Cause::Supplied(self.at.node, key);
                Fault { cause, ..Fault::new(fault.message) }
            }),
            None => Err(Fault::new("a value was asked for before its key".to_owned())),
        }
    }
}

struct Variant<'t> {
    key: Typed<'t>,
    value: Option<Typed<'t>>,
}

impl<'t> de::EnumAccess<'static> for Variant<'t> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'static>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = self.key.read(seed)?;
        Ok((name, self))
    }
}

impl de::VariantAccess<'static> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.value {
            None => Ok(()),
            Some(value) => value.unfit("the word alone"),
        }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'static>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.value {
            Some(value) => value.read(seed),
            None => self.key.unfit("a mapping with this key"),
        }
    }

    fn tuple_variant<V: Visitor<'static>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Some(value) => de::Deserializer::deserialize_seq(value, visitor),
            None => self.key.unfit("a mapping with this key"),
        }
    }

    fn struct_variant<V: Visitor<'static>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Some(value) => de::Deserializer::deserialize_map(value, visitor),
            None => self.key.unfit("a mapping with this key"),
        }
    }
}
