//! Which paths a Rust source names, without comments, texts and what is compiled for tests alone.
//!
//! Not a compiler: it reads words and punctuation, follows `use` trees and `super`, and that is enough to
//! say which module names which other.

/// A path as it was written, with `super` resolved where it leads to the crate's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The segments, such as `crate`, `model`, `Series`.
    pub(super) path: Vec<String>,
    /// The line it stands on, from 1.
    pub(super) line: usize,
}

/// A word or a punctuation mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    text: String,
    line: usize,
}

/// The words and marks of `source`.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    while at < chars.len() {
        let begin = at;
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                if starts(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if starts(at, "*/") {
                    depth -= 1;
                    at += 2;
                } else {
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(&chars, at) {
            let end: String = format!("\"{}", "#".repeat(hashes));
            at += chars[at..].iter().position(|c| *c == '"').map_or(1, |quote| quote + 1);
            while at < chars.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')) {
            at += if chars[at + 1] == '\\' { 3 } else { 2 };
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if c.is_alphanumeric() || c == '_' {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            tokens.push(Token { text: chars[begin..at].iter().collect(), line });
        } else if starts(at, "::") {
            at += 2;
            tokens.push(Token { text: "::".into(), line });
        } else {
            at += 1;
            if !c.is_whitespace() {
                tokens.push(Token { text: c.into(), line });
            }
        }
        line += chars[begin..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// How many hashes a raw string that begins at `at` has.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let rest = &chars[at..];
    let rest = rest.strip_prefix(&['b']).unwrap_or(rest).strip_prefix(&['r'])?;
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

/// Without the items that `#[cfg(test)]` stands before; also the names of modules in files of their own
/// that it hides.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut hidden = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = MARK.iter().enumerate().all(|(n, text)| tokens.get(at + n).is_some_and(|t| t.text == *text));
        if !marked {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.text.as_str() {
                "mod" if depth == 0 => hidden.extend(tokens.get(at).map(|name| name.text.clone())),
                "{" | "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    (kept, hidden)
}

/// The modules of `source` that only tests have.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    without_tests(tokens(source)).1
}

/// Every path of two or more segments in `source`, whose module lies `depth` levels below the root.
pub(super) fn named(source: &str, depth: usize) -> Vec<Named> {
    let (tokens, _) = without_tests(tokens(source));
    let text = |at: usize| tokens.get(at).map(|token| token.text.as_str()).unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_word(text(at)) && text(at + 1) == "::" && (at == 0 || text(at - 1) != "::");
        if begins {
            let mut paths = Vec::new();
            at = tree(&tokens, at, &[], &mut paths);
            found.extend(paths.into_iter().map(|named| resolved(named, depth)));
        } else {
            at += 1;
        }
    }
    found
}

/// The macros that `source` calls, with their lines.
pub(super) fn macros(source: &str) -> Vec<(String, usize)> {
    let (tokens, _) = without_tests(tokens(source));
    let calls = tokens.windows(3).filter(|w| is_word(&w[0].text) && w[1].text == "!" && w[2].text != "=");
    calls.map(|w| (w[0].text.clone(), w[0].line)).collect()
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads a path or a `use` tree from `at` on and returns where it ends.
fn tree(tokens: &[Token], mut at: usize, prefix: &[String], paths: &mut Vec<Named>) -> usize {
    let text = |at: usize| tokens.get(at).map(|token| token.text.as_str()).unwrap_or_default();
    let mut path = prefix.to_vec();
    let line = tokens[at].line;
    loop {
        if text(at) == "{" {
            at += 1;
            while at < tokens.len() && text(at) != "}" {
                at = if is_word(text(at)) || text(at) == "{" { tree(tokens, at, &path, paths) } else { at + 1 };
            }
            return at + 1;
        }
        if !is_word(text(at)) {
            break;
        }
        path.push(text(at).to_owned());
        at += 1;
        if text(at) != "::" {
            at += if text(at) == "as" { 2 } else { 0 };
            break;
        }
        at += 1;
    }
    paths.push(Named { path, line });
    at
}

/// `super::super::model` as `crate::model` where that is where it leads.
fn resolved(named: Named, depth: usize) -> Named {
    let climbs = named.path.iter().take_while(|segment| *segment == "super").count();
    if climbs == 0 || climbs < depth {
        return named;
    }
    let rest = named.path[climbs..].iter().cloned();
    Named { path: std::iter::once("crate".to_owned()).chain(rest).collect(), line: named.line }
}

#[test]
fn comments_texts_and_tests_name_nothing() {
    let source = r##"
        //! [`crate::plan`] is told.
        /* crate::plan::a /* nested */ crate::plan::b */
        const A: &str = "crate::plan::c \" crate::plan::d";
        const B: &str = r#"crate::plan::e " "#;
        const C: char = '"'; const D: &'static str = ""; const E: char = '\'';
        use crate::model::Series;
        #[cfg(test)]
        mod tests { use crate::plan::f; fn g() { let _ = [1]; } }
        #[cfg(test)]
        pub(crate) mod stories;
        use crate::journal::Record;
    "##;
    let paths: Vec<String> = named(source, 1).into_iter().map(|named| named.path.join("::")).collect();
    assert_eq!(paths, ["crate::model::Series", "crate::journal::Record"]);
    assert_eq!(test_modules(source), ["tests", "stories"]);
}

#[test]
fn use_trees_calls_and_climbing_paths_are_followed_to_their_ends() {
    let source = "use crate::{model::{Series, Service as S}, plan};\nfn f() -> crate::a::B<std::fs::File> {\n  \
                  super::super::report::print(super::near::x)\n}";
    let paths: Vec<(String, usize)> = named(source, 2).into_iter().map(|n| (n.path.join("::"), n.line)).collect();
    let expected = [
        ("crate::model::Series", 1),
        ("crate::model::Service", 1),
        ("crate::plan", 1),
        ("crate::a::B", 2),
        ("std::fs::File", 2),
        ("crate::report::print", 3),
        ("super::near::x", 3),
    ];
    assert_eq!(paths, expected.map(|(path, line)| (path.to_owned(), line)));
}
