//! An image: layers, and a configuration that says how its commands are run and what is in it.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::base::Base;
use super::layer::{Layer, digest};
use super::{HOME, Order, PREFIX, USER, archive};
use crate::model::Digest;
use crate::runner::local::Packages;

/// An image that is ready to be given away.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// The lowest first.
    pub(super) layers: Vec<Layer>,
    /// The configuration, as its digest is of it.
    pub(super) config: String,
    /// The configuration's digest.
    pub(super) id: Digest,
}

impl Image {
    /// The image of an order.
    pub(super) fn new(order: &Order, base: &Base, packages: &Packages, own: Vec<Layer>) -> io::Result<Self> {
        let mut layers = base.layers.clone();
        layers.extend(own);
        // Nothing in an image tells when it was made: its day is the one whose packages it has.
        let created = format!("{}T00:00:00Z", order.day);
        let history: Vec<Value> = layers
            .iter()
            .map(|layer| json!({ "created": created, "created_by": format!("leapfrog: {}", layer.known.title) }))
            .collect();
        let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.known.diff_id).collect();
        let config = json!({
            "architecture": base.architecture,
            "os": "linux",
            "created": created,
            "config": {
                "User": format!("{USER}:{USER}"),
                "Env": [
                    format!("PATH={PREFIX}/bin:{}", base.path),
                    format!("HOME={HOME}"),
                    "LANG=C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE=1",
                ],
                "WorkingDir": "/",
                "Cmd": ["python"],
                "Labels": labels(order, base, packages),
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history,
        })
        .to_string();
        let id = digest(config.as_bytes())?;
        Ok(Self { layers, config, id })
    }
}

/// What is in the image, for people and for scanners.
fn labels(order: &Order, base: &Base, packages: &Packages) -> BTreeMap<String, String> {
    let services: Vec<&str> = order.services.iter().map(|service| service.as_str()).collect();
    let mut labels: BTreeMap<String, String> = [
        ("org.opencontainers.image.title", format!("database commands of OpenStack {}", order.series)),
        ("org.opencontainers.image.version", order.series.to_string()),
        ("org.opencontainers.image.base.name", base.name.clone()),
        (archive::SERIES, order.series.to_string()),
        ("leapfrog.services", services.join(",")),
        ("leapfrog.lock", packages.digest.to_string()),
        ("leapfrog.made-by", format!("leapfrog {}", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for service in &order.services {
        let requirement = order.requirements.get(service).and_then(|all| all.first());
        if let Some(version) = requirement.and_then(|text| packages.needs.version(text)) {
            labels.insert(format!("leapfrog.version.{service}"), version.to_owned());
        }
    }
    labels
}
