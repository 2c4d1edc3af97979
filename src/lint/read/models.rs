//! Which tables and columns a service's models map, read without running Python.
//!
//! A class with `__tablename__` maps a table with its columns, and with those of the classes that it is made of, wherever
//! among the given modules these are (mixins); `Table('name', metadata, Column(…))` maps one as well. Classes are known by
//! their plain name: where two modules have one of the same name, both count. That says rather too much is mapped than
//! too little, which is the safe side: what is said to be mapped by nobody must be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::lint::operation::Type;
use crate::migrations::python::{Module, children};

/// How far classes are made of classes.
const DEEPEST: usize = 20;

/// Classes that are made of nothing that maps anything.
const ENDS: [&str; 6] = ["object", "DeclarativeBase", "MappedAsDataclass", "dict", "ABC", "Protocol"];

/// What models map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    tables: BTreeMap<String, Mapped>,
    /// Whether there may be tables that are not among them: of a class whose table nobody says.
    more: bool,
}

/// A column as models declare it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Its type, where that is known.
    pub kind: Option<Type>,
    /// Whether it may be NULL, where that is known.
    pub nullable: Option<bool>,
}

type Columns = BTreeMap<String, Declared>;

/// A table that is mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapped {
    columns: Columns,
    /// Whether it may have more: the class is made of others that were not read.
    more: bool,
}

/// A class.
#[derive(Default)]
struct Class {
    tables: BTreeSet<String>,
    columns: Columns,
    bases: BTreeSet<String>,
    /// Whether a function gives the tables of its descendants their names.
    names: bool,
}

/// A class with what it is made of.
#[derive(Default)]
struct Whole {
    tables: BTreeSet<String>,
    columns: Columns,
    names: bool,
    more: bool,
}

impl Models {
    /// What these modules map.
    pub fn read<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut classes: BTreeMap<String, Class> = BTreeMap::new();
        let mut models = Self::default();
        for text in texts {
            let Some(module) = Module::parse("models", text) else { continue };
            models.more |= module.broken_line().is_some();
            let mut open = vec![module.root()];
            while let Some(node) = open.pop() {
                match node.kind() {
                    "class_definition" => take_class(&module, node, &mut classes),
                    "assignment" => take_base(&module, node, &mut classes),
                    "call" => models.take_table(&module, node),
                    _ => {}
                }
                open.extend(children(node));
            }
        }
        for (name, class) in &classes {
            let mut whole = Whole::default();
            gather(class, &classes, &mut whole, &mut BTreeSet::new(), DEEPEST);
            if whole.tables.is_empty() && whole.names && !class.names {
                // As neutron_lib's model_base names them; a mixin gets a name that no table has.
                whole.tables.insert(format!("{}s", name.to_lowercase()));
            }
            models.more |= whole.tables.is_empty() && whole.more && !class.columns.is_empty();
            for table in &whole.tables {
                let mapped = models.tables.entry(table.clone()).or_default();
                extend(&mut mapped.columns, &whole.columns);
                mapped.more |= whole.more;
            }
        }
        models
    }

    /// Notes that there is code that was not read.
    pub fn may_map_more(&mut self) {
        self.more = true;
        self.tables.values_mut().for_each(|mapped| mapped.more = true);
    }

    /// Whether nothing is mapped at all: then nothing was read that could say anything.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Whether a table is mapped; nothing where that is not known.
    pub fn has_table(&self, table: &str) -> Option<bool> {
        if self.tables.contains_key(table) { Some(true) } else { (!self.more).then_some(false) }
    }

    /// Whether a column of a table is mapped; nothing where that is not known.
    pub fn has_column(&self, table: &str, column: &str) -> Option<bool> {
        match self.tables.get(table) {
            Some(mapped) if mapped.columns.contains_key(column) => Some(true),
            Some(mapped) => (!mapped.more).then_some(false),
            None => (!self.more).then_some(false),
        }
    }

    /// How a column of a table is declared; nothing where it is not mapped, as far as that is known.
    pub fn declared(&self, table: &str, column: &str) -> Option<&Declared> {
        self.tables.get(table)?.columns.get(column)
    }

    /// A call of `Table`.
    fn take_table(&mut self, module: &Module, call: Node<'_>) {
        let called = call.child_by_field_name("function").map_or("", |called| module.source(called));
        if called.rsplit('.').next() != Some("Table") {
            return;
        }
        let Some(list) = call.child_by_field_name("arguments") else { return };
        let arguments = children(list);
        let Some(name) = arguments.first().and_then(|name| module.text_of(*name)) else { return };
        let columns = arguments.into_iter().filter_map(|argument| column(module, argument));
        let columns: Columns = columns.filter_map(|(name, declared)| Some((name?, declared))).collect();
        extend(&mut self.tables.entry(name).or_default().columns, &columns);
    }
}

fn take_class(module: &Module, node: Node<'_>, classes: &mut BTreeMap<String, Class>) {
    let (Some(name), Some(body)) = (node.child_by_field_name("name"), node.child_by_field_name("body")) else { return };
    let class = classes.entry(module.source(name).to_owned()).or_default();
    let bases = node.child_by_field_name("superclasses").map(children).unwrap_or_default();
    let plain = bases.iter().filter(|base| matches!(base.kind(), "identifier" | "attribute"));
    class.bases.extend(plain.map(|base| module.source(*base).rsplit('.').next().unwrap_or_default().trim().to_owned()));
    let mut statements = children(body);
    while let Some(statement) = statements.pop() {
        match statement.kind() {
            "expression_statement" => statements.extend(children(statement)),
            // A mixin's column may be made by a function of its name (`declared_attr`).
            "decorated_definition" => {
                let function = statement.child_by_field_name("definition");
                let declared = module.source(statement).trim_start().starts_with('@')
                    && module.source(statement).contains("declared_attr");
                let name = function.and_then(|function| function.child_by_field_name("name"));
                if let Some(name) = name.filter(|_| declared).map(|name| module.source(name)) {
                    class.names |= name == "__tablename__";
                    let declared = column(module, statement).map(|(_, declared)| declared).unwrap_or_default();
                    extend(&mut class.columns, &[(name.to_owned(), declared)].into());
                }
            }
            "assignment" => {
                let (Some(left), Some(right)) =
                    (statement.child_by_field_name("left"), statement.child_by_field_name("right"))
                else {
                    continue;
                };
                let attribute = module.source(left);
                if attribute == "__tablename__" {
                    class.tables.extend(module.text_of(right));
                } else if let Some((named, declared)) = column(module, right) {
                    let name = named.unwrap_or_else(|| attribute.to_owned());
                    extend(&mut class.columns, &[(name, declared)].into());
                }
            }
            _ => {}
        }
    }
}

/// Adds columns. What two declare differently is not known.
fn extend(columns: &mut Columns, more: &Columns) {
    for (name, declared) in more {
        match columns.get_mut(name) {
            Some(known) => {
                known.kind = known.kind.take().filter(|kind| declared.kind.as_ref() == Some(kind));
                known.nullable = known.nullable.filter(|nullable| declared.nullable == Some(*nullable));
            }
            None => drop(columns.insert(name.clone(), declared.clone())),
        }
    }
}

/// The column that an expression declares, if it does, and under which name if it says one.
fn column(module: &Module, node: Node<'_>) -> Option<(Option<String>, Declared)> {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if node.kind() == "call" {
            let called = node.child_by_field_name("function").map_or("", |called| module.source(called));
            if matches!(called.rsplit('.').next(), Some("Column" | "mapped_column")) {
                let arguments = node.child_by_field_name("arguments").map(children).unwrap_or_default();
                let name = arguments.first().and_then(|first| module.text_of(*first));
                let stated = called.rsplit('.').next() == Some("Column");
                return Some((name, declared(module, &arguments, stated)));
            }
        }
        open.extend(children(node));
    }
    None
}

/// How a column with these arguments is declared; `stated` is whether what is left out has a default.
fn declared(module: &Module, arguments: &[Node<'_>], stated: bool) -> Declared {
    let mut found = Declared { kind: None, nullable: stated.then_some(true) };
    let mut given = None;
    for argument in arguments {
        if argument.kind() != "keyword_argument" {
            given = given.or(Some(*argument).filter(|argument| argument.kind() != "string"));
            continue;
        }
        let (Some(name), Some(value)) = (argument.child_by_field_name("name"), argument.child_by_field_name("value"))
        else {
            continue;
        };
        match (module.source(name), value.kind()) {
            ("type_", _) => given = Some(value),
            ("nullable", kind) => found.nullable = (kind == "true" || kind == "false").then_some(kind == "true"),
            ("primary_key", "true") => found.nullable = Some(false),
            _ => {}
        }
    }
    found.kind = given.and_then(|given| kind(module, given));
    found
}

/// The type that an expression says: `sa.String(36)`, `Text`.
fn kind(module: &Module, node: Node<'_>) -> Option<Type> {
    let (named, arguments) = match node.kind() {
        "call" => (node.child_by_field_name("function")?, node.child_by_field_name("arguments").map(children)),
        "identifier" | "attribute" => (node, None),
        _ => return None,
    };
    let name = module.source(named).rsplit('.').next().unwrap_or_default().trim().to_owned();
    let length = arguments.unwrap_or_default().into_iter().find_map(|argument| match argument.kind() {
        "integer" => module.source(argument).parse().ok(),
        "keyword_argument" => {
            let of = |field| argument.child_by_field_name(field).map_or("", |part| module.source(part));
            (of("name") == "length").then(|| of("value").parse().ok())?
        }
        _ => None,
    });
    (!matches!(name.as_str(), "ForeignKey" | "Sequence" | "Computed" | "Identity")).then_some(Type { name, length })
}

/// A name that is given to a base class: `BASEV2 = declarative_base(cls=NeutronBaseV2)`.
fn take_base(module: &Module, node: Node<'_>, classes: &mut BTreeMap<String, Class>) {
    let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
        return;
    };
    let called = right.child_by_field_name("function").map_or("", |called| module.source(called));
    if left.kind() != "identifier" || !matches!(called.rsplit('.').next(), Some("declarative_base" | "generate_base")) {
        return;
    }
    let class = classes.entry(module.source(left).to_owned()).or_default();
    for argument in right.child_by_field_name("arguments").map(children).unwrap_or_default() {
        let named = argument.child_by_field_name("name").map_or("", |name| module.source(name));
        if let Some(value) = argument.child_by_field_name("value").filter(|_| named == "cls") {
            class.bases.insert(module.source(value).rsplit('.').next().unwrap_or_default().to_owned());
        }
    }
}

fn gather(
    class: &Class,
    classes: &BTreeMap<String, Class>,
    whole: &mut Whole,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    whole.tables.extend(class.tables.iter().cloned());
    extend(&mut whole.columns, &class.columns);
    whole.names |= class.names;
    let Some(depth) = depth.checked_sub(1) else {
        whole.more = true;
        return;
    };
    for base in class.bases.iter().filter(|base| !ENDS.contains(&base.as_str())) {
        match classes.get(base) {
            Some(found) if seen.insert(base.clone()) => gather(found, classes, whole, seen, depth),
            Some(_) => {}
            None => whole.more = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_maps_its_own_columns_and_those_of_what_it_is_made_of() {
        let mixins = "Base = declarative_base()\nclass Stamps(object):\n    created_at = sa.Column(sa.DateTime)\n\nclass Owned(Stamps):\n    @declared_attr\n    def project_id(cls):\n        return sa.Column(sa.String(36))\n";
        let models = "class Port(db.Base, mixins.Owned):\n    \"\"\"A port.\"\"\"\n    __tablename__ = 'ports'\n    id = sa.Column(sa.String(36))\n    kind = sa.Column('type', sa.String(8))\n    name: Mapped[str] = mapped_column(sa.String(8))\n    tags = orm.relationship('Tag')\n    wide = orm.deferred(sa.Column(sa.Text))\n\nlinks = sa.Table('links', Base.metadata, sa.Column('port', sa.String(36)))\n";
        let read = Models::read([mixins, models]);
        for column in ["id", "type", "name", "created_at", "project_id", "wide"] {
            assert_eq!(read.has_column("ports", column), Some(true), "{column}");
        }
        assert_eq!((read.has_column("ports", "tags"), read.has_column("ports", "kind")), (Some(false), Some(false)));
        assert_eq!(
            (read.has_table("links"), read.has_column("links", "port"), read.has_table("port")),
            (Some(true), Some(true), Some(false))
        );
        assert!(Models::read(["x = 1\n"]).is_empty());
    }

    #[test]
    fn a_column_is_declared_with_its_type_as_far_as_all_say_the_same() {
        let stamps = "class Stamps(object):\n    @declared_attr\n    def owner(cls):\n        return sa.Column(sa.String(36), nullable=False)\n";
        let models = "class A(Stamps):\n    __tablename__ = 'a'\n    id = sa.Column('key', sa.Integer(), primary_key=True)\n    text = Column(Text)\n    wide = sa.Column(sa.String(length=64), sa.ForeignKey('b.id'))\n    parent = sa.Column(sa.ForeignKey('b.id'))\n    name: Mapped[str] = mapped_column(sa.String(8))\n    twice = Column(sa.String(8), nullable=False)\n\nclass B(object):\n    __tablename__ = 'a'\n    twice = Column(sa.String(9), nullable=False)\n";
        let read = Models::read([stamps, models]);
        let told = |column: &str| {
            let Declared { kind, nullable } = read.declared("a", column).expect("it is mapped");
            let kind = kind.as_ref().map(|kind| format!("{} {:?}", kind.name, kind.length)).unwrap_or_default();
            format!("{kind} {nullable:?}")
        };
        for (column, expected) in [
            ("owner", "String Some(36) Some(false)"),
            ("key", "Integer None Some(false)"),
            ("text", "Text None Some(true)"),
            ("wide", "String Some(64) Some(true)"),
            ("parent", " Some(true)"),
            ("name", "String Some(8) None"),
            ("twice", " Some(false)"),
        ] {
            assert_eq!(told(column), expected, "{column}");
        }
        assert_eq!((read.declared("a", "none"), read.declared("b", "key")), (None, None));
    }

    #[test]
    fn a_table_whose_name_is_computed_is_mapped_as_neutron_does_it() {
        let base = "class _Base(object):\n    @declarative.declared_attr\n    def __tablename__(cls):\n        return cls.__name__.lower() + 's'\nclass V2(_Base):\n    pass\nBASEV2 = orm.declarative_base(cls=V2)\n";
        let models = "class HasInUse(object):\n    in_use = sa.Column(sa.Boolean())\nclass Subnet(model_base.BASEV2, HasInUse):\n    id = sa.Column(sa.String(36))\n";
        let read = Models::read([base, models]);
        assert_eq!(read.has_column("subnets", "in_use"), Some(true));
        assert_eq!((read.has_column("subnets", "name"), read.has_table("networks")), (Some(false), Some(false)));
    }

    #[test]
    fn what_is_made_of_something_that_was_not_read_may_map_more() {
        let read = Models::read(["class A(other.Base):\n    __tablename__ = 'a'\n    x = Column()\n"]);
        assert_eq!(
            (read.has_column("a", "x"), read.has_column("a", "y"), read.has_table("b")),
            (Some(true), None, Some(false))
        );
        let read =
            Models::read(["class A(other.Base):\n    x = Column()\nclass B(object):\n    __tablename__ = 'b'\n"]);
        assert_eq!((read.has_table("b"), read.has_table("as"), read.has_column("as", "x")), (Some(true), None, None));
        let mut read = Models::read(["class A(object):\n    __tablename__ = 'a'\n    x = Column()\n"]);
        read.may_map_more();
        assert_eq!(
            (read.has_column("a", "x"), read.has_column("a", "y"), read.has_table("b")),
            (Some(true), None, None)
        );
        assert_eq!(Models::read(["class A(object:\n    __tablename__ = 'a'\n"]).has_table("b"), None);
    }

    #[test]
    fn classes_that_are_made_of_one_another_in_a_circle_end() {
        let read =
            Models::read(["class A(B):\n    __tablename__ = 'a'\n    x = Column()\nclass B(A):\n    y = Column()\n"]);
        assert_eq!((read.has_column("a", "x"), read.has_column("a", "y")), (Some(true), Some(true)));
    }
}
