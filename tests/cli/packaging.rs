//! What packages of leapfrog are made of: man pages, completions, the number.

use clap::CommandFactory;
use leapfrog::cli::{Arguments, Exit};

use crate::lab::Lab;

#[test]
fn every_command_that_is_shown_has_a_man_page_with_its_options_and_examples() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("man")).expect("made");
    assert_eq!(lab.run(&["man", "man"]).code, 0);
    let page = |name: &str| std::fs::read_to_string(lab.path("man").join(format!("{name}.1"))).expect(name);
    for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let text = page(&format!("leapfrog-{}", command.get_name()));
        let about = command.get_about().expect("a sentence").to_string().replace('-', "\\-").replace('\'', "\\*(Aq");
        assert!(text.contains(&about), "{about:?} is not in {text}");
        assert!(command.get_after_help().is_none() || text.contains(".SH EXAMPLES\n.nf\nleapfrog "), "{text}");
    }
    let main = page("leapfrog");
    for exit in Exit::ALL {
        assert!(
            main.contains(&format!("{}  {}", exit.code(), exit.meaning().replace('-', "\\-"))),
            "{exit:?} is not in {main}"
        );
    }
    assert!(main.contains(".SH EXIT CODES\n.nf\n0  done\n"), "{main}");
    assert!(page("leapfrog-playbooks-show").contains("leapfrog\\-playbooks\\-show"));
    assert!(!lab.path("man/leapfrog-man.1").exists(), "a hidden command has a page");
    lab.run(&["man", "nowhere"]).fails(2, &["failed to write nowhere/leapfrog.1"]);
}

#[test]
fn the_version_is_the_number_of_the_package_and_what_it_was_built_from() {
    let told = Lab::new().run(&["--version"]).out;
    let number = env!("CARGO_PKG_VERSION");
    let rest = told.trim_end().strip_prefix(&format!("leapfrog {number}")).unwrap_or_else(|| panic!("{told}"));
    assert!(rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')'), "{told}");
}
