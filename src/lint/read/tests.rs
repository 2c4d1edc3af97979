use proptest::prelude::*;

use super::*;

/// The operations of a script with this `upgrade`, a line each.
fn told(body: &str) -> Vec<String> {
    told_of(&format!("def upgrade():\n    {}\n", body.trim().replace('\n', "\n    ")))
}

fn told_of(script: &str) -> Vec<String> {
    let imports =
        "from alembic import op\nimport sqlalchemy as sa\nimport itertools\nfrom neutron.db import migration\n";
    let read = read(&format!("{imports}{script}"));
    read.iter().map(line).collect()
}

fn line(operation: &Operation) -> String {
    let table = operation.table.as_deref().unwrap_or("?");
    let column = operation.change.column().map(|column| format!(".{column}")).unwrap_or_default();
    let on = match operation.engines {
        Engines::ALL => String::new(),
        engines => {
            let names = [crate::model::Engine::Mysql, crate::model::Engine::Postgresql, crate::model::Engine::Sqlite];
            let names: Vec<String> =
                names.into_iter().filter(|engine| engines.contains(*engine)).map(|engine| engine.to_string()).collect();
            format!(" on {}", names.join(", "))
        }
    };
    let guarded = if operation.guarded { " if" } else { "" };
    let rows = if operation.for_each_row { " for each row" } else { "" };
    let why = match &operation.change {
        Change::NotUnderstood { why } => format!(": {why}"),
        _ => String::new(),
    };
    let certainty = operation.certainty.word();
    format!("{} {table}{column}{on}{guarded}{rows} ({certainty}){why}", operation.change.verb())
}

#[test]
fn what_stands_in_a_call_is_literal() {
    assert_eq!(
        told(
            "op.drop_column('subnets', 'in_use')\nwith op.batch_alter_table('a') as b:\n    b.add_column(sa.Column('c'))"
        ),
        ["drops a column of subnets.in_use (literal)", "adds a column to a.c (literal)"]
    );
}

#[test]
fn loops_over_lists_are_walked_once_for_each_entry_and_conditions_on_it_hold() {
    let nova = "for prefix in ('', 'shadow_'):\n    with op.batch_alter_table(prefix + 'instances') as b:\n        b.add_column(sa.Column('compute_id'))\n        if not prefix:\n            b.create_index('i', ('compute_id',))";
    assert_eq!(
        told(nova),
        [
            "adds a column to instances.compute_id (folded)",
            "creates an index on instances (folded)",
            "adds a column to shadow_instances.compute_id (folded)"
        ]
    );
    assert_eq!(
        told_of(
            "T = {'a': 'x', 'b': 'y'}\ndef upgrade():\n    for t, c in T.items():\n        op.drop_column(t, f'{c}_id')\n"
        ),
        ["drops a column of a.x_id (folded)", "drops a column of b.y_id (folded)"]
    );
}

#[test]
fn what_is_done_on_one_engine_is_found_for_it_alone() {
    assert_eq!(
        told(
            "if op.get_bind().dialect.name != 'mysql':\n    return\nop.execute('ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4')"
        ),
        ["converts the character set of t on mysql (literal)"]
    );
    assert_eq!(
        told(
            "bind = op.get_bind()\nif bind.engine.name == 'sqlite':\n    op.drop_column('a', 'b')\nelse:\n    op.drop_column('a', 'c')"
        ),
        ["drops a column of a.b on sqlite (literal)", "drops a column of a.c on mysql, postgresql (literal)"]
    );
}

#[test]
fn functions_of_the_script_are_entered_and_those_of_others_known_or_not_understood() {
    assert_eq!(
        told_of(
            "def add(t, c='x'):\n    op.add_column(t, sa.Column(c, sa.Integer))\ndef upgrade():\n    add('a')\n    add('b', c='y')\n"
        ),
        ["adds a column to a.x (folded)", "adds a column to b.y (folded)"]
    );
    assert_eq!(
        told("migration.remove_foreign_keys('t', fks)\nmigration.create_foreign_keys('t', fks)"),
        ["drops a constraint of t (helper)", "adds a foreign key to t (helper)"]
    );
    assert_eq!(
        told("migration.create_table_if_not_exists('t', sa.Column('id'))\nmigration.do_it('t')"),
        [
            "creates table t (helper)",
            "does something to ? (opaque): it calls neutron.db.migration.do_it, of another module, which is not read"
        ]
    );
}

#[test]
fn what_is_not_followed_is_never_passed_over() {
    let opaque = |script: &str| told_of(script).into_iter().filter(|line| line.contains("(opaque)")).count();
    for script in [
        "class S:\n    def run(self):\n        op.drop_table('t')\ndef upgrade():\n    S().run()\n",
        "def upgrade():\n    op.get_bind().run_callable(drop)\n",
        "def upgrade():\n    op.get_bind().executemany('DELETE FROM t', [])\n",
        "def upgrade():\n    op.get_context().impl.drop_table(t)\n",
        "def upgrade():\n    op.alter_column('t', 'c', **options())\n",
        "def upgrade():\n    session = sa.orm.Session(bind=op.get_bind())\n    session.bulk_update_mappings(t, [])\n",
    ] {
        assert_ne!(opaque(script), 0, "{script}\n{:?}", told_of(script));
    }
    assert_eq!(told("op.get_bind().execute(statement=sa.text('DROP TABLE t'))"), ["drops table t (literal)"]);
    assert_eq!(told("op.drop_column(**{'table_name': 't', 'column_name': 'c'})"), ["drops a column of t.c (folded)"]);
}

#[test]
fn tables_that_a_chain_of_lists_names_are_dropped_if_they_are_there() {
    let script = "A = ['a', 'b']\nT = itertools.chain(A, ['c'])\ndef upgrade():\n    known = sa.inspect(op.get_bind()).get_table_names()\n    left = list(T)\n    while left:\n        for t in (t for t in left if t in known):\n            op.drop_table(t)\n        left = []\n";
    assert_eq!(
        told_of(script),
        ["drops table a if (folded)", "drops table b if (folded)", "drops table c if (folded)"]
    );
}

#[test]
fn rows_that_are_changed_one_by_one_are_told_from_rows_that_are_changed_at_once() {
    let script = "t = sa.Table('ports', sa.MetaData())\ndef upgrade():\n    session = sa.orm.Session(bind=op.get_bind())\n    op.execute(t.delete())\n    for row in session.query(t).all():\n        if not row[0]:\n            continue\n        session.execute(t.update().values(a=row[0]).where(t.c.id == row[1]))\n    session.commit()\n";
    assert_eq!(told_of(script), ["deletes rows of ports (folded)", "updates rows of ports if for each row (folded)"]);
}

#[test]
fn a_list_that_is_made_of_rows_is_walked_once_for_each_of_them() {
    let script = "t = sa.Table('ports', sa.MetaData())\ndef upgrade():\n    session = sa.orm.Session(bind=op.get_bind())\n    values = []\n    for row in session.query(t):\n        values.append({'id': row[0]})\n    for value in values:\n        session.execute(t.update().values(a=value['id']))\n    for one in [row[0] for row in session.query(t)]:\n        session.execute(t.delete())\n";
    assert_eq!(
        told_of(script),
        ["updates rows of ports if for each row (folded)", "deletes rows of ports if for each row (folded)"]
    );
}

#[test]
fn a_foreign_key_of_a_column_is_an_operation_of_its_own() {
    assert_eq!(
        told("op.add_column('a', sa.Column('b', sa.Integer, sa.ForeignKey('c.id')))"),
        ["adds a column to a.b (literal)", "adds a foreign key to a (literal)"]
    );
}

#[test]
fn what_is_not_understood_is_told() {
    assert_eq!(told("op.execute(text)"), ["does something to ? (opaque): it runs a statement whose text is not known"]);
    assert_eq!(
        told("match x:\n    case 1:\n        op.drop_table('t')"),
        [
            "does something to ? (opaque): a match statement is not followed",
            "does something to ? if (opaque): when `op.drop_table` is called was not found out"
        ]
    );
    assert_eq!(
        told_of("def downgrade():\n    op.drop_table('t')\n"),
        ["does something to ? (opaque): it has no function `upgrade`"]
    );
    assert_eq!(
        told("op.drop_table('t')\n) oops"),
        ["does something to ? (opaque): this is no Python that is understood here"]
    );
    assert_eq!(
        told_of(
            "def upgrade():\n    op.add_column('a', sa.Column('b'))\ndef downgrade():\n    op.drop_column('a', 'b')\n"
        ),
        ["adds a column to a.b (literal)"]
    );
}

#[test]
fn what_a_loop_changes_is_not_what_it_was_before_it() {
    assert_eq!(
        told(
            "seen = []\nfirst = True\nfor row in op.get_bind().execute('SELECT 1'):\n    if row in seen:\n        \
             op.execute('DELETE FROM a')\n    seen.append(row)\n    if not first:\n        op.execute('DELETE FROM b')\n    \
             first = False"
        ),
        ["deletes rows of a if for each row (folded)", "deletes rows of b if for each row (folded)"]
    );
    assert_eq!(
        told(
            "first, seen, left = True, [], ['a']\nwhile left:\n    if not first:\n        op.drop_table('b')\n    \
             first = False\n    for t in left:\n        if t in seen:\n            op.drop_table('c')\n        \
             seen.append(t)\n        op.drop_table(t)\n    left = x()"
        )[..3],
        ["drops table b if (literal)", "drops table c if (folded)", "drops table a if (folded)"]
    );
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let names: Vec<String> =
        imports("import os, a.b as c\nfrom x.y import (z as w, v)\ndef upgrade():\n    from m import n\n")
            .into_iter()
            .map(|(name, place)| format!("{name} {}", place.line))
            .collect();
    assert_eq!(names, ["os 1", "a.b 1", "x.y.z 2", "x.y.v 2", "m.n 4"]);
}

#[test]
fn comments_and_layout_are_no_part_of_what_a_script_says() {
    let one = "\"\"\"Title\"\"\"\n# x\ndef upgrade():\n    \"\"\"Why\"\"\"\n    op.f('a',\n         'b')\n";
    assert_eq!(shape(one), shape("def upgrade():\n    op.f('a', 'b')  # y\n"));
    assert_ne!(shape(one), shape("def upgrade():\n    op.f('a', 'c')\n"));
    assert_ne!(shape("a = b + c"), shape("a = b - c"));
}

/// Scripts that would take for ever, or fill the memory, if they were followed to their ends.
#[test]
fn what_grows_without_end_is_cut_off_and_said_not_to_be_understood() {
    let repeated = |line: &str, number: usize| format!("{line}\n").repeat(number);
    let grown = |line: &str| format!("s = 'aaaaaaaa'\n{}op.execute(s)", repeated(line, 64));
    let loops: String = (0..12).map(|depth| format!("{}for x{depth} in l:\n", "    ".repeat(depth))).collect();
    let bodies = [
        grown("s = s + s"),
        grown("s = f'{s}{s}{s}'"),
        grown("s = '%s%s%s' % (s, s, s)"),
        grown("s = '{0}{0}{0}'.format(s)"),
        grown("s = s.join([s, s, s, s])"),
        format!("op.execute(\"{}\")", "UPDATE t SET a = 1;".repeat(5_000)),
        repeated("op.drop_table('a')", 5_000),
        format!("op.{}b()", "a().".repeat(5_000)),
        format!("l = ['a']\n{}for t in l:\n    op.drop_table(t)", repeated("l = l + l", 64)),
        format!("l = {:?}\n{loops}{}op.drop_table('a')", vec!["a"; 100], "    ".repeat(12)),
    ];
    for body in bodies {
        let indented = body.trim().replace('\n', "\n    ");
        let found = read(&format!("from alembic import op\ndef upgrade():\n    {indented}\n"));
        assert!(found.len() <= 4_001, "{} operations", found.len());
        assert!(found.iter().any(|one| one.certainty == Certainty::Opaque), "{}: {found:?}", &body[..60]);
    }
}

#[test]
fn what_changes_schemas_by_other_ways_is_said_not_to_be_followed() {
    assert_eq!(
        told(
            "sa.Index('i', t.c.d).create(op.get_bind())\nx = max(1, 2)\nx.create_all(op.get_bind())\nx.drop_table('a')\n\
             do_it(op)\nassert len('a')\ngetattr(op, 'drop_table')('a')\nlist(map(op.drop_table, x))"
        ),
        [
            "creates an index on ? (opaque)",
            "does something to ? (opaque): `create_all` of something that is not known",
            "does something to ? (opaque): `drop_table` of something that is not known",
            "does something to ? (opaque): it calls do_it, which neither the script nor Python has",
            "does something to ? (opaque): it calls something that is not known",
            "does something to ? (opaque): it hands alembic.op.drop_table to map",
        ]
    );
}

/// The operations of a script of sqlalchemy-migrate with this body, a line each.
fn told_of_migrate(body: &str) -> Vec<String> {
    let text = format!(
        "import migrate\nfrom migrate.changeset import constraint\nfrom sqlalchemy import *\nfrom keystone.common.sql import \
         upgrades\ndef upgrade(migrate_engine):\n    meta = MetaData()\n    meta.bind = migrate_engine\n    \
         t = Table('t', meta, autoload=True)\n    {}\n",
        body.trim().replace('\n', "\n    ")
    );
    read(&text).iter().map(line).collect()
}

#[test]
fn tables_of_sqlalchemy_migrate_make_and_alter_themselves() {
    assert_eq!(
        told_of_migrate(
            "u = Table('u', meta, Column('id', Integer), Column('t_id', ForeignKey(t.c.id)))\nfor table in [u]:\n    try:\n        \
             table.create()\n    except Exception:\n        raise\nt.create_column(Column('a', ForeignKey(u.c.id)))\nt.c.b.drop()\n\
             t.c['c'].alter(type=String(64), nullable=False)\ngetattr(t.c, 'd').alter(name='e')\nt.drop_column('f')\n\
             Column('g', Text()).create(t)\nt.rename('v')\nt.drop()"
        ),
        [
            "creates table u (folded)",
            "adds a column to t.a (folded)",
            "adds a foreign key to t (folded)",
            "drops a column of t.b (folded)",
            "alters a column of t.c (folded)",
            "alters a column of t.d (folded)",
            "drops a column of t.f (folded)",
            "adds a column to t.g (folded)",
            "renames table t (folded)",
            "drops table v (folded)",
        ]
    );
    assert_eq!(
        told_of_migrate("meta.tables['x'].create_column(c)\nmeta.create_all()\nt.c.a.create()"),
        [
            "adds a column to x (opaque)",
            "does something to ? if (opaque): which tables `create_all` makes is not known",
            "does something to ? (opaque): `create` of something that is not known",
        ]
    );
}

#[test]
fn indexes_and_constraints_of_sqlalchemy_migrate_know_their_table_by_its_columns() {
    assert_eq!(
        told_of_migrate(
            "Index('i', t.c.a, unique=True).create(migrate_engine)\nIndex('i', t.c.a).drop(migrate_engine)\n\
             u = Table('u', meta, autoload=True)\nmigrate.UniqueConstraint('a', 'b', table=t, name='n').create()\n\
             migrate.ForeignKeyConstraint(columns=[t.c.a], refcolumns=[u.c.id], name='f').drop()\n\
             constraint.PrimaryKeyConstraint(t.c.a).create()\nfor index in t.indexes:\n    if index.name == 'x':\n        index.drop()"
        ),
        [
            "creates an index on t (folded)",
            "drops an index of t (folded)",
            "adds a unique constraint to t (folded)",
            "drops a constraint of t (folded)",
            "adds a primary key to t (folded)",
            "drops an index of t if (folded)",
        ]
    );
}

#[test]
fn rows_and_statements_of_sqlalchemy_migrate_are_found() {
    assert_eq!(
        told_of_migrate(
            "t.update().where(t.c.a == 1).values(b=2).execute()\nconn = migrate_engine.connect()\nconn.execute(t.delete())\n\
             for row in t.select().execute():\n    migrate_engine.execute(t.insert(), {})\nDDL('DROP TABLE x').execute(migrate_engine)\n\
             text('UPDATE y SET a = 1').execute()"
        ),
        [
            "updates rows of t (folded)",
            "deletes rows of t (folded)",
            "inserts rows into t if for each row (folded)",
            "drops table x (literal)",
            "updates rows of y (literal)",
        ]
    );
}

#[test]
fn what_a_name_stands_for_on_each_engine_is_known_after_the_condition() {
    assert_eq!(
        told_of_migrate(
            "if upgrades.USE_TRIGGERS:\n    if migrate_engine.name == 'postgresql':\n        sql = 'DROP TABLE a'\n    \
             elif migrate_engine.name == 'sqlite':\n        sql = 'DROP TABLE b'\n    else:\n        sql = 'DROP TABLE c'\n    \
             migrate_engine.execute(sql)\nfor name in ['d', 'e']:\n    if migrate_engine.name == 'mysql' and name == 'd':\n        \
             continue\n    Index(name, t.c.a).create()"
        ),
        [
            "drops table a on postgresql if (literal)",
            "drops table b on sqlite if (literal)",
            "drops table c on mysql if (literal)",
            "creates an index on t on postgresql, sqlite (folded)",
            "creates an index on t (folded)",
        ]
    );
}

#[test]
fn what_a_name_stands_for_after_a_condition_that_is_not_known_is_not_known() {
    assert_eq!(
        told("if x():\n    t = 'a'\nelse:\n    t = 'b'\nop.drop_table(t)")[1..],
        ["drops table ? (opaque)".to_owned()]
    );
    assert_eq!(
        told("if x():\n    return\nelse:\n    t = 'b'\nop.drop_table(t)")[1..],
        ["drops table b if (folded)".to_owned()]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_of_numbered_scripts_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        python in "(t = Table\\('t', meta, |autoload=True\\)|Column\\('a', |t\\.c|\\.create\\(|\\.drop\\(|\\.alter\\(|\\.create_column\\(|meta\\.tables|migrate_engine\\.name|execute\\(|Index\\(|for x in |if |else:|    |[ \n=+.,:()\\[\\]'\"a-c$;]){0,60}",
    ) {
        let bytes = String::from_utf8_lossy(&bytes).into_owned();
        for text in [bytes, format!("def upgrade(migrate_engine):\n    meta = MetaData()\n    {python}"), python] {
            let scripts = [("001_a.py".to_owned(), text.clone()), ("002_b_mysql_upgrade.sql".to_owned(), text)].into();
            let repository =
                crate::lint::Repository { name: None, directory: "versions", branch: None, scripts: &scripts };
            let _ = repository.all("s");
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        text in any::<String>(),
        python in "(def upgrade\\(\\):\n    |op\\.|execute|drop_table|alter_column|for t in |if |else:|while |with |as b|lambda |return |[ \n=+.,:()\\[\\]{}%'\"a-cf]){0,60}",
    ) {
        for text in [text, format!("def upgrade():\n    {python}"), python] {
            let _ = (read(&text), read_sql(&text, Engines::ALL));
            let _ = (shape(&text), imports(&text));
        }
    }

    #[test]
    fn deep_nesting_is_survived(depth in 0usize..3_000, bracket in prop::sample::select(vec!["(", "[", "x(", "not ", "-", "op.f("])) {
        let closing = match bracket { "(" | "x(" | "op.f(" => ")", "[" => "]", _ => "" };
        let _ = read(&format!("def upgrade():\n    x = {}1{}\n", bracket.repeat(depth), closing.repeat(depth)));
    }
}
