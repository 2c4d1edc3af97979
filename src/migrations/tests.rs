//! Scripts as they are, as they could be, and as they should never be.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Misread, Place, Revision, Tree, TreeError, read};
use crate::model::Branch;

fn scripts(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

fn tree_of(list: &[(&str, &str)], constants: &[(&str, &str)]) -> Result<Tree, Vec<Misread>> {
    let (scripts, constants) = (scripts(list), scripts(constants));
    read(Place { directory: "svc/db/migrations/versions", scripts: &scripts, constants: &constants })
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn glance_stores_one_head_though_its_tree_has_two_ends() {
    let tree = tree_of(
        &[
            ("__init__.py", ""),
            ("old01.py", "revision = 'old01'\ndown_revision = None\n"),
            (
                "b_expand01.py",
                "from glance.db import migration\nrevision = 'b_expand01'\ndown_revision = 'old01'\n\
                 branch_labels = migration.EXPAND_BRANCH\ndef upgrade():\n    pass\n",
            ),
            (
                "b_contract01.py",
                "from glance.db.migration import CONTRACT_BRANCH as C\nrevision = 'b_contract01'\n\
                 down_revision = 'old01'\nbranch_labels = ('b01', C)\ndepends_on = 'b_expand01'\n\
                 def upgrade():\n    op.drop_table('images_old')\n",
            ),
        ],
        &[("glance/db/migration.py", "EXPAND_BRANCH = 'expand'\nCONTRACT_BRANCH = 'contract'\n")],
    )
    .expect("understood");
    assert_eq!(tree.heads(), set(["b_contract01"]));
    assert_eq!(tree.ends_of(Branch::Expand), set(["b_expand01"]));
    assert_eq!(tree.roots(), set(["old01"]));
    let pending: Vec<&str> = tree.pending(&set(["old01"])).iter().map(|revision| revision.id.as_str()).collect();
    assert_eq!(pending, ["b_expand01", "b_contract01"]);
    assert_eq!(tree.pending(&set(["b_contract01"])), Vec::<&Revision>::new());
    assert_eq!(tree.get("b_contract01").and_then(|revision| revision.drops), Some(1));
    assert_eq!(tree.unknown(&set(["old01", "c_contract01"])), set(["c_contract01"]));
}

#[test]
fn a_branch_is_known_by_label_then_by_directory_then_by_name() {
    let tree = tree_of(
        &[
            ("kilo.py", "revision = 'kilo'\ndown_revision = None\n"),
            ("liberty/expand/1.py", "revision = '1'\ndown_revision = 'kilo'\nbranch_labels = ('expand',)\n"),
            ("x/2.py", "revision: str = '2'\ndown_revision: str | None = '1'\n"),
            ("2023.2/contract/3.py", "revision = '3'\ndown_revision = 'kilo'\n"),
            ("y_contract01.py", "revision = 'y_contract01'\ndown_revision = '3'\ndepends_on = ('2',)\n"),
        ],
        &[],
    )
    .expect("understood");
    assert_eq!(tree.branch("2"), Some(Branch::Expand));
    assert_eq!(tree.branch("3"), Some(Branch::Contract));
    assert_eq!(tree.branch("y_contract01"), Some(Branch::Contract));
    assert_eq!(tree.branch("kilo"), None);
}

#[test]
fn identifiers_are_understood_in_every_form_that_says_them_plainly() {
    let tree = tree_of(
        &[
            ("a.py", "revision = 'a' 'b'\ndown_revision = None\n"),
            ("c.py", "ID = \"c\"\nrevision = ID\nBEFORE = ('a' + 'b',)\ndown_revision = BEFORE\n"),
            ("d.py", "from .c import ID\nrevision = ('d')\ndown_revision = [ID]\ndepends_on = None\n"),
            ("e.py", "import svc.names\nrevision = svc.names.E\ndown_revision = {'d'}\n"),
        ],
        &[("svc/names.py", "E = 'e'\n")],
    )
    .expect("understood");
    assert_eq!(tree.heads(), set(["e"]));
    assert_eq!(tree.count(), 4);
}

#[test]
fn a_script_that_is_not_understood_is_named_with_the_reason() {
    for (text, reason) in [
        ("revision = make()\ndown_revision = None\n", "`make()` is no plain constant"),
        ("if x:\n    revision = 'a'\nelse:\n    revision = 'b'\n", "revision is assigned under a condition"),
        ("import other\nrevision = other.X\ndown_revision = None\n", "a constant of other, which was not read"),
        ("down_revision = None\n", "it assigns no `revision`"),
        ("revision = 'a'\n", "it assigns no `down_revision`"),
        ("revision = f'{x}'\ndown_revision = None\n", "is no plain constant"),
        ("revision = 'a'\ndown_revision = 5\n", "`5` is no plain constant"),
        ("revision = 'a'\ndown_revision = None\ndef (\n", "line 3 is no Python"),
        ("revision = 'a'\ndown_revision = 'b'\n", "a comes after b, which no script is"),
        ("revision = 'a'\ndown_revision = 'a'\n", "in a circle"),
        ("X = Y\nY = X\nrevision = X\ndown_revision = None\n", "revision is not known"),
    ] {
        let misread = tree_of(&[("s.py", text)], &[]).expect_err(text);
        assert_eq!(misread.len(), 1, "{text}");
        assert!(misread[0].why.contains(reason), "{text}: {}", misread[0].why);
    }
    assert_eq!(tree_of(&[("README", "")], &[]).expect_err("nothing")[0].why, "there is no migration script");
    let twice =
        tree_of(&[("a.py", "revision='a'\ndown_revision=None"), ("b.py", "revision='a'\ndown_revision=None")], &[]);
    assert!(twice.expect_err("twice")[0].why.contains("is in a.py as well"));
}

#[test]
fn constants_made_to_grow_without_end_are_given_up() {
    let mut text = String::from("A0 = ['x'] * 1\n");
    for number in 1..40 {
        text.push_str(&format!("A{number} = A{} + A{}\n", number - 1, number - 1));
    }
    text.push_str("revision = 'a'\ndown_revision = A39\n");
    assert!(tree_of(&[("s.py", &text)], &[]).is_err());
    let calls: String = (0..40).map(|n| format!("def f{n}():\n    f{0}(); f{0}()\n", n + 1)).collect();
    let text = format!("revision = 'a'\ndown_revision = None\n# drop\ndef upgrade():\n    f0()\n{calls}");
    let tree = tree_of(&[("s.py", &text)], &[]).expect("understood");
    assert_eq!(tree.get("a").and_then(|revision| revision.drops), None);
}

#[test]
fn a_tree_comes_back_from_its_document_and_a_broken_document_does_not() {
    let revision = |id: &str, down: &[&str]| Revision {
        id: id.to_owned(),
        down: down.iter().map(|id| (*id).to_owned()).collect(),
        depends_on: BTreeSet::new(),
        labels: BTreeSet::new(),
        file: format!("{id}.py"),
        drops: None,
    };
    let tree = Tree::try_from(vec![revision("a", &[]), revision("b", &["a"])]).expect("a tree");
    let text = serde_json::to_string(&tree).expect("written");
    assert_eq!(serde_json::from_str::<Tree>(&text).expect("read"), tree);
    assert!(serde_json::from_str::<Tree>(&text.replace("\"down\":[\"a\"]", "\"down\":[\"z\"]")).is_err());
    assert_eq!(Tree::try_from(Vec::new()), Err(TreeError::Empty));
}

/// Random graphs without circles: each revision may come after, or depend on, some before it.
fn graphs() -> impl Strategy<Value = Vec<Revision>> {
    let edges = prop::collection::vec((prop::collection::vec(any::<bool>(), 12), any::<u16>()), 1..12);
    edges.prop_map(|rows| {
        let name = |number: usize| format!("r{number}");
        let revision = |(number, (row, kinds)): (usize, &(Vec<bool>, u16))| {
            let before: Vec<usize> = (0..number).filter(|other| row[*other]).collect();
            let (down, depends): (Vec<usize>, Vec<usize>) = before.iter().partition(|other| kinds >> **other & 1 == 0);
            Revision {
                id: name(number),
                down: down.into_iter().map(name).collect(),
                depends_on: depends.into_iter().map(name).collect(),
                labels: BTreeSet::new(),
                file: format!("{number}.py"),
                drops: Some(0),
            }
        };
        rows.iter().enumerate().map(revision).collect()
    })
}

/// The text of a script that says what a revision is.
fn script(revision: &Revision) -> String {
    let tuple = |names: &BTreeSet<String>| {
        if names.is_empty() {
            "None".to_owned()
        } else {
            format!("({},)", names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", "))
        }
    };
    format!(
        "revision = '{}'\ndown_revision = {}\ndepends_on = {}\ndef upgrade():\n    pass\n",
        revision.id,
        tuple(&revision.down),
        tuple(&revision.depends_on)
    )
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), python in "(revision|down_revision|depends_on|def upgrade\\(\\):|drop_table|for|in|if|[ \\n=+.,:()\\[\\]'\"a-c]){0,80}") {
        for text in [text, python] {
            let _ = tree_of(&[("s.py", &text)], &[("svc/x.py", &text)]);
        }
    }

    #[test]
    fn deep_nesting_is_survived(depth in 0usize..20_000, bracket in prop::sample::select(vec!["(", "[", "x(", "not ", "-"])) {
        let text = format!("revision = 'a'\ndown_revision = None\ndef upgrade():\n    drop = {}\n", bracket.repeat(depth));
        let _ = tree_of(&[("s.py", &text)], &[]);
    }

    #[test]
    fn heads_ancestors_and_pending_agree(revisions in graphs(), picked in prop::collection::btree_set(0usize..12, 0..4)) {
        let all: BTreeSet<String> = revisions.iter().map(|revision| revision.id.clone()).collect();
        let tree = Tree::try_from(revisions.clone()).expect("no circle");
        // Nobody needs a head, and from the heads everything is reached.
        for head in tree.heads() {
            prop_assert!(revisions.iter().all(|r| !r.down.contains(&head) && !r.depends_on.contains(&head)));
        }
        prop_assert_eq!(&tree.applied(&tree.heads()), &all);
        let from: BTreeSet<String> = picked.iter().map(|number| format!("r{number}")).collect();
        let applied = tree.applied(&from);
        let pending: Vec<String> = tree.pending(&from).iter().map(|revision| revision.id.clone()).collect();
        // Together they are everything, and nothing is in both.
        prop_assert_eq!(applied.len() + pending.len(), all.len());
        prop_assert_eq!(applied.iter().chain(&pending).cloned().collect::<BTreeSet<_>>(), all);
        // In the order given, what a revision needs is there before it.
        let mut there = applied.clone();
        for id in &pending {
            let revision = tree.get(id).expect("known");
            prop_assert!(revision.down.iter().chain(&revision.depends_on).all(|needed| there.contains(needed)));
            there.insert(id.clone());
        }
        // A database stores the maximal ones, and from them the same is read back.
        prop_assert_eq!(tree.applied(&tree.maximal(&applied)), applied);
        prop_assert_eq!(tree.unknown(&from), from.iter().filter(|id| tree.get(id).is_none()).cloned().collect());
    }

    #[test]
    fn scripts_say_what_the_tree_holds(revisions in graphs()) {
        let texts: Vec<(String, String)> = revisions.iter().map(|r| (r.file.clone(), script(r))).collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        prop_assert_eq!(tree_of(&texts, &[]).expect("understood"), Tree::try_from(revisions).expect("no circle"));
    }
}
