//! What was read of images, kept by digest: `<state directory>/images/<digest>-<question>.json`.
//!
//! A file counts only if all of it is right: format, digest, question, sum, and every tree in it. Whatever else it
//! is, the image is read again. A file that cannot be written costs time and nothing more.

use camino::Utf8PathBuf;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Digest;

/// The version of the file's format.
const FORMAT: u32 = 1;
/// The largest file that is read, in bytes: what is known of an image takes some hundred thousand.
const MOST: u64 = 16 << 20;

/// Where what was read is kept.
pub(super) struct Cache {
    directory: Utf8PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<F> {
    format: u32,
    /// The image's digest.
    image: Digest,
    /// What was asked.
    question: String,
    /// SHA-256 of the facts as they are written.
    sum: String,
    facts: F,
}

impl Cache {
    pub(super) fn at(directory: Utf8PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, image: &Digest, question: &str) -> Utf8PathBuf {
        let question: String = question.chars().take(16).collect();
        self.directory.join(format!("{}-{question}.json", image.to_string().replace(':', "-")))
    }

    /// What is known of an image, if it can be relied on.
    pub(super) async fn get<F: Serialize + DeserializeOwned>(&self, image: &Digest, question: &str) -> Option<F> {
        let path = self.path(image, question);
        if tokio::fs::metadata(&path).await.ok()?.len() > MOST {
            return None;
        }
        let kept: Kept<F> = serde_json::from_slice(&tokio::fs::read(&path).await.ok()?).ok()?;
        let right = kept.format == FORMAT
            && kept.image == *image
            && kept.question == question
            && sum(&kept.facts).as_ref() == Some(&kept.sum);
        right.then_some(kept.facts)
    }

    /// Keeps what is known of an image.
    pub(super) async fn put<F: Serialize>(&self, image: &Digest, question: &str, facts: &F) {
        let Some(sum) = sum(facts) else { return };
        let question = question.to_owned();
        let path = self.path(image, &question);
        let kept = Kept { format: FORMAT, image: image.clone(), question, sum, facts };
        let Ok(text) = serde_json::to_vec(&kept) else { return };
        // Under a name of its own first: another process may read at the same time.
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = async {
            tokio::fs::create_dir_all(&self.directory).await?;
            tokio::fs::write(&unfinished, text).await?;
            tokio::fs::rename(&unfinished, &path).await
        };
        if written.await.is_err() {
            let _ = tokio::fs::remove_file(&unfinished).await;
        }
    }
}

fn sum(facts: &impl Serialize) -> Option<String> {
    let text = serde_json::to_vec(facts).ok()?;
    Some(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{ImageFacts, SchemaFacts, ServiceFacts, read};

    fn facts() -> ImageFacts {
        let scripts = [("a.py".to_owned(), "revision = 'a'\ndown_revision = None\n".to_owned())].into();
        let tree =
            read(crate::migrations::Place { directory: "x/y", scripts: &scripts, constants: &Default::default() });
        let service = ServiceFacts {
            place: Some("/site-packages".into()),
            package: Some("29.0.2".into()),
            schemas: [("nova".parse().expect("a schema"), SchemaFacts::Read(tree.expect("understood")))].into(),
            lacking: Vec::new(),
        };
        ImageFacts { services: [("nova".parse().expect("a service"), service)].into() }
    }

    #[tokio::test]
    async fn what_was_kept_is_known_for_this_image_and_this_question_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let cache = Cache::at(Utf8PathBuf::from_path_buf(home.path().join("images")).expect("UTF-8"));
        let digest = |digit: &str| -> Digest { format!("sha256:{}", digit.repeat(64)).parse().expect("a digest") };
        assert_eq!(cache.get(&digest("a"), "question").await, None::<ImageFacts>);
        cache.put(&digest("a"), "question", &facts()).await;
        assert_eq!(cache.get(&digest("a"), "question").await, Some(facts()));
        assert_eq!(cache.get(&digest("a"), "another").await, None::<ImageFacts>);
        assert_eq!(cache.get(&digest("b"), "question").await, None::<ImageFacts>);
        let other = cache.path(&digest("b"), "question");
        std::fs::copy(cache.path(&digest("a"), "question"), other).expect("copied");
        assert_eq!(
            cache.get(&digest("b"), "question").await,
            None::<ImageFacts>,
            "a file under another image's name was believed"
        );
    }

    #[tokio::test]
    async fn a_damaged_file_is_never_believed() {
        let home = tempfile::tempdir().expect("a directory");
        let cache = Cache::at(Utf8PathBuf::from_path_buf(home.path().to_owned()).expect("UTF-8"));
        let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().expect("a digest");
        cache.put(&digest, "question", &facts()).await;
        let path = cache.path(&digest, "question");
        let whole = std::fs::read_to_string(&path).expect("written");
        for damaged in [
            whole.replace("29.0.2", "29.0.3"),
            whole.replace("\"format\":1", "\"format\":2"),
            whole.replace("\"id\":\"a\"", "\"id\":\"b\""),
            whole[..whole.len() / 2].to_owned(),
            String::new(),
            "[]".to_owned(),
        ] {
            assert_ne!(damaged, whole);
            std::fs::write(&path, &damaged).expect("written");
            assert_eq!(cache.get(&digest, "question").await, None::<ImageFacts>, "{damaged}");
        }
        std::fs::write(&path, &whole).expect("written");
        assert_eq!(cache.get(&digest, "question").await, Some(facts()));
    }
}
