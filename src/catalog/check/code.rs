//! Where a playbook says that files of the service's code are.

use camino::{Utf8Component, Utf8Path};

use super::Examination;
use crate::catalog::{NumberedScripts, Playbook};

impl Examination<'_, Playbook> {
    /// The directories of migration scripts, and the files that have the commands' options.
    pub(super) fn code(&mut self) {
        let playbook = &self.document.value;
        for (index, database) in playbook.databases.iter().enumerate() {
            for (number, scripts) in database.scripts.iter().enumerate() {
                let path = format!("databases/{index}/scripts/{number}");
                self.range(&path, &scripts.series);
                self.below_packages(&format!("{path}/path"), &scripts.path, None);
                for (constant, file) in scripts.constants.iter().enumerate() {
                    self.below_packages(&format!("{path}/constants/{constant}"), file, Some("py"));
                }
                if database.scripts[..number].iter().any(|other| other.series.overlaps(&scripts.series)) {
                    self.advise(
                        &format!("{path}/series"),
                        "these scripts and some before them hold for the same series",
                        "in every series one directory applies: end one range where the other begins",
                    );
                }
            }
            for (number, one) in database.repositories.iter().enumerate() {
                let path = format!("databases/{index}/repositories/{number}");
                self.range(&path, &one.series);
                self.below_packages(&format!("{path}/path"), &one.path, None);
                let same = |other: &NumberedScripts| other.name == one.name && other.series.overlaps(&one.series);
                if database.repositories[..number].iter().any(same) {
                    self.advise(
                        &format!("{path}/name"),
                        format!("the scripts of {} are said before for the same series", one.name),
                        "in every series a repository has one directory: end one range where the other begins",
                    );
                }
            }
            let before = || playbook.databases[..index].iter().filter(|other| other.schema == database.schema);
            for (key, elsewhere) in [
                ("scripts", !database.scripts.is_empty() && before().any(|other| !other.scripts.is_empty())),
                (
                    "repositories",
                    !database.repositories.is_empty() && before().any(|other| !other.repositories.is_empty()),
                ),
            ] {
                if elsewhere {
                    self.advise(
                        &format!("databases/{index}/{key}"),
                        format!("a database before this one says where the scripts of {} are", database.schema),
                        "a schema has one set of scripts: say it once",
                    );
                }
            }
        }
        for (index, file) in playbook.options_in.iter().enumerate() {
            let path = format!("options_in/{index}");
            self.range(&path, &file.series);
            self.below_packages(&format!("{path}/path"), &file.path, Some("py"));
        }
    }

    /// A path must lead to something below the directory of the Python packages.
    fn below_packages(&mut self, at: &str, path: &str, ending: Option<&str>) {
        let path = Utf8Path::new(path);
        let normal = path.components().all(|part| matches!(part, Utf8Component::Normal(_)));
        if !normal || path.components().count() < 2 || path.as_str().ends_with('/') || path.as_str().contains("//") {
            self.advise(
                at,
                "the path must be relative and lead into a Python package, without . and ..",
                "it starts with the package's own directory: nova/db/main/migrations/versions",
            );
        } else if ending.is_some() && path.extension() != ending {
            self.report(at, "the file must be a Python file (.py)");
        }
    }
}
