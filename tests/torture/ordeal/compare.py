"""Databases compared table by table: their schemas, and every row but for columns that differ between any two leaps."""

import re

# What differs between two undisturbed leaps from the same copies: database, table and column (regular expressions that
# match whole names), and why.
VOLATILE = [
    (r"nova", r"migrations", r"uuid", "nova's data migration draws them at random"),
    (r"neutron", r"securitygroupdefaultrules", r"id", "neutron's schema migration draws them at random"),
    (r"placement", r"consumers", r"id", "placement's data migration counts; a round that is cut off leaves numbers out"),
    (r"nova.*", r"virtual_interfaces", r"id", "nova's data migration makes its marker row anew in every round"),
]
# Of these columns a moment after the copies were made says only that it is one: it is when a migration wrote the row.
MOMENTS = {"created_at", "updated_at", "deleted_at"}
# The next number of a row: a server that was killed may leave some out.
AUTO_INCREMENT = re.compile(r" AUTO_INCREMENT=\d+")
BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit"}
# What stands between the answers of a database.
MARK = "@@torture@@"
# How many differences are shown of a table.
SHOWN = 3


def is_volatile(database, table, column):
    """Whether a column differs between two undisturbed leaps."""
    return any(
        re.fullmatch(where, database) and re.fullmatch(which, table) and re.fullmatch(what, column)
        for where, which, what, _ in VOLATILE
    )


def schema(statement):
    """What makes a table, with its keys in one order: some migrations make them in any."""
    head, *lines = AUTO_INCREMENT.sub("", statement).replace("\\n", "\n").split("\n")
    body, tail = sorted(line.rstrip(",") for line in lines[:-1]), lines[-1:]
    columns = [line.rstrip(",") for line in lines[:-1] if line.lstrip().startswith("`")]
    return "\n".join([head, *columns, *(line for line in body if not line.lstrip().startswith("`")), *tail])


class Contents:
    """Everything in the databases of a cloud that two leaps must have in common."""

    def __init__(self, cloud, since):
        self.since = since
        self.tables = {}
        for database in cloud.databases:
            self._read(cloud, database)

    def _read(self, cloud, database):
        name = cloud.database(database)
        columns = {}
        query = (
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c "
            "JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
            f"WHERE c.table_schema = '{name}' AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position"
        )
        for line in cloud.sql(database, query).splitlines():
            table, column, kind = line.split("\t")
            columns.setdefault(table, []).append((column, kind.lower()))
        # One call for all tables: a client for each question would take minutes.
        questions = []
        for table, of_table in columns.items():
            shown = ", ".join(self._shown(database, table, *column) for column in of_table)
            questions += [f"SELECT '{MARK}{table}'", f"SHOW CREATE TABLE `{table}`", f"SELECT '{MARK}'", f"SELECT {shown} FROM `{table}`"]
        answers = cloud.sql(database, ";\n".join(questions)).split(MARK)[1:]
        for told, rows in zip(answers[::2], answers[1::2]):
            table, statement = told.rstrip("\n").split("\n", 1)
            made = schema(statement.split("\t", 1)[1])
            self.tables[database, table] = (made, [column for column, _ in columns[table]], sorted(rows.split("\n")[1:-1]))
        triggers = cloud.sql(database, "SHOW TRIGGERS")
        self.tables[database, "(triggers)"] = (triggers, [], [])

    def _shown(self, database, table, column, kind):
        """How a column is read: whether there is a value in one that differs is compared all the same."""
        if is_volatile(database, table, column):
            return f"IF(`{column}` IS NULL, NULL, '*')"
        if column in MOMENTS:
            return f"IF(`{column}` >= '{self.since}', '*', `{column}`)"
        return f"HEX(`{column}`)" if kind in BINARY else f"`{column}`"

    def differences(self, other):
        """What is not as in the other leap, a line each."""
        found = []
        for key in sorted({*self.tables, *other.tables}):
            name = ".".join(key)
            here, there = self.tables.get(key), other.tables.get(key)
            if here is None or there is None:
                found.append(f"{name}: the table is {'missing' if here is None else 'too many'}")
                continue
            if here[0] != there[0]:
                found.append(f"{name}: another schema\n{here[0]}\n  instead of\n{there[0]}")
            found += self._rows(name, here, there)
        return found

    def _rows(self, name, here, there):
        surplus, missing = _without(here[2], there[2]), _without(there[2], here[2])
        if not surplus and not missing:
            return []
        lines = [f"{name}: {len(surplus)} rows too many or different, {len(missing)} missing or different"]
        for mine, its in list(zip(surplus, missing))[:SHOWN]:
            cells = zip(here[1], mine.split("\t"), its.split("\t"))
            lines.append("    " + ", ".join(f"{column}: {one!r} not {two!r}" for column, one, two in cells if one != two))
        if len(surplus) != len(missing):
            lines += [f"    {row}" for row in (surplus or missing)[:SHOWN]]
        return lines

    @property
    def size(self):
        """How many tables and rows are compared."""
        return len(self.tables), sum(len(rows) for _, _, rows in self.tables.values())


def _without(these, those):
    """Rows of the first that the second lacks, each as often as it is lacking."""
    left = {}
    for row in those:
        left[row] = left.get(row, 0) + 1
    lacking = []
    for row in these:
        if left.get(row, 0) > 0:
            left[row] -= 1
        else:
            lacking.append(row)
    return lacking
