//! What the lint says of a service's scripts, out of the environments that run them.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use leapfrog::catalog::Catalog;
use leapfrog::lint::{Held, Models, Script, range};
use leapfrog::migrations::Place;
use leapfrog::model::{Heads, Series, Service};

type Texts = BTreeMap<String, String>;

/// A release on a way.
pub(crate) struct Stop {
    pub(crate) series: Series,
    /// The release whose scripts take databases there, and the programs of its environment.
    pub(crate) by: (Series, Utf8PathBuf),
}

/// What is said of a schema.
pub(crate) struct Said {
    pub(crate) schema: String,
    /// What databases have been through when the way begins.
    pub(crate) before: BTreeSet<String>,
    /// The scripts that run after that.
    pub(crate) scripts: Vec<Script>,
}

/// What is said of a service's schemas on a way through releases, the first of which is where it starts.
pub(crate) fn said(catalog: &Catalog, service: &Service, stops: &[Stop]) -> Vec<Said> {
    let book = catalog.playbook(service).unwrap();
    let schemas: BTreeSet<_> = stops.iter().flat_map(|stop| book.scripts(&stop.by.0).into_keys()).collect();
    assert!(!schemas.is_empty(), "nothing says where the scripts of {service} are");
    schemas.into_iter().map(|schema| of_schema(catalog, service, schema.as_str(), stops)).collect()
}

/// Every operation that is read in the scripts, a line each: whose, where, how certain, what.
pub(crate) fn read_of(service: &Service, said: &Said) -> Vec<String> {
    let of_script = |script: &Script| {
        let series = script.series.as_ref().map(Series::as_str).unwrap_or_default().to_owned();
        let at = format!("{service} {} {series} {}", said.schema, script.revision.as_deref().unwrap_or_default());
        let told = script.operations.iter().map(move |one| {
            let marks = [(one.guarded, "guarded"), (one.for_each_row, "for each row"), (one.swallowed, "swallowed")];
            let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
            let table = one.table.as_deref().unwrap_or("?");
            let (line, certainty) = (one.place.line, one.certainty.word());
            format!("{at}:{line} {certainty} {marks:?} {:?} {table} {:?}\n", one.engines, one.change)
        });
        told.collect::<Vec<_>>()
    };
    said.scripts.iter().flat_map(of_script).collect()
}

fn of_schema(catalog: &Catalog, service: &Service, schema: &str, stops: &[Stop]) -> Said {
    let book = catalog.playbook(service).unwrap();
    let (unmapped, unwritten) = (Models::default(), Texts::new());
    let read: Vec<(String, Texts, Texts)> = stops
        .iter()
        .map(|Stop { by: (series, bin), .. }| {
            let scripts = book.scripts(series);
            // There are releases whose packages have none.
            let Some((_, place)) = scripts.into_iter().find(|(known, _)| known.as_str() == schema) else {
                return (String::new(), Texts::new(), Texts::new());
            };
            let packages = packages(bin);
            let text = |path: &String| (path.clone(), std::fs::read_to_string(packages.join(path)).unwrap());
            let constants = place.constants.iter().map(text).collect();
            (place.path.clone(), texts(&packages.join(&place.path)), constants)
        })
        .collect();
    let tree_of = |(directory, scripts, constants): &(String, Texts, Texts)| {
        leapfrog::migrations::read(Place { directory, scripts, constants }).ok()
    };
    let trees: Vec<_> = read.iter().map(tree_of).collect();
    let held: Vec<Held<'_>> = stops
        .iter()
        .zip(read.iter().zip(&trees))
        .map(|(Stop { series, .. }, ((directory, scripts, constants), tree))| {
            let heads = heads(catalog, service, series, schema);
            // Before alembic there were other scripts, which nobody reads.
            let scripts = if heads.alembic.is_empty() { &unwritten } else { scripts };
            Held {
                series,
                heads,
                directory,
                scripts,
                tree: tree.as_ref(),
                constants,
                transactions: None,
                models: &unmapped,
                repositories: Vec::new(),
            }
        })
        .collect();
    let tree = trees.iter().flatten().next().unwrap();
    let start = &held[0].heads.alembic;
    let before = if start.is_empty() { tree.roots() } else { tree.applied(start) };
    // What is only remarked upon is not run.
    let scripts = range(service, schema, &held).into_iter().filter(|script| script.remarks.is_empty()).collect();
    Said { schema: schema.to_owned(), before, scripts }
}

fn heads<'a>(catalog: &'a Catalog, service: &Service, series: &Series, schema: &str) -> &'a Heads {
    let facts = &catalog.release(series).unwrap().services[service];
    facts.heads.iter().find(|(known, _)| known.as_str() == schema).map(|(_, heads)| heads).unwrap()
}

/// Where an environment's packages are.
fn packages(bin: &Utf8Path) -> Utf8PathBuf {
    let versions = bin.parent().unwrap().join("lib").read_dir_utf8().unwrap();
    let mut found = versions.map(|version| version.unwrap().path().join("site-packages")).filter(|path| path.exists());
    found.next().unwrap_or_else(|| panic!("no packages beside {bin}"))
}

/// The Python files of a directory, by their path below it.
fn texts(directory: &Utf8Path) -> Texts {
    let mut texts = Texts::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in next.read_dir_utf8().unwrap_or_else(|error| panic!("{next}: {error}")) {
            let path = entry.unwrap().into_path();
            if path.is_dir() && path.file_name() != Some("__pycache__") {
                open.push(path);
            } else if path.extension() == Some("py") {
                let name = path.strip_prefix(directory).unwrap().to_string();
                texts.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!texts.is_empty(), "no scripts in {directory}");
    texts
}
