//! One file of exceptions beside its release.

use super::Examination;
use crate::catalog::{Exceptions, Release};
use crate::document::{Document, Mistake};

/// Adds what is wrong with the exceptions in the file `name`.yaml, which are about a release.
pub(in crate::catalog) fn exceptions(
    name: &str,
    document: &Document<Exceptions>,
    releases: &[Document<Release>],
    mistakes: &mut Vec<Mistake>,
) {
    let mut examination = Examination { document, mistakes };
    let series = name.trim_end_matches(".notes");
    let Some(release) =
        releases.iter().map(|document| &document.value).find(|release| release.series.as_str() == series)
    else {
        examination.report("exceptions", format!("there is no release {series} that they could be about"));
        return;
    };
    for (number, exception) in document.value.exceptions.iter().enumerate() {
        let path = |key: &str| format!("exceptions/{number}/{key}");
        for (key, answer) in exception.answers() {
            examination.require_text(&path(key), answer, &format!("`{key}`"));
        }
        if exception.rules.is_empty() {
            examination.report(&path("rules"), "without a rule nothing is accepted");
        }
        if exception.series.is_some() {
            examination.report(&path("series"), format!("the file's name says that it is {series}"));
        }
        match &exception.service {
            None => examination.report(&format!("exceptions/{number}"), "it does not say the service"),
            Some(service) if !release.services.contains_key(service) => {
                examination.report(&path("service"), format!("{service} is none of the release's services"));
            }
            Some(_) => {}
        }
    }
}
