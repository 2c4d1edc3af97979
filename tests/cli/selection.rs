//! Which leap: what cannot be meant is refused before anything is looked at.

use crate::lab::{CLOSED, Lab};

#[test]
fn ends_that_make_no_leap_are_refused_with_what_could_be_meant() {
    let lab = Lab::at_antelope(&["glance", "nova"]).ready();
    insta::assert_snapshot!(lab.tell(&[
        "plan --from 2023.9 --to +1",
        "plan --from antelop --to +1",
        "plan --from 2023.1 --to caracall",
        "plan --from 2024.1 --to 2023.1",
        "plan --from 2023.1 --to +99",
        "plan --from auto --to +99",
        "plan --from 2023.1 --to +99999999999999999999",
        "plan --from 2023.1 --to -1",
        "plan --from 2023.1 --to +",
        "plan --from 2023.1 --to +one",
        "plan --from 2023.1 --to auto",
        "plan --from 2023.1 --to +1 --only heat",
        "plan --from 2023.1 --to +1 --only glance,nov",
        "detect --only heat",
    ]));
}

#[test]
fn what_cannot_be_meant_is_refused_before_any_database_is_asked() {
    let lab = Lab::new().service_like("glance", &format!("{{url: \"mysql://g@{CLOSED}/g\"}}")).ready();
    for to in ["2022.2", "+99", "-1", "+x"] {
        lab.run(&["plan", "--from", "2023.1", "--to", to]).fails(2, &["--to"]);
    }
    lab.run(&["plan", "--from", "2023.1", "--to", "+1"]).fails(3, &["cannot be read"]);
}

#[test]
fn a_service_that_is_named_twice_takes_part_once() {
    let lab = Lab::at_antelope(&["glance", "placement"]).ready();
    let once = lab.run(&["plan", "--from", "2023.1", "--to", "+1", "--only", "glance"]);
    let twice = lab.run(&["plan", "--from", "2023.1", "--to", "+1", "--only", "glance,glance"]);
    assert_eq!((once.code, once.out), (twice.code, twice.out));
}
