//! A leap in images that leapfrog made and that are in no registry.

use crate::bed::Place;
use crate::cloud::Cloud;

#[test]
#[ignore = "needs the test bed: make test"]
fn a_leap_ends_complete_in_images_that_only_the_engine_has() {
    let place = Place::new();
    for series in ["2023.1", "2023.2", "2024.1"] {
        place.build(&["--series", series, "--service", "keystone,placement"]);
    }
    let cloud = Cloud::new("ownimages", 20);
    let text = std::fs::read_to_string(cloud.config()).unwrap();
    let pattern = text.lines().find(|line| line.trim_start().starts_with("default:")).unwrap();
    let indent = &pattern[..pattern.len() - pattern.trim_start().len()];
    cloud.edit(pattern, &format!("{indent}default: \"localhost/leapfrog/keystone-placement:{{series}}\""));

    let leap = ["--from", "2023.1", "--to", "2024.1", "--only", "keystone,placement"];
    cloud.leapfrog(&[&["pull"], &leap[..]].concat()).ended(0).said(&["3 images are here"]);
    cloud.leapfrog(&[&leap[..], &["--yes"]].concat()).ended(0).said(&["Every database stands at 2024.1"]);
    assert_eq!(cloud.heads("keystone"), ["47147121", "c88cdce8f248"]);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);

    // What is missing is named with what makes it.
    cloud.edit("keystone-placement:", "never-made:");
    let further = ["pull", "--from", "2024.1", "--to", "2024.2", "--only", "keystone,placement"];
    cloud.leapfrog(&further).ended(3).said(&["localhost/… is in no registry", "leapfrog env build"]);
}
