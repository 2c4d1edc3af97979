//! Paths through the releases of the catalogue, and through any others.

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, Floor};

fn catalog() -> Catalog {
    Catalog::embedded().unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
}

fn series(text: &str) -> Series {
    text.parse().expect("a series")
}

/// The stops of all services' path through the catalogue.
fn stops(from: &str, to: &str, stops: Stops) -> String {
    let catalog = catalog();
    let services: Vec<&Service> = catalog.playbooks().map(|playbook| &playbook.service).collect();
    let releases: Vec<&Release> = catalog.releases().collect();
    let path = path(&releases, &services, &series(from), &series(to), stops);
    path.releases.iter().map(|release| release.series.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_slurp_release_leads_to_the_next_one_and_all_others_to_their_neighbour() {
    for (from, to, expected) in [
        ("2023.1", "2026.1", "2023.1 2024.1 2025.1 2026.1"),
        ("2023.1", "2026.2", "2023.1 2024.1 2025.1 2026.1 2026.2"),
        ("2023.1", "2024.2", "2023.1 2024.1 2024.2"),
        ("2023.2", "2025.2", "2023.2 2024.1 2025.1 2025.2"),
        ("2024.2", "2025.2", "2024.2 2025.1 2025.2"),
        ("yoga", "2024.1", "yoga zed 2023.1 2024.1"),
        ("train", "2026.2", "train ussuri victoria wallaby xena yoga zed 2023.1 2024.1 2025.1 2026.1 2026.2"),
        ("2026.2", "2026.2", "2026.2"),
    ] {
        assert_eq!(stops(from, to, Stops::Slurp), expected, "{from} to {to}");
    }
    assert_eq!(stops("2023.1", "2024.2", Stops::Every), "2023.1 2023.2 2024.1 2024.2");
}

#[test]
fn a_floor_between_two_slurp_releases_forces_a_stop_before_it() {
    let catalog = catalog();
    let mut releases: Vec<Release> = catalog.releases().cloned().collect();
    let nova: Service = "nova".parse().expect("a service");
    let late = releases.iter_mut().find(|release| release.series == series("2024.1")).expect("known");
    let floor = Floor { from: series("2023.2"), why: "cannot do without 2023.2".into() };
    late.services.get_mut(&nova).expect("nova").floor = Some(floor);
    let releases: Vec<&Release> = releases.iter().collect();
    let path = path(&releases, &[&nova], &series("2023.1"), &series("2025.1"), Stops::Slurp);
    let stops: Vec<&str> = path.releases.iter().map(|release| release.series.as_str()).collect();
    assert_eq!(stops, ["2023.1", "2023.2", "2024.1", "2025.1"]);
    assert!(path.reasons.contains(&"2023.2 is needed: nova of 2024.1 and later cannot do without 2023.2".to_owned()));
}

/// Releases in any order, some of them with other floors and other SLURP releases than there are.
fn releases() -> impl Strategy<Value = Vec<Release>> {
    let all: Vec<Release> = catalog().releases().cloned().collect();
    let count = all.len();
    let floors = proptest::collection::vec((0..count, 0..count, any::<bool>()), 0..8);
    let slurps = proptest::collection::vec(any::<bool>(), count);
    (Just(all), floors, slurps)
        .prop_map(|(mut all, floors, slurps)| {
            let known: Vec<Series> = all.iter().map(|release| release.series.clone()).collect();
            for (release, slurp) in all.iter_mut().zip(slurps) {
                release.slurp = slurp;
            }
            for (one, two, keystone) in floors {
                let service: Service = if keystone { "keystone" } else { "nova" }.parse().expect("a service");
                if let Some(facts) = all[one.max(two)].services.get_mut(&service)
                    && one != two
                {
                    facts.floor = Some(Floor { from: known[one.min(two)].clone(), why: "cannot".into() });
                }
            }
            all
        })
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_path_goes_below_a_floor_or_backwards_or_depends_on_the_order_of_files(
        all in releases(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), slurp in any::<bool>(),
    ) {
        let mut sorted: Vec<&Release> = all.iter().collect();
        sorted.sort_by(|one, two| one.series.cmp(&two.series));
        let (one, two) = (from.index(sorted.len()), to.index(sorted.len()));
        let (from, to) = (&sorted[one.min(two)].series, &sorted[one.max(two)].series);
        let stops = if slurp { Stops::Slurp } else { Stops::Every };
        let names: Vec<Service> = ["keystone", "nova"].map(|name| name.parse().expect("a service")).into();
        let services: Vec<&Service> = names.iter().collect();
        let found = path(&all.iter().collect::<Vec<_>>(), &services, from, to, stops);
        prop_assert_eq!(found.releases.first().map(|release| &release.series), Some(from));
        prop_assert_eq!(found.releases.last().map(|release| &release.series), Some(to));
        for pair in found.releases.windows(2) {
            let (here, next) = (&pair[0], &pair[1]);
            prop_assert!(here.series < next.series);
            let between: Vec<&&Release> =
                sorted.iter().filter(|release| here.series < release.series && release.series < next.series).collect();
            // What is passed over lies between two SLURP releases, and is none itself.
            prop_assert!(between.is_empty() || stops == Stops::Slurp && here.slurp && next.slurp);
            prop_assert!(between.iter().all(|release| !release.slurp));
            for release in between.iter().copied().chain([next]) {
                for (service, floor) in floors(release, &services) {
                    prop_assert!(floor.from <= here.series, "{service} of {} needs {}", release.series, floor.from);
                }
            }
        }
        let again = path(&sorted, &services, from, to, stops);
        prop_assert_eq!(&found.reasons, &again.reasons);
        let names = |path: &Path<'_>| path.releases.iter().map(|release| release.series.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&found), names(&again));
    }
}
