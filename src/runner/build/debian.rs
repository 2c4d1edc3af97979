//! The Debian that an image stands on: which packages, and what of them is left out.

use std::io::{self, BufRead, Read, Write};

use super::USER;
use super::layer::Hashing;
use crate::model::Digest;

/// The release of Debian, the version of its Python.
pub(super) const SUITE: &str = "bookworm";
pub(super) const PYTHON: &str = "3.11";
/// No file of it is younger: the day of that release.
pub(super) const MOMENT: u64 = 1_686_355_200;

/// Python, what compiled packages are linked with, certificates of authorities, and the names of protocols, without which older eventlets do not start.
const PACKAGES: &str = "python3,libstdc++6,ca-certificates,netbase";

/// What no command reads, and no copyright asks for. Debian's own tools need perl; nobody installs anything here.
const LEFT_OUT: [&str; 22] = [
    "boot/",
    "etc/apt/",
    "usr/bin/dpkg",
    "usr/bin/localedef",
    "usr/bin/openssl",
    "usr/bin/perl",
    "usr/lib/apt/",
    "usr/lib/dpkg/",
    "usr/lib/python3.11/lib2to3/",
    "usr/lib/python3.11/pydoc_data/",
    "usr/lib/systemd/",
    "usr/sbin/",
    "usr/share/bash-completion/",
    "usr/share/debconf/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/perl",
    "var/cache/",
    "var/lib/apt/",
    "var/log/",
];
/// The same in the directory of libraries.
const LIBRARIES_LEFT_OUT: [&str; 5] = ["gconv/", "libperl.", "perl-base/", "perl/", "perl5/"];

/// What decides on the base's content, besides the day on which it is made.
pub(super) fn recipe() -> String {
    format!("format 1\n{SUITE} {PACKAGES}\n{}\n{}", LEFT_OUT.join(" "), LIBRARIES_LEFT_OUT.join(" "))
}

/// The arguments of mmdebstrap, before the file that it writes.
pub(super) fn arguments() -> Vec<String> {
    vec![
        "--quiet".to_owned(),
        "--variant=essential".to_owned(),
        format!("--include={PACKAGES}"),
        "--format=tar".to_owned(),
        "--skip=output/mknod".to_owned(),
        SUITE.to_owned(),
    ]
}

/// Whether the base has a path.
fn is_kept(path: &str) -> bool {
    if path.starts_with("usr/share/doc/") {
        return path.ends_with('/') || path.ends_with("/copyright");
    }
    // Which packages it has is told; how to change them is not.
    if path.starts_with("var/lib/dpkg/") {
        return matches!(path, "var/lib/dpkg/" | "var/lib/dpkg/status");
    }
    let library = path.strip_prefix("usr/lib/").and_then(|path| path.split_once("-linux-gnu/"));
    if let Some((_, library)) = library {
        return !LIBRARIES_LEFT_OUT.iter().any(|start| library.starts_with(start));
    }
    // A directory itself stays: links lead there, and programs write there.
    !LEFT_OUT.iter().any(|start| path.starts_with(start) && !(path == *start && path.ends_with('/')))
}

/// Writes of a Debian what the base has of it: with the image's user, and without programs that change users.
pub(super) fn strip(from: impl BufRead, to: impl Write) -> io::Result<(Digest, u64)> {
    let mut archive = tar::Archive::new(from);
    let mut tar = tar::Builder::new(Hashing::new(io::BufWriter::with_capacity(1 << 20, to)));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        if path.is_empty() || !is_kept(&path) {
            continue;
        }
        let mut header = tar::Header::new_gnu();
        let old = entry.header();
        header.set_entry_type(old.entry_type());
        header.set_mode(old.mode()? & 0o1777);
        header.set_uid(old.uid()?);
        header.set_gid(old.gid()?);
        header.set_mtime(old.mtime()?);
        if let Some(target) = entry.link_name()? {
            header.set_size(0);
            // A hard link is to a path of the same archive.
            let target = target.strip_prefix("./").map_or(target.to_path_buf(), std::path::Path::to_path_buf);
            tar.append_link(&mut header, &path, target)?;
            continue;
        }
        let more = match path.as_str() {
            "etc/passwd" => format!("openstack:x:{USER}:{USER}:OpenStack:{}:/bin/sh\n", super::HOME),
            "etc/group" => format!("openstack:x:{USER}:\n"),
            _ => String::new(),
        };
        header.set_size(entry.size() + more.len() as u64);
        tar.append_data(&mut header, &path, entry.by_ref().chain(more.as_bytes()))?;
    }
    tar.into_inner()?.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_need_stays_and_so_do_copyrights() {
        for (path, kept) in [
            ("usr/bin/python3.11", true),
            ("usr/bin/sh", true),
            ("usr/bin/perl", false),
            ("usr/bin/dpkg-query", false),
            ("usr/bin/perl5.36-x86_64-linux-gnu", false),
            ("usr/lib/x86_64-linux-gnu/libcrypto.so.3", true),
            ("usr/lib/aarch64-linux-gnu/perl-base/strict.pm", false),
            ("usr/lib/x86_64-linux-gnu/libperl.so.5.36", false),
            ("usr/lib/python3.11/pydoc_data/topics.py", false),
            ("usr/lib/python3.11/pydoc.py", true),
            ("usr/share/doc/libc6/copyright", true),
            ("usr/share/doc/libc6/changelog.Debian.gz", false),
            ("var/lib/dpkg/status", true),
            ("var/lib/dpkg/info/libc6:amd64.list", false),
            ("usr/sbin/", true),
            ("usr/sbin/useradd", false),
            ("var/cache/", true),
            ("etc/ssl/certs/ca-certificates.crt", true),
        ] {
            assert_eq!(is_kept(path), kept, "{path}");
        }
    }

    #[test]
    fn the_base_knows_the_image_s_user_and_lets_nobody_become_another() {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode, text) in [
            ("./etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\n"),
            ("./usr/bin/su", 0o4755, ""),
            ("./usr/share/man/x", 0o644, ""),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).expect("packed");
        }
        let whole = tar.into_inner().expect("packed");
        let mut stripped = Vec::new();
        strip(whole.as_slice(), &mut stripped).expect("stripped");
        let mut archive = tar::Archive::new(stripped.as_slice());
        let entries: Vec<(String, u32, String)> = archive
            .entries()
            .expect("a tar")
            .map(|entry| {
                let mut entry = entry.expect("an entry");
                let mut text = String::new();
                entry.read_to_string(&mut text).expect("text");
                (entry.path().expect("a path").display().to_string(), entry.header().mode().expect("a mode"), text)
            })
            .collect();
        let passwd = "root:x:0:0::/root:/bin/sh\nopenstack:x:42424:42424:OpenStack:/var/lib/openstack:/bin/sh\n";
        assert_eq!(
            entries,
            [("etc/passwd".to_owned(), 0o644, passwd.to_owned()), ("usr/bin/su".to_owned(), 0o755, String::new())]
        );
    }
}
