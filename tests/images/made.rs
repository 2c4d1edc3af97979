//! What an image is: small, without rights, with every command, and the same to the byte.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bed::{Place, docker, leapfrog, try_docker};
use crate::cloud::Told;

/// What the images may weigh, in bytes, as engines count them.
const MOST_OF_ALL: u64 = 400_000_000;
const MOST_OF_NOVA: u64 = 250_000_000;

const ALL: &str = "localhost/leapfrog/openstack:2024.1";
const NOVA: &str = "localhost/leapfrog/nova:2024.1";
const COMMANDS: [&str; 9] = [
    "barbican-manage",
    "cinder-manage",
    "cinder-status",
    "glance-manage",
    "keystone-manage",
    "neutron-db-manage",
    "nova-manage",
    "placement-manage",
    "placement-status",
];

#[test]
#[ignore = "needs the test bed: make test"]
fn images_are_small_run_as_nobody_hold_every_command_and_share_their_layers() {
    let place = Place::new();
    let all = place.build(&["--series", "caracal"]);
    assert_eq!((&all["image"], all["services"].as_array().unwrap().len()), (&Value::from(ALL), 7));
    let nova = place.build(&["--series", "2024.1", "--service", "nova"]);
    assert_eq!(nova["image"], NOVA);
    for (made, most) in [(&all, MOST_OF_ALL), (&nova, MOST_OF_NOVA)] {
        let bytes = made["bytes"].as_u64().unwrap();
        assert!(bytes < most, "{} has {bytes} bytes, and {most} are the most", made["image"]);
        assert!(bytes > most / 2, "{} has {bytes} bytes: that cannot be all", made["image"]);
    }
    let [of_all, of_nova] = [ALL, NOVA].map(|name| -> Value {
        serde_json::from_str::<Value>(&docker(&["image", "inspect", name])).unwrap()[0].clone()
    });
    assert_eq!((&of_all["Id"], &of_nova["Id"]), (&all["id"], &nova["id"]));
    let layers = |image: &Value| image["RootFS"]["Layers"].as_array().unwrap().clone();
    assert_eq!((layers(&of_all).len(), layers(&of_nova).len()), (3, 3));
    assert_eq!(layers(&of_all)[..2], layers(&of_nova)[..2], "what every service needs is there twice");
    let labels = &of_nova["Config"]["Labels"];
    assert_eq!(labels["leapfrog.series"], "2024.1");
    assert_eq!(labels["leapfrog.services"], "nova");
    assert_eq!((&labels["leapfrog.lock"], &all["lock"]), (&nova["lock"], &nova["lock"]));
    assert!(labels["leapfrog.version.nova"].as_str().unwrap().starts_with("29."), "{labels}");

    let run = |image: &str, words: &[&str]| {
        let (good, text) = try_docker(&[&["run", "--rm", "--network", "none", image], words].concat());
        assert!(good, "{words:?} of {image}: {text}");
        text
    };
    for command in COMMANDS {
        assert!(run(ALL, &[command, "--help"]).contains("usage"), "{command}");
    }
    assert_eq!(run(NOVA, &["nova-manage", "--version"]), labels["leapfrog.version.nova"].as_str().unwrap());
    let only = run(NOVA, &["ls", "/opt/openstack/bin"]);
    assert_eq!(only.split_whitespace().collect::<Vec<_>>(), ["nova-manage", "python", "python3"]);
    let look = "id -u; id -g; touch $HOME/x && echo home; touch /opt/openstack/x 2>/dev/null || echo no; \
                find / -xdev -perm /6000 2>/dev/null; find /opt -type d -name tests -path '*site-packages/*/*'; \
                find /opt -name '*.py' -path '*nova/db/main/*' | grep -c versions/13863f4e1612";
    let seen = run(NOVA, &["sh", "-c", look]);
    let expected = ["42424", "42424", "home", "no", "1"];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected, "rights, programs that give some, tests, or no sources");
    let imported = run(NOVA, &["python", "-v", "-c", "import nova.cmd.manage"]);
    let compiled = "site-packages/nova/cmd/__pycache__/manage.cpython-311.pyc";
    assert!(imported.contains(&format!("code object from '/opt/openstack/lib/python3.11/{compiled}")), "not compiled");

    // Once more the same is no work, and says the same.
    let again = place.build(&["--series", "2024.1", "--service", "nova"]);
    assert_eq!(again, nova);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn the_same_inputs_give_the_same_bytes_elsewhere_and_later() {
    let arguments = ["--series", "2024.1", "--service", "keystone,cinder", "--archive"];
    let here = Place::new();
    let made = here.build(&[&arguments[..], &["one.tar"]].concat());
    assert_eq!(made["image"], "localhost/leapfrog/cinder-keystone:2024.1");
    // Nothing is shared but the base: packages are resolved, fetched and compiled anew.
    let there = Place::new();
    std::fs::remove_file(there.path().join("packages")).unwrap();
    let home = there.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let cache = home.join("cache-of-uv");
    let variables = [("HOME", home.as_str()), ("UV_CACHE_DIR", cache.as_str()), ("TZ", "Asia/Tokyo"), ("LANG", "C")];
    let again = there.build_with(&[&arguments[..], &["two.tar"]].concat(), &variables);
    let [one, two] =
        [here.path().join("one.tar"), there.path().join("two.tar")].map(|file| std::fs::read(file).unwrap());
    assert_eq!((&made["id"], &made["archive"]["manifest"]), (&again["id"], &again["archive"]["manifest"]));
    assert!(one == two, "the archives differ, though the image is {}", made["id"]);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn an_image_stands_on_a_base_that_is_given_and_not_on_one_that_cannot_carry_it() {
    let place = Place::new();
    let base = format!("localhost/leapfrog/base-of-tests:{}", std::process::id());
    // Any image with a Python: here that Debian, as somebody else would have imported it.
    docker(&["import", place.base_tar().as_str(), &base]);
    let made = place.build(&["--series", "2024.1", "--service", "barbican", "--base", &base]);
    assert_eq!(made["layers"].as_array().unwrap().len(), 3);
    let inspected: Value = serde_json::from_str(&docker(&["image", "inspect", made["id"].as_str().unwrap()])).unwrap();
    let named = inspected[0]["Config"]["Labels"]["org.opencontainers.image.base.name"].as_str().unwrap();
    assert!(named.starts_with(&base), "{named}");
    docker(&["rmi", &base]);

    let refused = |image: &str| {
        let mut command = leapfrog(&["env", "build", "--series", "2024.1", "--service", "barbican", "--base", image]);
        let directory = place.path().as_str();
        Told::from(command.args(["--directory", directory]).current_dir(directory).output().unwrap()).ended(3)
    };
    refused(&base).said(&["is not on the container engine's machine", "leapfrog env build"]);
    refused("127.0.0.1:1/python:3.11").said(&["registry 127.0.0.1:1 cannot be reached"]);
    let names: BTreeSet<String> =
        docker(&["images", "--format", "{{.Repository}}"]).lines().map(str::to_owned).collect();
    assert!(!names.contains("localhost/leapfrog/base-of-tests"), "{names:?}");
}
