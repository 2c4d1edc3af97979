//! The table `leapfrog_state` in a database of leapfrog's own: made, read, written.
//!
//! Each service's login writes the lines of its own databases, so that no login is needed that the cloud file does not have.
//! For SQLite the database is a file beside the service's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::Utf8Path;

use super::book::Changes;
use super::mark::Mark;
use crate::database::{self, ConnectError, Connection, Purpose, QueryError, connect, connect_for, text};
use crate::model::{ConnectionUrl, DatabaseId, Engine};

/// The table's name.
pub const TABLE: &str = "leapfrog_state";

/// How many times longer than connecting all of it may take.
const PATIENCE: u32 = 3;

/// A database of leapfrog's own, as one login reaches it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where it is.
    pub url: ConnectionUrl,
    /// The databases whose lines are there.
    pub databases: BTreeSet<DatabaseId>,
    /// One of them, through which it can be made.
    beside: ConnectionUrl,
}

/// Why the table cannot be had, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StagesError {
    /// The user may not make it, or not write it.
    #[error("make the table {TABLE} in {place}")]
    Lacking {
        /// The database, without a password.
        place: String,
        /// What an administrator of the server can run.
        mend: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// The file cannot be made.
    #[error("make the file {path}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of the table is none of leapfrog's, or of a later version's.
    #[error("read the line of {database} in the table {TABLE} ({place})")]
    Damaged {
        /// The database that the line is about.
        database: String,
        /// Where the table is.
        place: String,
    },
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not do it.
    #[error("read or write the table {TABLE}")]
    Query(#[from] QueryError),
    /// No answer in time.
    #[error("read or write the table {TABLE} in {place} within {} s", after.as_secs())]
    Slow {
        /// Where the table is.
        place: String,
        /// How long was waited.
        after: Duration,
    },
}

impl StagesError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Lacking { mend, .. } => format!("let an administrator of the server run: {mend}"),
            Self::File { .. } => "let this user write into the directory of the service's file".to_owned(),
            Self::Damaged { database, .. } => format!(
                "it may be a later leapfrog's: use that one; or remove the line: DELETE FROM {TABLE} WHERE database_id = \
                 '{database}'"
            ),
            Self::Connect(error) => error.advice().to_owned(),
            Self::Query(error) => error.advice().to_owned(),
            Self::Slow { .. } => "find the session that holds the table locked, then try again".to_owned(),
        }
    }
}

/// Where the lines of `databases` are: in the database `name` on the server of each.
pub fn places<'d>(databases: impl IntoIterator<Item = (&'d DatabaseId, &'d ConnectionUrl)>, name: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (id, url) in databases {
        let same = |place: &&mut Place| place.beside.same_server(url) && place.beside.user() == url.user();
        if let Some(place) = places.iter_mut().find(same) {
            place.databases.insert(id.clone());
            continue;
        }
        let own = match url.engine() {
            Engine::Sqlite => {
                let directory = Utf8Path::new(url.name()).parent().unwrap_or(Utf8Path::new("/"));
                url.clone().with_name(directory.join(format!("{name}.sqlite")))
            }
            Engine::Mysql | Engine::Postgresql => url.clone().with_name(name),
        };
        places.push(Place { url: own, databases: [id.clone()].into(), beside: url.clone() });
    }
    places
}

/// The marks of a cloud's databases in a place; nothing if there is no such table that this user may read.
///
/// # Errors
/// The server cannot be asked, or a line cannot be read.
pub async fn read(
    place: &Place,
    cloud: &str,
    timeout: Duration,
) -> Result<Option<BTreeMap<DatabaseId, Mark>>, StagesError> {
    in_time(place, timeout, async {
        let mut connection = match connect(&place.url, timeout).await {
            Ok(connection) => connection,
            Err(error) if is_absent(place, &error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let query = format!(
            "SELECT database_id, series, stage, heads, since, run, by_whom, leapfrog FROM {TABLE} WHERE cloud = {}",
            text(connection.engine(), cloud)
        );
        let rows = connection.rows(&query).await;
        connection.close().await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(QueryError::NoTable { .. } | QueryError::Privilege { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut marks = BTreeMap::new();
        for row in rows {
            let cell = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            let Some((id, mark)) = mark(&cell) else {
                return Err(StagesError::Damaged { database: cell(0), place: place.url.to_string() });
            };
            if place.databases.contains(&id) {
                marks.insert(id, mark);
            }
        }
        Ok(Some(marks))
    })
    .await
}

/// A line of the table.
fn mark(cell: &impl Fn(usize) -> String) -> Option<(DatabaseId, Mark)> {
    let mark = Mark {
        series: cell(1).parse().ok()?,
        stage: cell(2).parse().ok()?,
        heads: serde_json::from_str(&cell(3)).ok()?,
        since: cell(4).parse().ok()?,
        run: cell(5).parse().ok()?,
        by: cell(6),
        leapfrog: cell(7),
    };
    Some((cell(0).parse().ok()?, mark))
}

/// Whether that a place cannot be opened may mean that it was never made. MySQL does not tell a user without rights on a
/// database whether it is there.
fn is_absent(place: &Place, error: &ConnectError) -> bool {
    match error {
        ConnectError::NoDatabase { .. } | ConnectError::Privilege { .. } => true,
        ConnectError::File { .. } => !Utf8Path::new(place.url.name()).exists(),
        _ => false,
    }
}

/// Makes database and table where they are not there, so that every place can be read and written.
///
/// # Errors
/// By place, why it cannot.
pub async fn make(places: &[Place], timeout: Duration) -> Vec<StagesError> {
    let mut left: Vec<&Place> = places.iter().collect();
    let mut failed = Vec::new();
    // The login that owns the database may be a later one, and lets the others in.
    for _ in 0..2 {
        let mut open = Vec::new();
        failed.clear();
        for place in left {
            let users: Vec<&str> = places
                .iter()
                .filter(|other| other.url.same_server(&place.url))
                .filter_map(|other| other.url.user().filter(|user| place.url.user() != Some(*user)))
                .collect();
            if let Err(error) = in_time(place, timeout, make_one(place, &users, timeout)).await {
                failed.push(error);
                open.push(place);
            }
        }
        left = open;
        if left.is_empty() || left.len() == places.len() {
            break;
        }
    }
    failed
}

async fn make_one(place: &Place, users: &[&str], timeout: Duration) -> Result<(), StagesError> {
    let mut connection = match connect_for(&place.url, Purpose::Change, timeout).await {
        Ok(connection) => connection,
        Err(error) if is_absent(place, &error) => {
            make_database(place, timeout).await?;
            connect_for(&place.url, Purpose::Change, timeout).await?
        }
        Err(error) => return Err(error.into()),
    };
    let made = make_table(&mut connection, users).await;
    let made = match made {
        Err(source @ (QueryError::Privilege { .. } | QueryError::Failed { .. })) => {
            Err(StagesError::Lacking { place: place.url.to_string(), mend: mend(&mut connection, place).await, source })
        }
        other => other.map_err(StagesError::from),
    };
    connection.close().await;
    made
}

async fn make_database(place: &Place, timeout: Duration) -> Result<(), StagesError> {
    let name = place.url.name();
    let statement = match place.url.engine() {
        Engine::Sqlite => {
            let made = tokio::fs::OpenOptions::new().write(true).create(true).truncate(false).open(name).await;
            return made.map(drop).map_err(|source| StagesError::File { path: name.to_owned(), source });
        }
        Engine::Mysql => {
            format!("CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4", database::name(Engine::Mysql, name))
        }
        Engine::Postgresql => format!("CREATE DATABASE {}", database::name(Engine::Postgresql, name)),
    };
    let mut connection = connect_for(&place.beside, Purpose::Change, timeout).await?;
    let made = connection.change(&statement).await;
    let made = match made {
        Err(source @ (QueryError::Privilege { .. } | QueryError::Failed { .. })) => {
            Err(StagesError::Lacking { place: place.url.to_string(), mend: mend(&mut connection, place).await, source })
        }
        other => other.map(drop).map_err(StagesError::from),
    };
    connection.close().await;
    made
}

/// Makes the table unless it is there, and makes sure that this user may write it.
async fn make_table(connection: &mut Connection, users: &[&str]) -> Result<(), QueryError> {
    let engine = connection.engine();
    match connection.rows(&format!("SELECT count(*) FROM {TABLE}")).await {
        Ok(_) => {}
        Err(QueryError::NoTable { .. }) => {
            // The names in the key are ASCII: older servers' keys are short.
            let (name, end) = match engine {
                Engine::Mysql => (" CHARACTER SET ascii COLLATE ascii_bin", " ENGINE=InnoDB"),
                Engine::Postgresql | Engine::Sqlite => ("", ""),
            };
            let statement = format!(
                "CREATE TABLE IF NOT EXISTS {TABLE} (cloud VARCHAR(64){name} NOT NULL, database_id VARCHAR(191){name} NOT \
                 NULL, series VARCHAR(32) NOT NULL, stage VARCHAR(16) NOT NULL, heads TEXT NOT NULL, \
                 since VARCHAR(40) NOT NULL, run VARCHAR(40) NOT NULL, by_whom VARCHAR(255) NOT NULL, \
                 leapfrog VARCHAR(40) NOT NULL, PRIMARY KEY (cloud, database_id)){end}"
            );
            connection.change(&statement).await?;
        }
        Err(error) => return Err(error),
    }
    // PostgreSQL gives a table to whoever makes it alone. Who does not own it cannot pass that on, and need not.
    if engine == Engine::Postgresql {
        for user in users {
            let user = database::name(engine, user);
            let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {user}");
            if connection.change(&grant).await.is_err() {
                break;
            }
        }
    }
    connection.change(&format!("INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE 1 = 0")).await?;
    connection.change(&format!("DELETE FROM {TABLE} WHERE 1 = 0")).await?;
    Ok(())
}

/// What an administrator can run, so that this user has the table.
async fn mend(connection: &mut Connection, place: &Place) -> String {
    let name = database::name(connection.engine(), place.url.name());
    let user = place.url.user().unwrap_or_default();
    match connection.engine() {
        Engine::Mysql => {
            let query = "SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
                         SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";
            let rows = connection.rows(query).await.unwrap_or_default();
            let user = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
            let user = user.unwrap_or_else(|| "CURRENT_USER".to_owned());
            // In a grant an underline stands for any character unless it is escaped.
            let granted = name.replace('_', "\\_");
            format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; GRANT ALL ON {granted}.* TO {user};")
        }
        Engine::Postgresql => {
            let user = database::name(Engine::Postgresql, user);
            format!(
                "CREATE DATABASE {name} OWNER {user}; where {name} is there already, connected to it: GRANT CREATE, USAGE ON \
                 SCHEMA public TO {user}; and where the table is: GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {user};"
            )
        }
        Engine::Sqlite => format!("chown of {} to this user", place.url.name()),
    }
}

/// Writes marks, and removes those that do not hold any more; all of them or none.
///
/// # Errors
/// The server does not do it.
pub async fn write(place: &Place, cloud: &str, changes: &Changes, timeout: Duration) -> Result<(), StagesError> {
    let engine = place.url.engine();
    let own = changes.iter().filter(|(id, _)| place.databases.contains(id));
    let statements: Vec<String> = own.map(|(id, mark)| statement(engine, cloud, id, mark.as_ref())).collect();
    if statements.is_empty() {
        return Ok(());
    }
    in_time(place, timeout, async {
        let mut connection = connect_for(&place.url, Purpose::Change, timeout).await?;
        let written = connection.change(&format!("BEGIN; {}; COMMIT", statements.join("; "))).await;
        // Whatever is open then ends with the connection.
        connection.close().await;
        written.map(drop).map_err(StagesError::from)
    })
    .await
}

fn statement(engine: Engine, cloud: &str, id: &DatabaseId, mark: Option<&Mark>) -> String {
    let text = |word: &str| text(engine, word);
    let (cloud, id) = (text(cloud), text(&id.to_string()));
    let Some(mark) = mark else {
        return format!("DELETE FROM {TABLE} WHERE cloud = {cloud} AND database_id = {id}");
    };
    let heads = serde_json::to_string(&mark.heads).unwrap_or_default();
    let columns = ["series", "stage", "heads", "since", "run", "by_whom", "leapfrog"];
    let values = [
        text(mark.series.as_str()),
        text(mark.stage.as_str()),
        text(&heads),
        text(&mark.since.to_string()),
        text(mark.run.as_str()),
        text(&mark.by.chars().take(255).collect::<String>()),
        text(&mark.leapfrog),
    ];
    let (verb, end) = match engine {
        Engine::Mysql | Engine::Sqlite => ("REPLACE", String::new()),
        Engine::Postgresql => {
            let sets = columns.map(|column| format!("{column} = excluded.{column}")).join(", ");
            ("INSERT", format!(" ON CONFLICT (cloud, database_id) DO UPDATE SET {sets}"))
        }
    };
    format!(
        "{verb} INTO {TABLE} (cloud, database_id, {}) VALUES ({cloud}, {id}, {}){end}",
        columns.join(", "),
        values.join(", ")
    )
}

/// What `work` comes to, unless it takes too long: nobody waits for a table that is locked.
async fn in_time<T>(
    place: &Place,
    timeout: Duration,
    work: impl Future<Output = Result<T, StagesError>>,
) -> Result<T, StagesError> {
    let after = timeout * PATIENCE;
    let done = tokio::time::timeout(after, work).await;
    done.unwrap_or_else(|_| Err(StagesError::Slow { place: place.url.to_string(), after }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ConnectionUrl {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn there_is_one_place_for_each_login_of_a_server() {
        let databases: Vec<(DatabaseId, ConnectionUrl)> = [
            ("glance", "mysql://glance@db/glance"),
            ("keystone", "mysql://keystone@db/keystone"),
            ("nova.api", "mysql://nova@db/nova_api"),
            ("nova.cell0", "mysql://nova@DB:3306/nova_cell0"),
            ("nova.cells.far", "mysql://nova@far/nova"),
            ("placement", "sqlite:////var/lib/placement/placement.db"),
        ]
        .map(|(id, text)| (id.parse().expect("a database"), url(text)))
        .into();
        let places = places(databases.iter().map(|(id, url)| (id, url)), "leapfrog");
        let shown: Vec<(String, usize)> =
            places.iter().map(|place| (place.url.to_string(), place.databases.len())).collect();
        let expected = [
            ("mysql://glance@db/leapfrog", 1),
            ("mysql://keystone@db/leapfrog", 1),
            ("mysql://nova@db/leapfrog", 2),
            ("mysql://nova@far/leapfrog", 1),
            ("sqlite:////var/lib/placement/leapfrog.sqlite", 1),
        ];
        assert_eq!(shown, expected.map(|(url, count)| (url.to_owned(), count)));
    }
}
