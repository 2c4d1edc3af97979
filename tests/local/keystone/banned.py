"""Runs keystone's migrations one by one on an empty database, and tells which functions of alembic.op each calls.

That is how keystone's own test watches for banned operations (keystone/tests/unit/test_sql_banned_operations.py): it replaces
functions of the module alembic.op. Here they are called all the same, and recorded. What is called within
`batch_alter_table` that test does not see; it is recorded apart.
"""

import json
import sys

from alembic import command, op, script
from alembic.operations import BatchOperations
from keystone.common.sql import upgrades
import keystone.conf
from oslo_db import options

# BANNED_OPS of that test, at keystone 29.0.0.
BANNED = {
    "expand": [
        "alter_column",
        "drop_column",
        "drop_constraint",
        "drop_index",
        "drop_table",
        "drop_table_comment",
        "rename_table",
    ],
    "contract": [
        "add_column",
        "bulk_insert",
        "create_check_constraint",
        "create_exclude_constraint",
        "create_foreign_key",
        "create_index",
        "create_primary_key",
        "create_table",
        "create_table_comment",
        "create_unique_constraint",
        "rename_table",
    ],
}


def watch(place, calls):
    """Records every call of a banned function of a module or class, and calls it."""

    def watched(name, original):
        def call(*arguments, **named):
            calls.append(name)
            return original(*arguments, **named)

        return call

    for name in {name for names in BANNED.values() for name in names if hasattr(place, name)}:
        setattr(place, name, watched(name, getattr(place, name)))


def main(url):
    """Prints, by revision, its branch and the banned functions that it called."""
    keystone.conf.configure()
    keystone.conf.CONF.register_opts(options.database_opts, group="database")
    keystone.conf.CONF([], project="keystone", default_config_files=[])
    keystone.conf.CONF.set_override("connection", url, group="database")
    config = upgrades._find_alembic_conf()
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    tree = script.ScriptDirectory.from_config(config)
    seen, in_batches, told = [], [], {}
    watch(op, seen)
    watch(BatchOperations, in_batches)
    for revision in reversed(list(tree.walk_revisions())):
        seen.clear()
        in_batches.clear()
        command.upgrade(config, revision.revision)
        if not revision.branch_labels:
            continue  # What there was before alembic: that test does not look at it either.
        (branch,) = revision.branch_labels
        banned = [sorted({name for name in calls if name in BANNED[branch]}) for calls in (seen, in_batches)]
        told[revision.revision] = {"branch": branch, "seen": banned[0], "in_batches": banned[1]}
    print(json.dumps(told))


main(sys.argv[1])
