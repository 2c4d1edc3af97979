//! Where the demo's databases are.

use camino::Utf8PathBuf;

use crate::model::{ConnectionUrl, DatabaseId};

/// What the names of the demo's databases on a server begin with; also the name of the one that marks them as the demo's.
pub const PREFIX: &str = "leapfrog_demo";

/// Where the demo's databases are.
#[derive(Debug, Clone)]
pub enum Ground {
    /// SQLite files in this directory.
    Files(Utf8PathBuf),
    /// Databases of a server, whose address this is, whatever database it names.
    Server(ConnectionUrl),
}

/// A directory whose path means another one in an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be part of an address: a path may not have ? or % in it")]
pub struct NoGround(Utf8PathBuf);

impl Ground {
    /// Where a database is.
    ///
    /// # Errors
    /// The directory's path cannot be part of an address.
    pub fn url(&self, id: &DatabaseId) -> Result<ConnectionUrl, NoGround> {
        let name = if id.slot.as_str() == DatabaseId::MAIN {
            id.service.to_string()
        } else {
            format!("{}_{}", id.service, id.short())
        };
        match self {
            Self::Files(directory) => {
                let file = directory.join(format!("{name}.sqlite"));
                let url = format!("sqlite:///{file}").parse::<ConnectionUrl>().ok();
                url.filter(|url| url.name() == file).ok_or_else(|| NoGround(directory.clone()))
            }
            Self::Server(server) => Ok(server.clone().with_name(format!("{PREFIX}_{name}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_named_after_what_they_hold() {
        let server = "mysql+pymysql://root:s3cret@127.0.0.1:3307/any".parse().expect("a URL");
        let url = |ground: &Ground, id: &str| ground.url(&id.parse().expect("an id")).expect("a URL").to_string();
        let (files, server) = (Ground::Files("/var/demo".into()), Ground::Server(server));
        assert_eq!(url(&files, "keystone"), "sqlite:////var/demo/keystone.sqlite");
        assert_eq!(url(&files, "nova.cells.cell1"), "sqlite:////var/demo/nova_cell1.sqlite");
        assert_eq!(url(&server, "nova.api"), "mysql+pymysql://root@127.0.0.1:3307/leapfrog_demo_nova_api");
        for path in ["/var/a?b", "/var/a%20b"] {
            assert!(Ground::Files(path.into()).url(&"nova.api".parse().expect("an id")).is_err(), "{path}");
        }
    }
}
