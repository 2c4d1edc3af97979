//! What is on this machine for tests that make environments: where they stay, and a compiler.

use std::process::Command;
use std::sync::OnceLock;

use camino::Utf8PathBuf;

/// Where environments stay between runs of the tests: with what else the test bed keeps, as images do.
pub(crate) fn environments() -> Utf8PathBuf {
    let home = std::env::var("LEAPFROG_TESTBED").map(Utf8PathBuf::from);
    let usual = || Utf8PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/leapfrog-testbed");
    home.unwrap_or_else(|_| usual()).join("environments")
}

/// Installs what compiling the few packages without a binary needs, where it is not here.
pub(crate) fn compiler() {
    static HERE: OnceLock<()> = OnceLock::new();
    HERE.get_or_init(|| {
        let have = |script: &str| Command::new("sh").args(["-c", script]).output().unwrap().status.success();
        let test = "command -v gcc && test -e /usr/include/openssl/ssl.h && ls /usr/include/python3*/Python.h && \
                    python3 -c 'import venv, ensurepip'";
        if !have(test) {
            let install = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install gcc libc6-dev libssl-dev \
                           python3-dev python3-venv";
            assert!(have(install), "these tests compile packages: {install}");
        }
    });
}
