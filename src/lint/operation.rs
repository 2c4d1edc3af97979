//! What a migration script does to a schema, one operation at a time.

use serde::{Deserialize, Serialize};

use crate::model::Engine;

/// One change that a script makes, as far as it can be told without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub change: Change,
    /// The table it is about; absent where the script does not say it in words.
    pub table: Option<String>,
    /// The engines on which it is done.
    pub engines: Engines,
    /// How certain it is.
    pub certainty: Certainty,
    /// Whether it depends on something that only a run knows: what an inspector finds, which rows there are.
    pub guarded: bool,
    /// Whether it is done for each of the rows that a query finds.
    pub for_each_row: bool,
    /// Whether a failure of it is caught and passed over.
    pub swallowed: bool,
    /// Where it stands.
    pub place: Place,
}

/// A stretch of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The byte it begins at.
    pub offset: usize,
    /// How many bytes it has.
    pub length: usize,
    /// Its line, from 1.
    pub line: usize,
}

/// How an operation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Its words stand in the call.
    Literal,
    /// They follow from constants, loops over constants, functions of the script or SQL.
    Folded,
    /// It is done by a function of another module, of which it is known what it does.
    Helper,
    /// It is not understood, or only in part.
    Opaque,
}

impl Certainty {
    /// The word that a report has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Folded => "folded",
            Self::Helper => "helper",
            Self::Opaque => "opaque",
        }
    }
}

/// A set of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engines(u8);

impl Engines {
    /// Every engine.
    pub const ALL: Self = Self(0b111);
    /// No engine.
    pub const NONE: Self = Self(0);

    /// One engine.
    pub fn only(engine: Engine) -> Self {
        Self(match engine {
            Engine::Mysql => 0b001,
            Engine::Postgresql => 0b010,
            Engine::Sqlite => 0b100,
        })
    }

    /// The engine that SQLAlchemy calls so; none where leapfrog knows no such engine.
    pub fn named(name: &str) -> Self {
        match name {
            "mysql" | "mariadb" => Self::only(Engine::Mysql),
            "postgresql" | "postgres" => Self::only(Engine::Postgresql),
            "sqlite" => Self::only(Engine::Sqlite),
            _ => Self::NONE,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `engine` is one of them.
    pub fn contains(self, engine: Engine) -> bool {
        !self.and(Self::only(engine)).is_empty()
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names, `mysql, sqlite`.
    pub fn words(self) -> String {
        let all = [Engine::Mysql, Engine::Postgresql, Engine::Sqlite];
        let names: Vec<String> =
            all.into_iter().filter(|engine| self.contains(*engine)).map(|engine| engine.to_string()).collect();
        names.join(", ")
    }

    /// All others.
    #[must_use]
    pub fn others(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A table is made.
    CreateTable {
        /// Its columns.
        columns: Vec<Column>,
        /// Tables that its foreign keys lead to.
        references: Vec<String>,
    },
    /// A table goes, with its rows.
    DropTable,
    /// A table gets another name.
    RenameTable {
        /// The new one.
        to: Option<String>,
    },
    /// A column is added.
    AddColumn(Column),
    /// A column goes, with its values.
    DropColumn {
        /// Which.
        column: Option<String>,
    },
    /// A column becomes another one.
    AlterColumn {
        /// Which.
        column: Option<String>,
        /// What of it.
        alteration: Box<Alteration>,
    },
    /// An index is made.
    CreateIndex {
        /// Its name.
        name: Option<String>,
        /// Whether no two rows may have the same.
        unique: bool,
    },
    /// An index goes.
    DropIndex {
        /// Its name.
        name: Option<String>,
    },
    /// A constraint is made.
    AddConstraint {
        /// Its name.
        name: Option<String>,
        /// Of which kind.
        kind: Constraint,
        /// The table that a foreign key leads to.
        referent: Option<String>,
    },
    /// A constraint goes.
    DropConstraint {
        /// Its name.
        name: Option<String>,
        /// Of which kind, where it is said.
        kind: Option<Constraint>,
    },
    /// A table gets another character set or collation.
    CharacterSet {
        /// Whether the rows are converted; else it holds for columns that are added later.
        convert: bool,
    },
    /// Rows are changed.
    Rows(Verb),
    /// A trigger is made or goes.
    Trigger {
        /// Whether it is made.
        create: bool,
    },
    /// A view, a procedure or a function is made or goes.
    Routine {
        /// Whether it is made.
        create: bool,
    },
    /// A table is given to another storage engine.
    StorageEngine,
    /// A variable of the server is set.
    Variable {
        /// Whether it is set for everybody, and not for the script's session alone.
        global: bool,
    },
    /// An exception of the script's own: it goes no further.
    Raises,
    /// Something that changes neither columns nor rows: a comment, an option of the table, a setting.
    Nothing,
    /// Something that is not understood.
    NotUnderstood {
        /// Why.
        why: String,
    },
}

/// What is done to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Rows are added.
    Insert,
    /// Rows get other values.
    Update,
    /// Rows go.
    Delete,
}

/// A kind of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// No two rows may have the same.
    Unique,
    /// A row of another table must be there.
    ForeignKey,
    /// A condition.
    Check,
    /// What tells rows apart.
    PrimaryKey,
}

/// A column as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub kind: Option<Type>,
    /// Whether it may be NULL; SQLAlchemy's default where it is not said.
    pub nullable: bool,
    /// What the database puts in where an INSERT says nothing.
    pub server_default: bool,
    /// Whether that has to be computed, also for each of the rows that are there: `uuid()`, a generated column.
    pub computed_default: bool,
    /// What the service's own code puts in.
    pub python_default: bool,
    /// Whether no two rows may have the same.
    pub unique: bool,
    /// Whether it gets an index of its own.
    pub index: bool,
    /// The table that its foreign key leads to.
    pub references: Option<String>,
}

/// A column's type, as far as it matters for what a change of it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// SQLAlchemy's name for it, without the module: `String`.
    pub name: String,
    /// Its length, where it has one.
    pub length: Option<u64>,
}

/// What is altered of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alteration {
    /// Its new name.
    pub new_name: Option<String>,
    /// Its new type.
    pub kind: Option<Type>,
    /// Whether a type is given, also one that is not understood.
    pub retyped: bool,
    /// The type that it has, as the script says.
    pub existing: Option<Type>,
    /// Whether it may be NULL from now on.
    pub nullable: Option<bool>,
    /// Whether it may be NULL until now, as the script says.
    pub was_nullable: Option<bool>,
    /// Whether its server default is taken away.
    pub drops_default: bool,
    /// Whether it gets a server default.
    pub sets_default: bool,
    /// Whether the script says whether it may be NULL until now.
    pub states_nullable: bool,
    /// Whether the script says which server default it has until now.
    pub states_default: bool,
}

impl Change {
    /// The column it is about.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::AddColumn(column) => column.name.as_deref(),
            Self::DropColumn { column } | Self::AlterColumn { column, .. } => column.as_deref(),
            _ => None,
        }
    }

    /// Whether nothing of it is known.
    pub fn is_opaque(&self) -> bool {
        matches!(self, Self::NotUnderstood { .. })
    }

    /// Whether it changes what tables and columns there are, or how rows are kept: a statement that the MySQL family
    /// commits by itself.
    pub fn is_of_schema(&self) -> bool {
        !matches!(
            self,
            Self::Rows(_) | Self::Variable { .. } | Self::Raises | Self::Nothing | Self::NotUnderstood { .. }
        )
    }

    /// Whether it is about a table at all.
    pub fn is_of_table(&self) -> bool {
        !matches!(
            self,
            Self::Routine { .. }
                | Self::Variable { .. }
                | Self::Raises
                | Self::Nothing
                | Self::Trigger { create: false }
        )
    }

    /// What it does, in a few words, as it goes before the name of a table.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateTable { .. } => "creates table",
            Self::DropTable => "drops table",
            Self::RenameTable { .. } => "renames table",
            Self::AddColumn(_) => "adds a column to",
            Self::DropColumn { .. } => "drops a column of",
            Self::AlterColumn { .. } => "alters a column of",
            Self::CreateIndex { .. } => "creates an index on",
            Self::DropIndex { .. } => "drops an index of",
            Self::AddConstraint { kind, .. } => match kind {
                Constraint::Unique => "adds a unique constraint to",
                Constraint::ForeignKey => "adds a foreign key to",
                Constraint::Check => "adds a check to",
                Constraint::PrimaryKey => "adds a primary key to",
            },
            Self::DropConstraint { .. } => "drops a constraint of",
            Self::CharacterSet { convert: true } => "converts the character set of",
            Self::CharacterSet { convert: false } => "sets the character set of",
            Self::Rows(Verb::Insert) => "inserts rows into",
            Self::Rows(Verb::Update) => "updates rows of",
            Self::Rows(Verb::Delete) => "deletes rows of",
            Self::Trigger { create: true } => "creates a trigger on",
            Self::Trigger { create: false } => "drops a trigger of",
            Self::Routine { create: true } => "creates a view or a routine, not changing",
            Self::Routine { create: false } => "drops a view or a routine, not changing",
            Self::StorageEngine => "changes the storage engine of",
            Self::Variable { .. } => "sets a variable, not changing",
            Self::Raises => "raises an exception, not changing",
            Self::Nothing => "changes neither columns nor rows of",
            Self::NotUnderstood { .. } => "does something to",
        }
    }
}
