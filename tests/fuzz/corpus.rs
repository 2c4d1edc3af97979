//! What is damaged: real outputs, real records, names as they are written, the playbooks themselves, migration scripts.

use std::path::Path;

use leapfrog::lint::RULES;

/// Texts, by what reads them.
pub(crate) struct Corpus {
    pub(crate) outputs: Vec<Vec<u8>>,
    /// Those of the outputs that hold counts of migrations.
    pub(crate) counts: Vec<Vec<u8>>,
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) documents: Vec<Vec<u8>>,
    pub(crate) configurations: Vec<Vec<u8>>,
    pub(crate) scripts: Vec<Vec<u8>>,
}

const NAMES: [&str; 22] = [
    "2023.1/nova/online-data-migrations@cell1",
    "2025.1/keystone/verify-heads",
    "2023.2/nova/db-sync@cell0",
    "nova.cells.cell1",
    "nova.api",
    "keystone",
    "20261122-031502-7f3a",
    "2024.1",
    "zed",
    "quay.io/openstack.kolla/nova-api:2023.1-ubuntu-jammy",
    "127.0.0.1:5000/openstack:2023.1",
    "registry.example:5000/a/b/c@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "mysql+pymysql://nova:p%40ss%2Fw0rd@10.0.0.5:3306/nova?charset=utf8",
    "mysql+pymysql://nova@[2001:db8::1]:3306/nova?ssl_ca=/etc/ssl/ca.pem&charset=utf8mb4",
    "postgresql+psycopg2://keystone:x@db/keystone",
    "postgresql://postgres@127.0.0.1:55432/placement",
    "sqlite:////var/lib/keystone/keystone.db",
    "sqlite://",
    "mysql://u:p@h/d?unix_socket=/run/mysqld/mysqld.sock",
    "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0?{query}",
    "http://a:b@c:99999/d#e",
];

impl Corpus {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut outputs = files(&root.join("tests/fixtures/cli-output"));
        outputs.extend(files(&root.join("tests/fixtures/output")));
        outputs.retain(|output| !output.is_empty());
        let events = std::fs::read_to_string(root.join("docs/events.md")).expect("the document of events");
        let records = events.lines().filter(|line| line.starts_with("{\"format\":1")).map(|line| format!("{line}\n"));
        let counts = outputs.iter().filter(|output| {
            let text = String::from_utf8_lossy(output);
            text.contains("| Migration") || text.contains("  Migration") || text.contains("() migrated ")
        });
        Self {
            counts: counts.cloned().collect(),
            outputs,
            records: records.map(String::into_bytes).collect(),
            names: NAMES.iter().map(|name| name.as_bytes().to_vec()).collect(),
            documents: files(&root.join("playbooks")),
            configurations: files(&root.join("tests/contact/samples")).into_iter().map(configured).collect(),
            scripts: RULES.iter().flat_map(|rule| [rule.hit, rule.near_miss]).map(script).collect(),
        }
    }
}

/// The files of a directory, by name.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// A migration script that does this, once itself and once for each entry of a list.
fn script(body: &str) -> Vec<u8> {
    let body = body.replace('\n', "\n    ");
    let looped = body.replace('\n', "\n    ");
    format!(
        "\"\"\"Title\n\nRevises: b\n\"\"\"\nimport itertools\n\nfrom alembic import op\nimport sqlalchemy as sa\n\nrevision = 'a'\n\
         down_revision = ('b', 'c')\nTABLES = {{'a': 'x', 'b': 'y'}}\n\n\ndef _one(table, column='c', *others):\n    \
         op.drop_column(table, f'{{column}}_id')\n\n\ndef upgrade():\n    {body}\n    for table, column in TABLES.items():\n        \
         {looped}\n        _one('%s_x' % table, column)\n    op.execute('ALTER TABLE a MODIFY b ENUM(\\'x\\') NOT NULL DEFAULT 1, \
         DROP c; DELETE FROM d')\n"
    )
    .into_bytes()
}

/// A service's sample configuration whose options say something, and lead to each other.
fn configured(sample: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(sample).expect("UTF-8");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if line.starts_with("#connection = ") {
            *line = "connection = mysql+pymysql://nova:Secret99@${DEFAULT.host}/$name\n  ?a=$$b\nname = '$other'\nother = nova".into();
        }
    }
    lines.push("[DEFAULT]\nhost = 10.0.0.5\ndebug: \"$host\"".into());
    lines.join("\n").into_bytes()
}
