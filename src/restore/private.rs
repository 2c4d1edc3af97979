//! A file with a password in it that is on no disk.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};

use crate::model::Secret;

/// A file in memory that only this user can read, under a path in `/proc` that is good while the value lives.
/// It is gone with this process, however that ends.
#[derive(Debug)]
pub struct PrivateFile {
    file: File,
}

impl PrivateFile {
    /// A file that holds `content`.
    ///
    /// # Errors
    /// The system makes none.
    pub fn new(content: &Secret) -> io::Result<Self> {
        let descriptor = memfd_create("leapfrog", MemfdFlags::CLOEXEC)?;
        // Clients refuse a password file that others could read.
        fchmod(&descriptor, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(descriptor);
        file.write_all(content.expose().as_bytes())?;
        Ok(Self { file })
    }

    /// Where programs of this user find it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn another_program_reads_it_and_it_is_nobody_else_s() {
        let file = PrivateFile::new(&Secret::new("s3cret")).expect("made");
        let read = std::process::Command::new("cat").arg(file.path()).output().expect("cat runs");
        assert_eq!(read.stdout, b"s3cret");
        let mode = std::fs::metadata(file.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let path = file.path();
        drop(file);
        assert!(!path.exists(), "it outlives its value");
    }
}
