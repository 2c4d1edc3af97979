//! What a Python module says in plain assignments.
//!
//! Understood are literals, tuples and lists of them, joined texts, names of other constants of the module,
//! and constants of modules that are given. Everything else is unknown, and says why.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

/// How far constants may refer to constants, and expressions lie in expressions.
const DEEPEST: usize = 32;
/// The most expressions that are looked at for one constant.
const MOST: usize = 10_000;

/// The value of a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Text(String),
    Many(Vec<Value>),
}

/// What a name of a module was imported from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Import {
    /// The module, in full.
    module: String,
    /// The name in it; absent where the module itself was imported.
    name: Option<String>,
}

/// A module that was parsed.
pub(crate) struct Module {
    text: String,
    tree: Tree,
    imports: BTreeMap<String, Import>,
}

/// Modules by their full name.
pub(super) type Modules = BTreeMap<String, Module>;

/// A search for the value of one constant.
struct Lookup<'a> {
    modules: &'a Modules,
    /// How many expressions may still be looked at.
    left: Cell<usize>,
}

/// The full name of the module in the file `path`, relative to the directory that modules are looked for in.
pub(super) fn module_name(path: &str) -> String {
    let path = path.strip_suffix(".py").unwrap_or(path);
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

impl Module {
    /// Parses the module called `name`. A text that is no Python is a module with an error.
    pub(crate) fn parse(name: &str, text: &str) -> Option<Self> {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
        let tree = parser.parse(text, None)?;
        let mut module = Self { text: text.to_owned(), tree, imports: BTreeMap::new() };
        module.imports = module.read_imports(name);
        Some(module)
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// The line of the first thing that is no Python, if there is one.
    pub(crate) fn broken_line(&self) -> Option<usize> {
        let root = self.root();
        if !root.has_error() {
            return None;
        }
        let mut node = root;
        // Downwards to the innermost node that holds the first error.
        loop {
            let inner = children(node).into_iter().find(|child| child.has_error() || child.is_missing());
            match inner {
                Some(inner) if !inner.is_error() && !inner.is_missing() => node = inner,
                Some(inner) => return Some(inner.start_position().row + 1),
                None => return Some(node.start_position().row + 1),
            }
        }
    }

    pub(crate) fn source(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The text of a stretch; empty where it is none of this module.
    pub(crate) fn text_at(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// The full name of what `name` was imported as at the top level: `alembic.op` for `op`.
    pub(crate) fn imported(&self, name: &str) -> Option<String> {
        let Import { module, name } = self.imports.get(name)?;
        Some(name.as_ref().map_or_else(|| module.clone(), |name| format!("{module}.{name}")))
    }

    fn read_imports(&self, own: &str) -> BTreeMap<String, Import> {
        let mut imports = BTreeMap::new();
        for statement in children(self.root()) {
            match statement.kind() {
                "import_statement" => {
                    for name in children(statement) {
                        let (module, alias) = self.aliased(name);
                        // `import a.b` makes `a` known; `a.b.X` is then looked for by its full name.
                        let first = || module.split('.').next().unwrap_or_default().to_owned();
                        let (known, module) = match alias {
                            Some(alias) => (alias, module),
                            None => (first(), first()),
                        };
                        imports.insert(known, Import { module, name: None });
                    }
                }
                "import_from_statement" => {
                    let Some(from) = statement.child_by_field_name("module_name") else { continue };
                    let Some(module) = self.imported_from(from, own) else { continue };
                    for name in children(statement).into_iter().filter(|name| *name != from) {
                        let (name, alias) = self.aliased(name);
                        let import = Import { module: module.clone(), name: Some(name.clone()) };
                        imports.insert(alias.unwrap_or(name), import);
                    }
                }
                _ => {}
            }
        }
        imports
    }

    /// A name and what it is called here.
    fn aliased(&self, node: Node<'_>) -> (String, Option<String>) {
        if node.kind() == "aliased_import" {
            let field = |field| node.child_by_field_name(field).map(|node| self.source(node).to_owned());
            return (field("name").unwrap_or_default(), field("alias"));
        }
        (self.source(node).to_owned(), None)
    }

    /// The full name of the module that `node` names, also where it is relative.
    fn imported_from(&self, node: Node<'_>, own: &str) -> Option<String> {
        let text = self.source(node);
        let below = text.trim_start_matches('.');
        let dots = text.len() - below.len();
        if dots == 0 {
            return Some(text.to_owned());
        }
        let mut package: Vec<&str> = own.split('.').collect();
        let kept = package.len().checked_sub(dots)?;
        package.truncate(kept);
        package.extend(Some(below.trim()).filter(|below| !below.is_empty()));
        Some(package.join("."))
    }

    /// The expression that is assigned to `name` at the module's top level, the last one where there are several.
    pub(crate) fn assigned(&self, name: &str) -> Option<Node<'_>> {
        let mut found = None;
        for statement in children(self.root()).into_iter().filter(|node| node.kind() == "expression_statement") {
            for assignment in children(statement).into_iter().filter(|node| node.kind() == "assignment") {
                let left = assignment.child_by_field_name("left");
                if left.is_some_and(|left| self.source(left) == name) {
                    // `revision: str` alone assigns nothing.
                    found = assignment.child_by_field_name("right").or(found);
                }
            }
        }
        found
    }

    /// Whether `name` is assigned somewhere inside a condition, a loop or another block at the top level.
    pub(crate) fn assigned_in_a_block(&self, name: &str) -> bool {
        const BLOCKS: [&str; 5] =
            ["if_statement", "try_statement", "for_statement", "while_statement", "with_statement"];
        let mut open: Vec<Node<'_>> =
            children(self.root()).into_iter().filter(|node| BLOCKS.contains(&node.kind())).collect();
        while let Some(node) = open.pop() {
            if matches!(node.kind(), "assignment" | "augmented_assignment")
                && node.child_by_field_name("left").is_some_and(|left| self.source(left) == name)
            {
                return true;
            }
            let inner = children(node).into_iter();
            open.extend(inner.filter(|node| !matches!(node.kind(), "function_definition" | "class_definition")));
        }
        false
    }

    /// The value of an expression of this module.
    ///
    /// # Errors
    /// Why it is not known.
    pub(super) fn value(&self, node: Node<'_>, modules: &Modules) -> Result<Value, String> {
        self.evaluate(node, &Lookup { modules, left: Cell::new(MOST) }, DEEPEST)
    }

    fn evaluate(&self, node: Node<'_>, lookup: &Lookup<'_>, depth: usize) -> Result<Value, String> {
        let unknown = || {
            let text: String = self.source(node).chars().take(60).collect();
            format!("`{}` is no plain constant", text.lines().next().unwrap_or_default())
        };
        let depth = depth.checked_sub(1).ok_or_else(unknown)?;
        lookup.left.set(lookup.left.get().checked_sub(1).ok_or_else(unknown)?);
        match node.kind() {
            "none" => Ok(Value::None),
            "string" => self.text_of(node).map(Value::Text).ok_or_else(unknown),
            "concatenated_string" => {
                let parts: Option<String> = children(node).into_iter().map(|part| self.text_of(part)).collect();
                parts.map(Value::Text).ok_or_else(unknown)
            }
            "parenthesized_expression" => match children(node).first() {
                Some(inner) => self.evaluate(*inner, lookup, depth),
                None => Err(unknown()),
            },
            "tuple" | "list" | "set" => {
                let values = children(node).into_iter().map(|item| self.evaluate(item, lookup, depth));
                values.collect::<Result<_, _>>().map(Value::Many)
            }
            "binary_operator" => {
                let side = |field| node.child_by_field_name(field);
                let plus = side("operator").is_some_and(|operator| self.source(operator) == "+");
                match side("left").zip(side("right")).filter(|_| plus) {
                    Some((left, right)) => {
                        match (self.evaluate(left, lookup, depth)?, self.evaluate(right, lookup, depth)?) {
                            (Value::Text(left), Value::Text(right)) => Ok(Value::Text(left + &right)),
                            (Value::Many(left), Value::Many(right)) => {
                                Ok(Value::Many(left.into_iter().chain(right).collect()))
                            }
                            _ => Err(unknown()),
                        }
                    }
                    None => Err(unknown()),
                }
            }
            "identifier" => self.named(self.source(node), lookup, depth),
            "attribute" => self.member(self.source(node), lookup, depth),
            _ => Err(unknown()),
        }
    }

    /// The value of a name of this module: assigned here, or imported.
    fn named(&self, name: &str, lookup: &Lookup<'_>, depth: usize) -> Result<Value, String> {
        if self.assigned_in_a_block(name) {
            return Err(format!("`{name}` is assigned under a condition or in a loop"));
        }
        if let Some(node) = self.assigned(name) {
            return self.evaluate(node, lookup, depth);
        }
        match self.imports.get(name) {
            Some(Import { module, name: Some(name) }) => constant(lookup, module, name, depth),
            _ => Err(format!("`{name}` is not assigned in the script")),
        }
    }

    /// The value of `module.NAME`.
    fn member(&self, text: &str, lookup: &Lookup<'_>, depth: usize) -> Result<Value, String> {
        let dotted: Vec<&str> = text.split('.').map(str::trim).collect();
        let [first, between @ .., name] = &dotted[..] else { return Err(format!("`{text}` is no plain constant")) };
        let Some(import) = self.imports.get(*first) else { return Err(format!("`{first}` is not imported")) };
        let parts = [Some(import.module.as_str()), import.name.as_deref()];
        let module: Vec<&str> = parts.into_iter().flatten().chain(between.iter().copied()).collect();
        constant(lookup, &module.join("."), name, depth)
    }

    /// The text of a literal without placeholders and escapes.
    pub(crate) fn text_of(&self, node: Node<'_>) -> Option<String> {
        if node.kind() != "string" {
            return None;
        }
        let prefix = children_all(node).into_iter().find(|part| part.kind() == "string_start")?;
        let prefix = self.source(prefix).trim_end_matches(['"', '\'']).to_ascii_lowercase();
        if prefix.contains(['b', 'f', 't']) {
            return None;
        }
        let mut text = String::new();
        for part in children(node) {
            match part.kind() {
                "string_start" | "string_end" => {}
                "string_content" if prefix.contains('r') || !self.source(part).contains('\\') => {
                    text.push_str(self.source(part));
                }
                _ => return None,
            }
        }
        Some(text)
    }
}

/// The constant `name` of the module `module`, if that is among those given.
fn constant(lookup: &Lookup<'_>, module: &str, name: &str, depth: usize) -> Result<Value, String> {
    match lookup.modules.get(module) {
        Some(found) => found.named(name, lookup, depth),
        None => Err(format!("`{name}` is a constant of {module}, which was not read")),
    }
}

/// The named children of a node, comments left out.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// All children of a node.
pub(crate) fn children_all(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}
