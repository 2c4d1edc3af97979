//! One file of exceptions beside its release.

use super::Examination;
use crate::catalog::{Exceptions, Release};
use crate::document::{Document, Mistake};

/// Adds what is wrong with the exceptions in the file `series`.notes.yaml, which are about a release, if there is one.
pub(in crate::catalog) fn exceptions(
    series: &str,
    document: &Document<Exceptions>,
    release: Option<&Release>,
    mistakes: &mut Vec<Mistake>,
) {
    let mut examination = Examination { document, mistakes };
    let Some(release) = release else {
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
