//! What stands below the help of each command: examples that can be copied.

/// What everybody does, in the order they do it.
pub(super) const EXAMPLES: &str = "\
Examples:
  leapfrog init                                 write leapfrog.yaml from the services' configuration
  leapfrog doctor                               is everything here that a leap needs?
  leapfrog detect                               where do the databases stand?
  leapfrog plan --from 2023.1 --to 2024.2       what would be done, and why?
  leapfrog check --from 2023.1 --to 2024.2      is there anything that its migrations would fail on?
  leapfrog pull --from 2023.1 --to 2024.2       get images or environments beforehand
  leapfrog --from 2023.1 --to 2024.2            do it; after an interruption: go on with it
  leapfrog --from auto --to +1 --yes -o jsonl   the next release, driven by a program";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  leapfrog demo                                 the first time in minutes, later in about one
  leapfrog demo --keep                          leaves the cloud there to look around
  leapfrog demo --from 2023.2 --to 2025.1
  LEAPFROG_DEMO_DATABASE=mysql+pymysql://root:PASSWORD@127.0.0.1 leapfrog demo

Of a server it uses databases whose names begin with leapfrog_demo, and drops them at the end.
Exit codes are those of a leap; after an interruption the same command begins afresh.";

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  leapfrog init                                 from /etc, or from /etc/kolla if that is there
  leapfrog init --root /mnt/controller1 --name production
  leapfrog init --from-kolla ./kolla -c clouds/test.yaml
  leapfrog init --images 'registry.example:5000/openstack:{series}' --yes

Exit codes: 0 written, 2 something cannot be read or understood, and nothing was written.";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  leapfrog doctor                               without a cloud file, too
  leapfrog doctor --from 2023.1 --to 2024.2     asks the registry for that leap's images
  leapfrog doctor -o json

Exit codes: 0 nothing is in the way (warnings may be), 3 something would be refused.";

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  leapfrog plan --from 2023.1 --to 2024.2
  leapfrog plan --from auto --to +1 --only nova,placement
  leapfrog plan --from antelope --to caracal -o json > plan.json";

pub(super) const PRECONDITION_EXAMPLES: &str = "\
Examples:
  leapfrog check --from 2023.1 --to 2024.2      days before the window, while services run
  leapfrog check --from auto --to +1 --only cinder --verbose
  leapfrog check --from train --to 2026.2 -o json

Sessions are read-only. What the leap mends by itself is no fault.
Exit codes: 0 nothing is in the way (warnings may be), 3 a migration would fail, or the leap be refused.";

pub(super) const LINT_EXAMPLES: &str = "\
Examples:
  leapfrog lint .                               a service's source tree: all its migrations
  leapfrog lint . --diff origin/master --deny warning
  leapfrog lint . --engine postgresql --engine-version 13 --verbose
  leapfrog lint . --diff HEAD~1 -o github       annotations for a pull request; sarif for code review
  leapfrog lint --from 2023.1 --to 2024.2       what the migrations of a leap do, from its images
  leapfrog lint --from 2023.1 --to 2024.2 --sizes
  leapfrog lint --from 2023.1 --to 2024.2 --execute    tried on copies without rows
  leapfrog lint --explain LF-C01

Exit codes: 0 nothing that is denied, 2 a mistake in the arguments, 3 no image or environment can be
read, 4 a migration failed on a copy (--execute), 8 findings that are denied (--deny).";

pub(super) const DETECT_EXAMPLES: &str = "\
Examples:
  leapfrog detect
  leapfrog detect --verbose                     and what is left of older versions
  leapfrog detect --only nova,placement -o json";

pub(super) const PULL_EXAMPLES: &str = "\
Examples:
  leapfrog pull --from 2023.1 --to 2024.2
  leapfrog pull --from auto --to +1 --only nova";

pub(super) const VERIFY_EXAMPLES: &str = "\
Examples:
  leapfrog verify
  leapfrog verify --at 2023.1 --only cinder,nova
  leapfrog verify --checks -o json

Exit codes: 0 proved, 4 not proved, 3 could not look at everything.";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  leapfrog status
  leapfrog status 20261122-031502-7f3a
  leapfrog status --stages                      how far into a release each database is
  leapfrog status --stages --accept             after a backup was brought back by hand

Exit codes of --stages: 0 the databases show what is noted, 3 one shows something else or could not be read.";

pub(super) const LOGS_EXAMPLES: &str = "\
Examples:
  leapfrog logs 2023.2/nova/db-sync@cell1
  leapfrog logs nova/api-db-sync --run 20261122-031502-7f3a";

pub(super) const RESTORE_EXAMPLES: &str = "\
Examples:
  leapfrog restore --list
  leapfrog restore --to 2023.2                  as it was when 2023.2 began
  leapfrog restore --to 2023.2 --service nova,placement";

pub(super) const RESOLVE_EXAMPLES: &str = "\
Examples:
  leapfrog resolve 2023.2/trove/load-defaults --as done --note 'all 14 rows are there'
  leapfrog resolve trove/load-defaults --as failed -o json

Exit codes: 0 recorded, 2 no such step, 3 the step is not in doubt or the databases do not show that it
is done, 6 another leapfrog works on this cloud.";

pub(super) const TRIP_EXAMPLES: &str = "\
Examples:
  leapfrog trip                                 every table that has a row trigger for updates
  leapfrog trip --database keystone --table user --workers 2
  leapfrog trip --replica db2.example --max-lag 3 --yes
  leapfrog trip --remainder 'user=SELECT count(*) FROM user WHERE enabled_new IS NULL'
  leapfrog pause                                from another terminal; `leapfrog resume` lets it go on

Ctrl-C stops it after the batch, and the same command goes on. Exit codes: 0 every row is touched, 3 refused, 4 it
could not go on, 5 the remainder query still counts rows, 6 another leapfrog works on this cloud, 7 stopped.";

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples:
  leapfrog sweep --dry-run
  leapfrog sweep";

pub(super) const BUILD_EXAMPLES: &str = "\
Examples:
  leapfrog env build --series 2024.1            makes localhost/leapfrog/openstack:2024.1
  leapfrog env build --series 2024.1 --service nova
  leapfrog env build --series 2024.1 --push registry.example:5000/cloud
  leapfrog env build --series 2024.1 --archive openstack-2024.1.tar
  leapfrog env build --series 2024.1 --base docker.io/library/python:3.11-slim-bookworm

Exit codes: 0 made, 2 a mistake in the arguments, 3 something is missing or does not work.";

pub(super) const LOAD_EXAMPLES: &str = "\
Examples:
  leapfrog env load openstack-2024.1.tar

Exit codes: 0 the container engine has it, 3 the file is damaged or was not made by leapfrog.";

pub(super) const ENV_EXAMPLES: &str = "\
Examples:
  leapfrog env build --series 2024.1            an image of that release
  leapfrog env list
  leapfrog env list -o json
  leapfrog env remove 2023.1                    those of a release
  leapfrog env remove 3f9a1c02                  the one whose digest begins so
  leapfrog env remove --unused                  those not used for 30 days, or of no use any more";

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  leapfrog explain 2023.2/nova/db-sync          without a cloud file, too
  leapfrog explain train/cinder/online-data-migrations
  leapfrog explain 2024.1/keystone/db-expand -o json";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  leapfrog catalog check my-catalog
  leapfrog catalog check my-catalog -o json";

pub(super) const SCHEMA_EXAMPLES: &str = "\
Documents:
  cloud     the cloud file, leapfrog.yaml
  release   a release of the catalogue
  playbook  a playbook of the catalogue
  plan      what `leapfrog plan --output json` prints
  verify    what `leapfrog verify --output json` prints
  doctor    what `leapfrog doctor --output json` prints
  lint      what `leapfrog lint --output json` prints
  lint-exceptions  what `leapfrog lint --exceptions` takes
  events    a line of `--output jsonl`
  trip      a line of `leapfrog trip --output jsonl`

Examples:
  leapfrog schema cloud > cloud.json            for the editor that leapfrog.yaml is written in
  leapfrog schema events                        for the program that reads --output jsonl";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  leapfrog completions bash > /etc/bash_completion.d/leapfrog";

pub(super) const EXPAND_EXAMPLES: &str = "\
Examples:
  leapfrog expand --at 2024.1                   all services of the cloud file
  leapfrog expand --at 2024.1 --only keystone --yes -o jsonl";

pub(super) const MIGRATE_EXAMPLES: &str = "\
Examples:
  leapfrog migrate --at 2024.1                  after `leapfrog expand --at 2024.1`
  leapfrog migrate --at 2024.1 --only glance --yes -o jsonl";

pub(super) const CONTRACT_EXAMPLES: &str = "\
Examples:
  leapfrog contract --dry-run                   after --until migrated: what goes, and whether it may
  leapfrog contract --at 2024.1 --only glance --new 'glance@10.0.0.*'
  leapfrog contract --at 2024.1 --waive 'the last session is a read-only report' --until 2026-12-31";
