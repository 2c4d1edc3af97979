//! Mistakes in steps that touch rows.

use super::{edited, mistakes, with};

const CONTRACT: &str = "  - run:\n      name: db-contract\n      phase: contract\n      series: {from: zed}\n";

fn keystone(step: &str) -> String {
    edited("playbooks/keystone", &[(CONTRACT, &format!("  - trip:\n      {step}\n      why: Because.\n{CONTRACT}"))])
}

#[test]
fn what_a_step_touches_and_when_is_checked() {
    let fine =
        "name: touch\n      phase: migrate\n      series: {from: zed}\n      tables: [{name: user, when: triggered}]";
    assert!(with(&[("playbooks/keystone", &keystone(fine))]).is_ok());
    for (step, text) in [
        (
            "name: touch\n      phase: expand\n      series: {to: newton}\n      tables: [{name: user}]",
            "after what a release adds",
        ),
        ("name: touch\n      phase: migrate\n      series: {from: zed}\n      tables: []", "no table is named"),
        (
            "name: touch\n      phase: migrate\n      series: {from: zed}\n      tables: [{name: user}, {name: user}]",
            "the table user is named twice",
        ),
        (
            "name: touch\n      phase: migrate\n      series: {from: zed}\n      tables: [{name: user, remainder: DELETE FROM user}]",
            "must be one statement that begins with SELECT COUNT(",
        ),
    ] {
        let found = mistakes(&[("playbooks/keystone", &keystone(step))]);
        assert!(found.iter().any(|mistake| format!("{mistake:?}").contains(text)), "{text}: {found:?}");
    }
}
