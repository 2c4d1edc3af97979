//! Where a database is, in the form that OpenStack's services read: an SQLAlchemy URL.

mod parts;

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use self::parts::Parts;
use super::{Engine, Secret};

/// What has to be escaped in the user and password of a URL: all but the unreserved characters.
const USERINFO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a database is and how to get in.
///
/// `Display` and `Debug` hide the password, and the query too, because drivers take passwords there.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl {
    engine: Engine,
    scheme: String,
    user: Option<String>,
    password: Option<Secret>,
    host: String,
    port: Option<u16>,
    name: String,
    query: Option<Secret>,
}

/// A URL that leads to no database leapfrog can use. The text of the URL is not repeated: it may
/// hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionUrlError {
    /// Not a URL at all.
    #[error("the text is not a URL ({0}): write it like mysql+pymysql://user@host:3306/database")]
    Malformed(url::ParseError),
    /// A blank, a line feed or a control character.
    #[error("there is a blank or a line feed in the URL: it must be one word")]
    Blank,
    /// An `@` in the user or the password.
    #[error("there is an `@` too many in the URL: in a user or password write it as %40")]
    At,
    /// An engine that leapfrog does not know.
    #[error(
        "the engine `{scheme}` is not supported: use mysql, mysql+pymysql, postgresql, postgresql+psycopg2 or sqlite"
    )]
    Engine {
        /// The URL's scheme as given.
        scheme: String,
    },
    /// No server is named.
    #[error("the URL names no host: write it like {scheme}://user@host/database")]
    NoHost {
        /// The URL's scheme as given.
        scheme: String,
    },
    /// No database is named.
    #[error("the URL names no database: append /NAME after the host")]
    NoDatabase,
    /// The path has more than one part.
    #[error("the URL's path names more than a database: only one part may follow the host")]
    NestedDatabase,
    /// Escaped bytes that are no text.
    #[error("the URL's user, password or database is not UTF-8 once its percent signs are decoded")]
    Encoding,
    /// A relative SQLite path, which would mean another file in every working directory.
    #[error("the SQLite path is not absolute: write sqlite:////var/lib/service/service.sqlite (four slashes)")]
    RelativeFile,
}

impl ConnectionUrl {
    /// The engine's family.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The server's name or address as given; empty for SQLite.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's port, the engine's usual one if the URL names none; 0 for SQLite.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.engine {
            Engine::Mysql => 3306,
            Engine::Postgresql => 5432,
            Engine::Sqlite => 0,
        })
    }

    /// The user, decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, decoded.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database's name, or the SQLite file's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Engine and driver as given, such as `mysql+pymysql`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The port that the URL names, if it names one.
    pub fn named_port(&self) -> Option<u16> {
        self.port
    }

    /// The decoded value of a parameter after the question mark, such as `ssl_ca`.
    pub fn parameter(&self, name: &str) -> Option<Secret> {
        let query = self.query.as_ref()?;
        let mut pairs = url::form_urlencoded::parse(query.expose().as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| Secret::new(value))
    }

    /// The same URL with another password.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The same server and login with another database.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same login and database on another server. A socket of this one is not taken along.
    #[must_use]
    pub fn with_server(mut self, host: impl Into<String>, port: u16) -> Self {
        self.host = host.into();
        self.port = Some(port);
        self.query = self.query.take().map(|query| {
            let pairs = url::form_urlencoded::parse(query.expose().as_bytes());
            let kept = pairs.filter(|(key, _)| key != "unix_socket");
            Secret::new(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish())
        });
        self
    }

    /// The same URL with another user, password, or both.
    #[must_use]
    pub fn with_login(mut self, user: &Option<String>, password: &Option<Secret>) -> Self {
        self.user = user.clone().or(self.user);
        self.password = password.clone().or(self.password);
        self
    }

    /// The same database through a relay on this machine at `port`, which knows no encryption.
    #[must_use]
    pub fn at_relay(mut self, port: u16) -> Self {
        let is_open = |name: &str| !name.starts_with("ssl") && !matches!(name, "unix_socket" | "gssencmode");
        let query = self.query.as_ref().map(|query| {
            let pairs = query.expose().split('&').filter(|pair| is_open(pair.split('=').next().unwrap_or_default()));
            pairs.collect::<Vec<_>>().join("&")
        });
        self.query = query.filter(|query| !query.is_empty()).map(Secret::new);
        self.host = "127.0.0.1".to_owned();
        self.port = Some(port);
        self
    }

    /// What stands after the question mark, as it is written.
    pub fn query(&self) -> Option<&Secret> {
        self.query.as_ref()
    }

    /// The server: host and port; the directory of an SQLite file.
    pub fn server(&self) -> String {
        match self.engine {
            Engine::Sqlite => self.directory().to_owned(),
            Engine::Mysql | Engine::Postgresql => format!("{}:{}", self.host, self.port()),
        }
    }

    /// Whether both lead to the same server, as far as the texts tell: engine, host, port and socket agree; for
    /// SQLite files: the directory.
    pub fn same_server(&self, other: &Self) -> bool {
        self.engine == other.engine
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
            && self.parameter("unix_socket") == other.parameter("unix_socket")
            && (self.engine != Engine::Sqlite || self.directory() == other.directory())
    }

    /// The directory of an SQLite file.
    fn directory(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// Whether both lead to the same database, whoever logs in: engine, host, port and name agree.
    pub fn same_database(&self, other: &Self) -> bool {
        self.engine == other.engine
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
            && self.name == other.name
    }

    /// The URL as an OpenStack service reads it, with the driver named and the password in it.
    pub fn for_service(&self) -> Secret {
        let scheme = match self.scheme.as_str() {
            "mysql" | "mariadb" => "mysql+pymysql",
            "mariadb+pymysql" => "mysql+pymysql",
            "postgres" | "postgresql" => "postgresql+psycopg2",
            named => named,
        };
        Secret::new(self.render(scheme, true))
    }

    /// Whether the URL as a service reads it holds a percent sign, which some releases cannot read
    /// (keystone 2023.1: alembic takes it for an interpolation).
    pub fn has_percent_sign(&self) -> bool {
        self.for_service().expose().contains('%')
    }

    fn render(&self, scheme: &str, open: bool) -> String {
        if self.engine == Engine::Sqlite {
            return format!("{scheme}:///{}", self.name);
        }
        let mut text = format!("{scheme}://");
        if let Some(user) = &self.user {
            text.extend(utf8_percent_encode(user, USERINFO));
            if let Some(password) = &self.password
                && open
            {
                text.push(':');
                text.extend(utf8_percent_encode(password.expose(), USERINFO));
            }
            text.push('@');
        }
        text.push_str(&self.host);
        if let Some(port) = self.port {
            text.push_str(&format!(":{port}"));
        }
        text.push('/');
        text.push_str(&self.name);
        if let Some(query) = &self.query
            && open
        {
            text.push('?');
            text.push_str(query.expose());
        }
        text
    }
}

impl FromStr for ConnectionUrl {
    type Err = ConnectionUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let parts = Parts::of(text)?;
        let scheme = parts.scheme.to_ascii_lowercase();
        let engine = match scheme.as_str() {
            "mysql" | "mysql+pymysql" | "mysql+mysqldb" | "mariadb" | "mariadb+pymysql" => Engine::Mysql,
            "postgres" | "postgresql" | "postgresql+psycopg2" => Engine::Postgresql,
            "sqlite" => Engine::Sqlite,
            _ => return Err(ConnectionUrlError::Engine { scheme }),
        };
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(|text| text.into_owned())
                .map_err(|_| ConnectionUrlError::Encoding)
        };
        if engine == Engine::Sqlite {
            // SQLAlchemy: three slashes and a relative path, or four and an absolute one.
            let name = decode(parts.path.unwrap_or_default())?;
            if !name.starts_with('/') {
                return Err(ConnectionUrlError::RelativeFile);
            }
            return Ok(Self {
                engine,
                scheme,
                user: None,
                password: None,
                host: String::new(),
                port: None,
                name,
                query: None,
            });
        }
        let host = Some(parts.host).filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| ConnectionUrlError::NoHost { scheme: scheme.clone() })?.to_owned();
        let port = parts.port.filter(|port| !port.is_empty()).map(str::parse).transpose();
        let port = port.map_err(|_| ConnectionUrlError::Malformed(url::ParseError::InvalidPort))?;
        let name = decode(parts.path.unwrap_or_default())?;
        if name.is_empty() {
            return Err(ConnectionUrlError::NoDatabase);
        }
        if name.contains('/') {
            return Err(ConnectionUrlError::NestedDatabase);
        }
        let user = parts.user.filter(|user| !user.is_empty()).map(decode).transpose()?;
        let password = parts.password.map(decode).transpose()?.map(Secret::new);
        Ok(Self { engine, scheme, user, password, host, port, name, query: parts.query.map(Secret::new) })
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.render(&self.scheme, false))
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> ConnectionUrl {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_url_is_shown_without_its_password_and_query() {
        let url = parse("mysql+pymysql://nova:s3cret@db.example:3307/nova_api?charset=utf8&password=also");
        assert_eq!(url.to_string(), "mysql+pymysql://nova@db.example:3307/nova_api");
        assert!(!format!("{url:?}").contains("s3cret") && !format!("{url:?}").contains("also"));
    }

    #[test]
    fn the_driver_is_named_for_the_service_and_the_query_kept() {
        assert_eq!(
            parse("mysql://k:p@10.0.0.5/keystone?charset=utf8").for_service().expose(),
            "mysql+pymysql://k:p@10.0.0.5/keystone?charset=utf8"
        );
        assert_eq!(parse("postgresql://k@h/k").for_service().expose(), "postgresql+psycopg2://k@h/k");
        assert_eq!(parse("sqlite:////var/lib/k.db").for_service().expose(), "sqlite:////var/lib/k.db");
    }

    #[test]
    fn parameters_are_decoded_and_an_absent_port_is_told_from_the_usual_one() {
        let url = parse("mysql://k@h/k?charset=utf8&ssl_ca=%2Fetc%2Fca.pem");
        assert_eq!(url.parameter("ssl_ca").as_ref().map(Secret::expose), Some("/etc/ca.pem"));
        assert!(url.parameter("ssl_cert").is_none());
        assert_eq!((url.scheme(), url.port(), url.named_port()), ("mysql", 3306, None));
    }

    #[test]
    fn a_password_with_reserved_characters_makes_a_percent_sign() {
        assert!(parse("mysql://k@h/k").with_password(Secret::new("p@ss")).has_percent_sign());
        assert!(!parse("mysql://k@h/k").with_password(Secret::new("pass-1_2.3~4")).has_percent_sign());
    }

    #[test]
    fn a_url_that_leads_nowhere_says_what_is_missing() {
        let cases = [
            ("keystone", "not a URL"),
            ("oracle://u@h/d", "not supported"),
            ("mysql:///keystone", "no host"),
            ("mysql://u@h", "no database"),
            ("mysql://u@h/", "no database"),
            ("mysql://u@h/a/b", "more than a database"),
            ("mysql://%ff@h/a", "not UTF-8"),
            ("sqlite:///relative.db", "not absolute"),
            ("mysql://u@h/d and more", "one word"),
            ("mysql://u:p@ss@h/d", "%40"),
            ("mysql://u@h:33o6/d", "port"),
            ("mysql://u@[::1/d", "IPv6"),
            ("://u@h/d", "not a URL"),
        ];
        for (text, expected) in cases {
            let message = text.parse::<ConnectionUrl>().expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_password_ends_where_the_services_let_it_end() {
        for (text, password) in [
            ("mysql+pymysql://nova:pa#ss@h/nova", "pa#ss"),
            ("mysql+pymysql://nova:p/a?s:s@h/nova", "p/a?s:s"),
            ("mysql+pymysql://nova:p%40%23@h/nova?charset=utf8", "p@#"),
            ("mysql+pymysql://nova:a+b@h/nova", "a+b"),
            ("mysql+pymysql://nova:@h/nova", ""),
        ] {
            let url = parse(text);
            let parts = (url.user(), url.host(), url.name(), url.password().map(Secret::expose));
            assert_eq!(parts, (Some("nova"), "h", "nova", Some(password)), "{text}");
        }
        let url = parse("mysql://u:p@[2001:db8::1]:3307/d?ssl_ca=/a#b");
        assert_eq!((url.host(), url.port(), url.name()), ("[2001:db8::1]", 3307, "d"));
        assert_eq!(url.parameter("ssl_ca").as_ref().map(Secret::expose), Some("/a#b"));
    }

    #[test]
    fn through_a_relay_the_login_and_the_character_set_stay_and_encryption_goes() {
        let url = parse("mysql+pymysql://k:p@db:3307/k?charset=utf8&ssl_ca=/ca.pem&unix_socket=/run/m.sock");
        assert_eq!(url.at_relay(4000).for_service().expose(), "mysql+pymysql://k:p@127.0.0.1:4000/k?charset=utf8");
        let url = parse("postgresql://k:p@db/k?sslmode=require").at_relay(4000);
        assert_eq!(url.for_service().expose(), "postgresql+psycopg2://k:p@127.0.0.1:4000/k");
    }

    #[test]
    fn the_same_database_is_recognised_whoever_logs_in() {
        assert!(parse("mysql://a:1@DB/k").same_database(&parse("mysql+pymysql://b:2@db:3306/k?charset=utf8")));
        assert!(!parse("mysql://a@db/k").same_database(&parse("mysql://a@db/n")));
        assert!(!parse("mysql://a@db:3307/k").same_database(&parse("mysql://a@db/k")));
    }

    proptest! {
        #[test]
        fn any_user_and_password_survive_the_way_to_the_service(user in "\\PC{1,20}", password in "\\PC{0,20}") {
            let url = parse("mysql://h/d");
            let url = ConnectionUrl { user: Some(user.clone()), ..url }.with_password(Secret::new(password.clone()));
            let back = parse(url.for_service().expose());
            prop_assert_eq!(back.user(), Some(user.as_str()));
            prop_assert_eq!(back.password().map_or("", Secret::expose), password.as_str());
        }

        #[test]
        fn no_text_makes_the_reader_panic_or_repeat_a_password(text in "\\PC{0,60}") {
            if let Err(error) = format!("mysql://u:Secret99@{text}").parse::<ConnectionUrl>() {
                prop_assert!(!error.to_string().contains("Secret99"));
            }
        }
    }
}
