//! Values for keys that are missing.
//!
//! Serde reports one missing key of a mapping and stops. To find the others, the reader walks again
//! with some value in its place. The document is refused in any case; all that matters of the value
//! is that the types accept it. There are two guesses: one for words and lists that must not be
//! empty, one for dates and lists of things that cannot be guessed.

use serde::de::value::StrDeserializer;
use serde::de::{self, IntoDeserializer, Visitor};

use super::typed::Fault;

/// A guess.
#[derive(Debug, Clone, Copy)]
pub(super) struct Supplied {
    pub(super) attempt: u8,
}

impl Supplied {
    /// How many guesses there are.
    pub(super) const ATTEMPTS: u8 = 2;
}

macro_rules! answers {
    ($($method:ident $visit:ident $value:expr),* $(,)?) => {
        $(fn $method<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit($value)
        })*
    };
}

impl de::Deserializer<'static> for Supplied {
    type Error = Fault;

    answers! {
        deserialize_bool visit_bool false,
        deserialize_u8 visit_u8 1, deserialize_u16 visit_u16 1, deserialize_u32 visit_u32 1, deserialize_u64 visit_u64 1,
        deserialize_i8 visit_i8 1, deserialize_i16 visit_i16 1, deserialize_i32 visit_i32 1, deserialize_i64 visit_i64 1,
        deserialize_f32 visit_f32 1.0, deserialize_f64 visit_f64 1.0,
    }

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(if self.attempt == 0 { "x" } else { "2000-01-01" })
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = if self.attempt == 0 { vec![self] } else { Vec::new() };
        visitor.visit_seq(de::value::SeqDeserializer::new(items.into_iter()))
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(de::value::MapDeserializer::new(std::iter::empty::<(&str, Self)>()))
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(de::value::MapDeserializer::new(fields.iter().map(|field| (*field, self))))
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Choice { variant: variants.first().copied().unwrap_or_default(), value: self })
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'static>>
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl IntoDeserializer<'static, Fault> for Supplied {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The first variant of an enum.
struct Choice {
    variant: &'static str,
    value: Supplied,
}

impl de::EnumAccess<'static> for Choice {
    type Error = Fault;
    type Variant = Supplied;

    fn variant_seed<V: de::DeserializeSeed<'static>>(self, seed: V) -> Result<(V::Value, Supplied), Fault> {
        let name: StrDeserializer<'_, Fault> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self.value))
    }
}

impl de::VariantAccess<'static> for Supplied {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'static>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'static>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'static>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
