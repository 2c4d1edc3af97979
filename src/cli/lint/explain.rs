//! A rule, explained: on the terminal, as a document, and as a part of `docs/lint-rules.md`.

use serde::Serialize;

use crate::lint::{Find, RULES, Rule, Server, Severity};
use crate::report::Paper;

/// What `leapfrog lint --explain RULE --output json` says.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    id: &'static str,
    name: &'static str,
    detects: &'static str,
    phases: &'static str,
    severities: Vec<(Server, Option<Severity>)>,
    why: &'static str,
    mend: &'static str,
    decides: &'static str,
    hit: &'static str,
    near_miss: &'static str,
    sources: &'static [&'static str],
}

impl Explained {
    pub(super) fn new(rule: &'static Rule) -> Self {
        Self {
            id: rule.id,
            name: rule.name,
            detects: rule.detects,
            phases: rule.phases.words(),
            severities: Server::ALL.map(|server| (server, rule.severity(server))).to_vec(),
            why: rule.why,
            mend: rule.mend,
            decides: rule.decides,
            hit: rule.hit,
            near_miss: rule.near_miss,
            sources: rule.sources,
        }
    }
}

/// `error on mysql and mariadb, warning on sqlite`; what is no fault on a server is left out.
fn grave(rule: &Rule) -> String {
    let of = |severity: Severity| {
        let names = Server::ALL.into_iter().filter(|server| rule.severity(*server) == Some(severity));
        let names: Vec<&str> = names.map(Server::name).collect();
        (!names.is_empty()).then(|| format!("{} on {}", severity.word(), names.join(", ")))
    };
    let all = [Severity::Error, Severity::Warning, Severity::Information].into_iter().filter_map(of);
    all.collect::<Vec<_>>().join("; ")
}

/// For people.
pub(super) fn text(rule: &Rule, paper: Paper) -> String {
    let mut lines = vec![format!("{} {}", rule.id, rule.name), String::new()];
    let mut say = |word: &str, text: &str| lines.extend(paper.hang(&format!("  {word:<8}  "), text));
    say("finds", rule.detects);
    say("where", rule.phases.words());
    say("is", &grave(rule));
    say("why", rule.why);
    say("mend", rule.mend);
    say("decides", rule.decides);
    for source in rule.sources {
        say("source", source);
    }
    for (what, code) in [("Found:", rule.hit), ("Not found:", rule.near_miss)] {
        lines.extend([String::new(), format!("  {what}")]);
        lines.extend(code.lines().map(|line| format!("    {line}")));
    }
    lines.join("\n") + "\n"
}

/// In which language its examples are.
fn language(rule: &Rule) -> &'static str {
    match rule.find {
        Find::InOperation(_) | Find::InScript(_) | Find::InChain(_) => "python",
        Find::InHistory | Find::InExecution => "text",
    }
}

/// Every rule, as `docs/lint-rules.md` has them.
pub fn page() -> String {
    let mut text = String::from(
        "# The rules of `leapfrog lint`\n\nWritten from the program by `LEAPFROG_UPDATE=1 cargo test --test schemas`; \
         `leapfrog lint --explain RULE` says the same. How to use them is in [lint.md](lint.md).\n\n\
         | rule | finds | is |\n| --- | --- | --- |\n",
    );
    for rule in RULES {
        let anchor = format!("{}-{}", rule.id.to_lowercase(), rule.name);
        text.push_str(&format!("| [{} {}](#{anchor}) | {} | {} |\n", rule.id, rule.name, rule.detects, grave(rule)));
    }
    for rule in RULES {
        text.push_str(&format!(
            "\n## {} {}\n\n{} It is a fault {}: {}.\n\n* **Why:** {}\n* **Instead:** {}\n* **What decides:** {}\n\
             * **Known from:** {}\n\nFound:\n\n```{}\n{}\n```\n\nNot found:\n\n```{}\n{}\n```\n",
            rule.id,
            rule.name,
            rule.detects,
            rule.phases.words(),
            grave(rule),
            rule.why,
            rule.mend,
            rule.decides,
            rule.sources.join("; "),
            language(rule),
            rule.hit,
            language(rule),
            rule.near_miss
        ));
    }
    text
}
