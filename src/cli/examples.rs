//! What stands below the help of each command: examples that can be copied.

/// What everybody does, in the order they do it.
pub(super) const EXAMPLES: &str = "\
Examples:
  leapfrog init                                 write leapfrog.yaml from the services' configuration
  leapfrog doctor                               is everything here that a leap needs?
  leapfrog detect                               where do the databases stand?
  leapfrog plan --from 2023.1 --to 2024.2       what would be done, and why?
  leapfrog pull --from 2023.1 --to 2024.2       get images or environments beforehand
  leapfrog --from 2023.1 --to 2024.2            do it; after an interruption: go on with it
  leapfrog --from auto --to +1 --yes -o jsonl   the next release, driven by a program";

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

pub(super) const DETECT_EXAMPLES: &str = "\
Examples:
  leapfrog detect
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
  leapfrog status 20261122-031502-7f3a";

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

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples:
  leapfrog sweep --dry-run
  leapfrog sweep";

pub(super) const ENV_EXAMPLES: &str = "\
Examples:
  leapfrog env list
  leapfrog env list -o json
  leapfrog env remove 2023.1                    those of a release
  leapfrog env remove 3f9a1c02                  the one whose digest begins so
  leapfrog env remove --unused                  those not used for 30 days, or of no use any more";

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
  events    a line of `--output jsonl`

Examples:
  leapfrog schema cloud > cloud.json            for the editor that leapfrog.yaml is written in
  leapfrog schema events                        for the program that reads --output jsonl";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  leapfrog completions bash > /etc/bash_completion.d/leapfrog";
