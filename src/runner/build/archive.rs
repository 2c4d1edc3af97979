//! An image in a file: an OCI layout that engines load as they load what `docker save` wrote.
//!
//! Every content is named by its digest, below `blobs/sha256`. `index.json` leads there for tools that know OCI
//! layouts, `manifest.json` for engines that do not (Docker before 25).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::image::Image;
use super::layer::{Hashing, digest};
use crate::model::{Digest, ImageReference};

/// The label of the series, which every image that is made here has.
pub(super) const SERIES: &str = "leapfrog.series";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The most bytes of a document in an archive.
const MOST: u64 = 4 << 20;

/// Writes an image as an engine takes it, layers as they are. It has no name yet.
pub(super) fn write_for_engine(image: &Image, to: &mut dyn Write) -> io::Result<()> {
    let layers: Vec<String> = image.layers.iter().map(|layer| blob(&layer.known.diff_id)).collect();
    let manifest = json!([{ "Config": blob(&image.id), "RepoTags": null, "Layers": layers }]);
    let mut tar = tar::Builder::new(to);
    append(&mut tar, "manifest.json", manifest.to_string().as_bytes())?;
    append(&mut tar, &blob(&image.id), image.config.as_bytes())?;
    for (layer, name) in image.layers.iter().zip(&layers) {
        append_file(&mut tar, name, &layer.path)?;
    }
    tar.into_inner()?.flush()
}

/// Writes an image into a file. Returns the digest of its manifest.
pub(super) fn write_file(image: &Image, name: &ImageReference, path: &Utf8Path) -> io::Result<Digest> {
    let unfinished = Utf8PathBuf::from(format!("{path}.{}.tmp", std::process::id()));
    let packed: Vec<Utf8PathBuf> =
        (0..image.layers.len()).map(|number| Utf8PathBuf::from(format!("{unfinished}.{number}"))).collect();
    let written = write_into(image, name, &unfinished, &packed);
    for file in &packed {
        let _ = std::fs::remove_file(file);
    }
    match written.and_then(|digest| std::fs::rename(&unfinished, path).map(|()| digest)) {
        Ok(digest) => Ok(digest),
        Err(error) => {
            let _ = std::fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

fn write_into(image: &Image, name: &ImageReference, to: &Utf8Path, packed: &[Utf8PathBuf]) -> io::Result<Digest> {
    let sums: Vec<io::Result<(Digest, u64)>> = std::thread::scope(|scope| {
        let packing: Vec<_> =
            image.layers.iter().zip(packed).map(|(layer, to)| scope.spawn(|| pack(&layer.path, to))).collect();
        let ended = packing.into_iter().map(|thread| thread.join());
        ended.map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let sums = sums.into_iter().collect::<io::Result<Vec<_>>>()?;
    let layers: Vec<Value> = sums.iter().map(|(digest, size)| described(LAYER, digest, *size)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, &image.id, image.config.len() as u64),
        "layers": layers,
    })
    .to_string();
    let manifest_digest = digest(manifest.as_bytes())?;
    let mut entry = described(MANIFEST, &manifest_digest, manifest.len() as u64);
    entry["annotations"] = json!({
        "io.containerd.image.name": name.to_string(),
        "org.opencontainers.image.ref.name": name.tag(),
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let names: Vec<String> = sums.iter().map(|(digest, _)| blob(digest)).collect();
    let docker = json!([{ "Config": blob(&image.id), "RepoTags": [name.to_string()], "Layers": names }]);
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, File::create(to)?));
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut tar, "index.json", index.to_string().as_bytes())?;
    append(&mut tar, "manifest.json", docker.to_string().as_bytes())?;
    append(&mut tar, &blob(&manifest_digest), manifest.as_bytes())?;
    append(&mut tar, &blob(&image.id), image.config.as_bytes())?;
    for (file, name) in packed.iter().zip(&names) {
        append_file(&mut tar, name, file)?;
    }
    let file = tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(manifest_digest)
}

/// Compresses a layer; the same one to the same bytes.
fn pack(from: &Utf8Path, to: &Utf8Path) -> io::Result<(Digest, u64)> {
    let packed = Hashing::new(BufWriter::with_capacity(1 << 20, File::create(to)?));
    let mut packing = GzEncoder::new(packed, Compression::new(6));
    io::copy(&mut BufReader::with_capacity(1 << 20, File::open(from)?), &mut packing)?;
    packing.finish()?.end()
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// What the image is called.
    pub(super) name: ImageReference,
    /// The digest of its configuration: its id in an engine.
    pub(super) id: Digest,
    /// The digest of its manifest.
    pub(super) manifest: Digest,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
}

/// Reads an archive to its end and holds every content to its digest.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(path: &Utf8Path) -> io::Result<Contents> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut documents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut blobs: BTreeMap<String, u64> = BTreeMap::new();
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.size();
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            let wanted: Digest =
                format!("sha256:{hex}").parse().map_err(|_| wrong("it holds a blob without a digest"))?;
            let mut whole = Hashing::new(&mut entry);
            if size <= MOST {
                let mut bytes = Vec::new();
                whole.read_to_end(&mut bytes)?;
                documents.insert(name.clone(), bytes);
            } else {
                io::copy(&mut whole, &mut io::sink())?;
            }
            if whole.sum()? != (wanted, size) {
                return Err(wrong(&format!("{name} is damaged: its content is not what its name says")));
            }
            blobs.insert(name, size);
        } else if size <= MOST {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            documents.insert(name, bytes);
        }
    }
    let read = |name: &str| -> io::Result<Value> {
        let bytes = documents.get(name).ok_or_else(|| wrong(&format!("it has no {name}")))?;
        serde_json::from_slice(bytes).map_err(|_| wrong(&format!("its {name} is no JSON")))
    };
    let named = |value: &Value| value.as_str().and_then(|text| text.parse::<Digest>().ok());
    let (index, docker) = (read("index.json")?, read("manifest.json")?);
    let manifest_digest =
        named(&index["manifests"][0]["digest"]).ok_or_else(|| wrong("its index.json names no image"))?;
    let manifest = read(&blob(&manifest_digest))?;
    let id = named(&manifest["config"]["digest"]).ok_or_else(|| wrong("its manifest names no configuration"))?;
    let layers: Option<Vec<Digest>> =
        manifest["layers"].as_array().and_then(|layers| layers.iter().map(|layer| named(&layer["digest"])).collect());
    let layers = layers.ok_or_else(|| wrong("its manifest names no layers"))?;
    if let Some(missing) = layers.iter().find(|layer| !blobs.contains_key(&blob(layer))) {
        return Err(wrong(&format!("layer {missing} is not in it")));
    }
    // What the engine reads must be what was looked at.
    let entry = &docker[0];
    let same = entry["Config"] == blob(&id) && entry["Layers"] == json!(layers.iter().map(blob).collect::<Vec<_>>());
    let name = entry["RepoTags"][0].as_str().and_then(|text| text.parse().ok());
    let (Some(name), true, Some(1)) = (name, same, docker.as_array().map(Vec::len)) else {
        return Err(wrong("its manifest.json does not say the same as its index.json"));
    };
    let config = read(&blob(&id))?;
    let labels: BTreeMap<String, String> =
        serde_json::from_value(config["config"]["Labels"].clone()).map_err(|_| wrong("its image has no labels"))?;
    if !labels.contains_key(SERIES) {
        return Err(wrong("its image was not made by leapfrog"));
    }
    Ok(Contents { name, id, manifest: manifest_digest, labels })
}

fn described(kind: &str, digest: &Digest, size: u64) -> Value {
    json!({ "mediaType": kind, "digest": digest, "size": size })
}

/// Where a content lies in an archive.
fn blob(digest: &Digest) -> String {
    format!("blobs/{}", digest.to_string().replace(':', "/"))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(bytes.len() as u64), name, bytes)
}

fn append_file<W: Write>(tar: &mut tar::Builder<W>, name: &str, path: &Utf8Path) -> io::Result<()> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    tar.append_data(&mut header(size), name, BufReader::with_capacity(1 << 20, file))
}
