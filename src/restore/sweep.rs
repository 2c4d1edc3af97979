//! Which restore points are kept.

use std::sync::Arc;

use super::Setting;
use super::error::RestoreError;
use super::pipe::{Control, in_thread};
use super::point::{Means, Name, PointFiles};
use super::snapshot::{perform, told};
use crate::model::{ConnectionUrl, RunId};

/// Of one database's restore points: those that are kept, the newest `keep` and the first of `run`, which is where all
/// of its work can be undone. Their names say which is newer, and no clock: a later run has a later name.
pub fn kept<'n>(points: &'n [Name], keep: usize, run: &RunId) -> Vec<&'n Name> {
    let mut newest: Vec<&Name> = points.iter().collect();
    newest.sort_by(|one, two| two.cmp(one));
    let first = points.iter().filter(|name| name.run == *run).min_by_key(|name| name.series.clone());
    let stays = |(place, name): &(usize, &Name)| *place < keep.max(1) || Some(*name) == first;
    newest.into_iter().enumerate().filter(stays).map(|(_, name)| name).collect()
}

/// Removes restore points of the database of `name` that are more than are kept; `name` is the newest of them.
/// Returns the names of those that were removed.
///
/// # Errors
/// One cannot be removed.
pub async fn remove(name: &Name, url: &ConnectionUrl, setting: &Setting) -> Result<Vec<Name>, RestoreError> {
    let files = PointFiles::at(&setting.directory);
    let all = files.all()?;
    // Damaged ones stay for whoever looks into them.
    let readable = all.iter().filter(|(other, point)| other.database == name.database && point.is_ok());
    let of_it: Vec<Name> = readable.map(|(other, _)| other.clone()).collect();
    let kept = kept(&of_it, setting.keep, &name.run);
    let mut removed = Vec::new();
    for old in of_it.iter().filter(|old| !kept.contains(old) && *old != name) {
        let means = all.get(old).and_then(|point| point.as_ref().ok()).map(|point| point.means);
        if means == Some(Means::Snapshot) {
            let command = setting.snapshots.as_ref().and_then(|snapshots| snapshots.remove.clone());
            // Without a command that removes it, it stays, and stays listed.
            let Some(words) = command else { continue };
            let variables = told(old, url);
            let control = Arc::new(Control::default());
            in_thread(&control, move |control| perform(&words, variables, "remove a snapshot", control)).await?;
        }
        files.delete(old)?;
        removed.push(old.clone());
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_the_first_of_the_run() {
        let point = |run: &str, series: &str, attempt: u32| -> Name {
            format!("{run}/{series}/nova.api.{attempt}").parse().expect("valid")
        };
        let (old, new) = ("20261001-031502-7f3a", "20261122-031502-7f3a");
        let points = [
            point(old, "2023.1", 1),
            point(old, "2023.2", 1),
            point(new, "2023.2", 1),
            point(new, "2024.1", 1),
            point(new, "2024.2", 1),
        ];
        let run: RunId = new.parse().expect("valid");
        let names = |keep| -> Vec<String> {
            kept(&points, keep, &run).into_iter().map(|name| format!("{}/{}", name.run, name.series)).collect()
        };
        let whole = |series: &str| format!("{new}/{series}");
        assert_eq!(names(1), [whole("2024.2"), whole("2023.2")]);
        assert_eq!(names(2), [whole("2024.2"), whole("2024.1"), whole("2023.2")]);
        assert_eq!(names(3), [whole("2024.2"), whole("2024.1"), whole("2023.2")]);
        assert_eq!(names(9).len(), 5);
        // An attempt after the ninth is newer than the ninth.
        let attempts = [point(new, "2024.2", 9), point(new, "2024.2", 10), point(new, "2023.2", 1)];
        assert_eq!(kept(&attempts, 1, &run), [&attempts[1], &attempts[2]]);
    }
}
