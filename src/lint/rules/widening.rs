//! Whether a new type of a column holds everything that the old one held.

use crate::lint::operation::{Alteration, Type};

/// What a change of type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retype {
    /// The new type holds what the old one held, as far as a script tells.
    Wider,
    /// It may not.
    Incompatible,
}

/// Types of one kind, each of which holds what those before it hold.
const KINDS: [&[&str]; 3] = [
    &["SmallInteger", "Integer", "BigInteger"],
    &["String", "Unicode", "Text", "UnicodeText", "MediumText", "LongText"],
    &["Float", "Double", "Numeric"],
];

/// What an alteration of the type is; nothing where the type stays what it was, or is an enumeration still.
pub(super) fn of(alteration: &Alteration) -> Option<Retype> {
    if is_enum(alteration) {
        return None;
    }
    let (Some(old), Some(new)) = (&alteration.existing, &alteration.kind) else { return Some(Retype::Wider) };
    if old == new {
        return None;
    }
    if old.name.eq_ignore_ascii_case(&new.name) {
        return Some(match (old.length, new.length) {
            (Some(old), Some(new)) if new < old => Retype::Incompatible,
            (None, Some(_)) if old.name == "Text" => Retype::Incompatible,
            _ => Retype::Wider,
        });
    }
    Some(match (place(old), place(new)) {
        (Some((one, from)), Some((two, to))) if one == two && from <= to => Retype::Wider,
        _ => Retype::Incompatible,
    })
}

/// Which of [`KINDS`] a type is of, and its place there.
fn place(kind: &Type) -> Option<(usize, usize)> {
    KINDS.iter().enumerate().find_map(|(group, kinds)| {
        kinds.iter().position(|name| name.eq_ignore_ascii_case(&kind.name)).map(|place| (group, place))
    })
}

/// Whether two types are of one kind: what the one held, the other may hold as well.
pub(super) fn alike(one: &Type, other: &Type) -> bool {
    let group = |kind| place(kind).map(|(group, _)| group);
    one.name.eq_ignore_ascii_case(&other.name) || group(one).is_some_and(|known| group(other) == Some(known))
}

/// Whether the new type is an enumeration, and the old one as well, as far as the script says.
pub(super) fn is_enum(alteration: &Alteration) -> bool {
    let named = |kind: &Type| kind.name.eq_ignore_ascii_case("enum");
    alteration.retyped && alteration.kind.as_ref().is_some_and(named) && alteration.existing.as_ref().is_none_or(named)
}

/// `, from String(32) to String(64)`, as far as the script says.
pub(super) fn told(alteration: &Alteration) -> String {
    let name = |kind: &Type| match kind.length {
        Some(length) => format!("{}({length})", kind.name),
        None => kind.name.clone(),
    };
    match (&alteration.existing, &alteration.kind) {
        (Some(old), Some(new)) => format!(", from {} to {}", name(old), name(new)),
        (None, Some(new)) => format!(", to {}", name(new)),
        (_, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Type {
        let (name, length) = text.split_once('(').unwrap_or((text, ""));
        Type { name: name.to_owned(), length: length.trim_end_matches(')').parse().ok() }
    }

    #[test]
    fn types_are_alike_that_hold_the_same_kind_of_thing() {
        assert!(alike(&kind("String(32)"), &kind("Text")) && alike(&kind("DateTime"), &kind("datetime")));
        assert!(!alike(&kind("Boolean"), &kind("Integer")) && !alike(&kind("DateTime"), &kind("Boolean")));
    }

    #[test]
    fn a_type_is_wider_where_nothing_is_lost() {
        for (old, new, expected) in [
            ("String(32)", "String(64)", Some(Retype::Wider)),
            ("String(64)", "String(32)", Some(Retype::Incompatible)),
            ("String(64)", "String(64)", None),
            ("Integer", "BigInteger", Some(Retype::Wider)),
            ("INTEGER", "BigInteger", Some(Retype::Wider)),
            ("BigInteger", "Integer", Some(Retype::Incompatible)),
            ("Text", "String(255)", Some(Retype::Incompatible)),
            ("Enum", "Enum", None),
            ("Enum", "String(50)", Some(Retype::Incompatible)),
        ] {
            let alteration =
                Alteration { existing: Some(kind(old)), kind: Some(kind(new)), retyped: true, ..Default::default() };
            assert_eq!(of(&alteration), expected, "{old} to {new}");
        }
    }
}
