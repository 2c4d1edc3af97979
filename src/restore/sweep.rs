//! Which restore points are kept.

use std::sync::Arc;

use jiff::Timestamp;

use super::Setting;
use super::error::RestoreError;
use super::pipe::{Control, in_thread};
use super::point::{Means, Name, PointFiles};
use super::snapshot::{perform, told};
use crate::model::{ConnectionUrl, RunId};

/// Of one database's restore points, with when they were taken: those that are kept, the newest `keep` and the
/// first of `run`, which is where all of its work can be undone.
pub fn kept<'n>(points: &'n [(Name, Timestamp)], keep: usize, run: &RunId) -> Vec<&'n Name> {
    let mut newest: Vec<&(Name, Timestamp)> = points.iter().collect();
    newest.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| two.0.cmp(&one.0)));
    let first = points.iter().filter(|(name, _)| name.run == *run).min_by_key(|(name, _)| name.series.clone());
    let first = first.map(|(name, _)| name);
    let mut kept: Vec<&Name> = newest.iter().take(keep.max(1)).map(|(name, _)| name).collect();
    kept.extend(first.filter(|name| !newest.iter().take(keep.max(1)).any(|(other, _)| other == *name)));
    kept
}

/// Removes restore points of the database of `name` that are more than are kept; `name` is the newest of them.
/// Returns the names of those that were removed.
///
/// # Errors
/// One cannot be removed.
pub async fn remove(name: &Name, url: &ConnectionUrl, setting: &Setting) -> Result<Vec<Name>, RestoreError> {
    let files = PointFiles::at(&setting.directory);
    let all = files.all()?;
    let of_it: Vec<(Name, Timestamp)> = all
        .iter()
        .filter(|(other, _)| other.database == name.database)
        .filter_map(|(other, point)| Some((other.clone(), point.as_ref().ok()?.time)))
        .collect();
    let kept = kept(&of_it, setting.keep, &name.run);
    let mut removed = Vec::new();
    for (old, _) in of_it.iter().filter(|(old, _)| !kept.contains(&old) && old != name) {
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
        let point = |run: &str, series: &str, second: i64| {
            let name: Name = format!("{run}/{series}/nova.api.1").parse().expect("valid");
            (name, Timestamp::from_second(second).expect("a time"))
        };
        let (old, new) = ("20261001-031502-7f3a", "20261122-031502-7f3a");
        let points = [
            point(old, "2023.1", 1),
            point(old, "2023.2", 2),
            point(new, "2023.2", 3),
            point(new, "2024.1", 4),
            point(new, "2024.2", 5),
        ];
        let run: RunId = new.parse().expect("valid");
        let names = |keep| -> Vec<String> {
            kept(&points, keep, &run).iter().map(|name| format!("{}/{}", name.run, name.series)).collect()
        };
        let whole = |series: &str| format!("{new}/{series}");
        assert_eq!(names(1), [whole("2024.2"), whole("2023.2")]);
        assert_eq!(names(2), [whole("2024.2"), whole("2024.1"), whole("2023.2")]);
        assert_eq!(names(3), [whole("2024.2"), whole("2024.1"), whole("2023.2")]);
        assert_eq!(names(9).len(), 5);
    }
}
