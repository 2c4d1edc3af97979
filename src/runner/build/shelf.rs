//! Layers that were made, kept by what they were made of.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use super::layer::{Known, Layer};
use crate::model::Digest;

/// After how long a layer that was not used is removed.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);
/// After how long it is sure that a file that is not finished will not be.
const CUT_OFF: Duration = Duration::from_secs(24 * 3600);

/// Where layers are.
#[derive(Debug, Clone)]
pub(super) struct Shelf(pub(super) Utf8PathBuf);

impl Shelf {
    fn path(&self, key: &str, kind: &str) -> Utf8PathBuf {
        self.0.join(format!("{key}.{kind}"))
    }

    /// The layer of a key, if it is here whole.
    pub(super) fn get(&self, key: &str) -> Option<Layer> {
        let path = self.path(key, "tar");
        let kept = self.path(key, "json");
        let known: Known = serde_json::from_slice(&fs::read(&kept).ok()?).ok()?;
        if fs::metadata(&path).ok()?.len() != known.size {
            return None;
        }
        // When it was used last decides when it goes.
        let _ = File::options().append(true).open(&kept).and_then(|file| file.set_modified(SystemTime::now()));
        Some(Layer { path, known })
    }

    /// Keeps the layer that `make` writes. It counts once what is known of it is written, last.
    pub(super) fn put(
        &self,
        key: &str,
        title: &str,
        make: impl FnOnce(&mut File) -> io::Result<(Digest, u64)>,
    ) -> io::Result<Layer> {
        fs::create_dir_all(&self.0)?;
        let (path, unfinished) = (self.path(key, "tar"), self.path(key, &format!("{}.tmp", std::process::id())));
        let made = File::create(&unfinished).and_then(|mut file| make(&mut file));
        let made = made.and_then(|made| fs::rename(&unfinished, &path).map(|()| made));
        let (diff_id, size) = match made {
            Ok(made) => made,
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        };
        let known = Known { diff_id, size, title: title.to_owned() };
        fs::write(&unfinished, serde_json::to_vec(&known)?)?;
        fs::rename(&unfinished, self.path(key, "json"))?;
        Ok(Layer { path, known })
    }

    /// Removes what was not used for a month, and what was cut off.
    pub(super) fn tidy(&self) {
        let Ok(entries) = self.0.read_dir_utf8() else { return };
        for path in entries.flatten().map(camino::Utf8DirEntry::into_path) {
            // A layer is as old as what is known of it.
            let (dated, most) = match path.extension() {
                Some("tar") => (path.with_extension("json"), UNUSED),
                Some("tmp") => (path.clone(), CUT_OFF),
                _ => continue,
            };
            if age(&dated).or_else(|| age(&path)).is_some_and(|age| age > most) {
                let _ = fs::remove_file(&dated);
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn age(path: &Utf8Path) -> Option<Duration> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()?.elapsed().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_layer_counts_only_whole_and_goes_when_nobody_used_it() {
        let home = tempfile::tempdir().expect("a directory");
        let shelf = Shelf(Utf8PathBuf::from_path_buf(home.path().join("layers")).expect("UTF-8"));
        assert_eq!(shelf.get("a"), None);
        let put = |key: &str| {
            shelf.put(key, "packages", |file| {
                file.write_all(b"layer")?;
                super::super::layer::digest(b"layer").map(|digest| (digest, 5))
            })
        };
        let made = put("a").expect("kept");
        assert_eq!(shelf.get("a"), Some(made.clone()));
        assert!(shelf.put("b", "", |_| Err(io::Error::other("cut off"))).is_err());
        assert_eq!(shelf.0.read_dir_utf8().expect("a directory").count(), 2, "what failed was left behind");
        fs::write(&made.path, "lay").expect("written");
        assert_eq!(shelf.get("a"), None, "a layer that was cut off was taken for whole");

        put("a").expect("kept");
        put("b").expect("kept");
        let old = SystemTime::now() - UNUSED - Duration::from_secs(1);
        let known = File::options().append(true).open(shelf.path("b", "json")).expect("here");
        known.set_modified(old).expect("set");
        shelf.tidy();
        assert!(shelf.get("a").is_some() && shelf.get("b").is_none());
        assert!(!shelf.path("b", "tar").exists());
    }
}
