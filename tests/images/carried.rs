//! How an image comes elsewhere: in a file, and through a registry.

use serde_json::Value;

use crate::bed::{Place, docker, leapfrog, try_docker};
use crate::cloud::{Told, environment};

/// `leapfrog env load` of a file.
fn load(file: &camino::Utf8Path) -> Told {
    let directory = file.parent().unwrap();
    Told::from(leapfrog(&["env", "load", file.as_str(), "-o", "json"]).current_dir(directory).output().unwrap())
}

#[test]
#[ignore = "needs the test bed: make test"]
fn an_image_is_carried_in_a_file_and_a_damaged_file_is_refused() {
    let place = Place::new();
    let made = place.build(&["--series", "2024.1", "--service", "placement,glance", "--archive", "image.tar"]);
    let (name, id) = (made["image"].as_str().unwrap(), made["id"].as_str().unwrap());
    let file = place.path().join("image.tar");
    assert_eq!(made["archive"]["bytes"].as_u64().unwrap(), std::fs::metadata(&file).unwrap().len());
    docker(&["rmi", name]);
    assert!(!try_docker(&["image", "inspect", id]).0, "the image is still there");

    // A byte in a layer, an end that is missing, a file that is something else: the engine sees nothing of it.
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let broken = place.path().join("broken.tar");
    for (bytes, why) in [
        (damaged.as_slice(), "its content is not what its name says"),
        (&whole[..middle], "holds no image that can be trusted"),
        (b"#!/bin/sh\n".as_slice(), "holds no image that can be trusted"),
    ] {
        std::fs::write(&broken, bytes).unwrap();
        load(&broken).ended(3).said(&[why, "Carry the file over once more"]);
        assert!(!try_docker(&["image", "inspect", id]).0, "a damaged image was taken");
    }

    for known in [false, true] {
        let told: Value = serde_json::from_str(&load(&file).ended(0).stdout).unwrap();
        assert_eq!((&told["image"], &told["id"]), (&made["image"], &made["id"]));
        assert_eq!(told["known"], known);
        assert_eq!(told["manifest"], made["archive"]["manifest"]);
        assert_eq!(told["services"], serde_json::json!(["glance", "placement"]));
        let text = docker(&["run", "--rm", "--network", "none", name, "placement-manage", "--version"]);
        assert!(text.starts_with("11."), "{text}");
    }
    // An engine that knows nothing of leapfrog takes the same file.
    docker(&["rmi", name]);
    docker(&["load", "--input", file.as_str()]);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", name]), id);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn an_image_is_pushed_and_pulled_by_its_digest() {
    let place = Place::new();
    let registry = environment()["registry"].as_str().unwrap().to_owned();
    let below = format!("{registry}/made-{}", std::process::id());
    let arguments = ["--series", "2024.1", "--service", "keystone", "--push", &below];
    let made = place.build(&arguments);
    let (name, digest) = (made["pushed"]["image"].as_str().unwrap(), made["pushed"]["digest"].as_str().unwrap());
    assert_eq!(name, format!("{below}/keystone:2024.1"));
    assert_eq!(place.build(&arguments)["pushed"]["digest"], digest, "the same image got another digest");
    docker(&["rmi", name, made["image"].as_str().unwrap()]);
    let pinned = format!("{below}/keystone@{digest}");
    docker(&["pull", &pinned]);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &pinned]), made["id"].as_str().unwrap());
    docker(&["rmi", &pinned]);
}
