//! What `leapfrog --version` says besides the number: the commit that a release build was made from.
//!
//! It comes from `LEAPFROG_COMMIT`, if whoever builds says it; else from the clone that the sources lie in, else from
//! what `cargo package` noted, else from nowhere. A debug build says only that it is one: it would be made anew after
//! each commit for nothing. Cargo is told what the answer depends on, so nothing is built anew unless it changes.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LEAPFROG_COMMIT");
    let number = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let note = match std::env::var("LEAPFROG_COMMIT") {
        Ok(commit) if !commit.trim().is_empty() => Some(commit.trim().to_owned()),
        _ if std::env::var("PROFILE").as_deref() != Ok("release") => Some("debug build".to_owned()),
        _ => of_clone().or_else(of_package),
    };
    let version = note.map_or_else(|| number.clone(), |note| format!("{number} ({note})"));
    println!("cargo::rustc-env=LEAPFROG_VERSION={version}");
}

/// The commit that is checked out, and its day.
fn of_clone() -> Option<String> {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let manifest = Path::new(&manifest).canonicalize().ok()?;
    // Sources that were unpacked into somebody else's clone are not of its commit.
    let top = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if top != manifest {
        return None;
    }
    let reference = git(&["symbolic-ref", "--quiet", "HEAD"]);
    // The log of HEAD grows with every commit, also where its branch had no file of its own before.
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(reference.as_deref()) {
        // A file that is not there would count as changed each time.
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["show", "--no-patch", "--format=%h %cs", "--abbrev=12", "HEAD"])
}

/// The commit that `cargo package` noted.
fn of_package() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1)?.get(..12).map(str::to_owned)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
