"""Whether a leap ended where it should have: a figure of one that did not is worth nothing."""

from bed.common import TestbedError


def check(cloud, leap, title):
    """Refuses a leap whose heads or rows are not what the plan says; returns the rows of every table."""
    wrong = []
    for database, heads in leap.heads.items():
        wanted = sorted(heads["alembic"])
        found = cloud.sql(database, "SELECT version_num FROM alembic_version ORDER BY version_num").split()
        if found != wanted:
            wrong.append(f"{database} stands at {found}, not at {wanted}")
    for database, query in sorted(leap.remainders):
        left = cloud.sql(database, query).strip()
        if left != "0":
            wrong.append(f"{database}: {left} rows are left of: {query}")
    if wrong:
        raise TestbedError(f"{title} did not complete the leap, so its time says nothing:\n  " + "\n  ".join(wrong))
    return {database: rows(cloud, database) for database in sorted(leap.heads)}


def rows(cloud, database):
    """How many rows each table of a database has."""
    tables = cloud.sql(database, "SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'").splitlines()
    counts = [f"SELECT '{table}', COUNT(*) FROM `{table}`" for table in (line.split("\t")[0] for line in tables)]
    return dict(line.split("\t") for line in cloud.sql(database, " UNION ALL ".join(counts)).splitlines())


def differences(these, those):
    """Tables in which two leaps left different numbers of rows."""
    found = []
    for database in sorted(these):
        for table in sorted({*these[database], *those[database]}):
            here, there = (which[database].get(table) for which in (these, those))
            if here != there:
                found.append(f"{database}.{table}: {here} and {there}")
    return found
