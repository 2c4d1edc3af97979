//! What reads text that others wrote never panics, never keeps much, and never makes up a number.
//!
//! Real outputs, journal lines, names, playbooks, configurations and scripts are damaged in every way that has been thought of, and read.
//! Each input follows from the seed and its own number, so a failure names both and can be had again:
//!
//! ```text
//! LEAPFROG_FUZZ_SEED=7 LEAPFROG_FUZZ_FIRST=123456 LEAPFROG_FUZZ_INPUTS=1 cargo test --test fuzz
//! ```
//!
//! A plain run takes 20,000 inputs, `make fuzz` ten million.

mod corpus;
mod mutation;
mod random;
mod readers;

use std::cell::Cell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use corpus::Corpus;
use random::Random;

/// How many inputs a run takes that nobody told.
const INPUTS: u64 = 20_000;

/// The seed of a run that nobody gave one.
const SEED: u64 = 0x1eaf_f209;

/// After so many inputs a long run says how far it is.
const NEWS: u64 = 1_000_000;

/// One in so many inputs is a document in YAML; they take a hundred times as long as others.
const DOCUMENTS: u64 = 5_000;

fn setting(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")),
        Err(_) => usual,
    }
}

/// Which reader an input is for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Output,
    Journal,
    Name,
    Document,
    Configuration,
    Script,
}

fn input(corpus: &Corpus, seed: u64, number: u64) -> (Kind, Vec<u8>, Random) {
    let mut random = Random::of(seed, number);
    let kind = if random.below(DOCUMENTS) == 0 {
        Kind::Document
    } else {
        match random.below(10) {
            0 => Kind::Journal,
            1 => Kind::Name,
            2 => Kind::Configuration,
            3 => Kind::Script,
            _ => Kind::Output,
        }
    };
    let texts = match kind {
        // Tables and sentences are what proves migrations; they are few among the outputs.
        Kind::Output if random.below(2) == 0 => &corpus.counts,
        Kind::Output => &corpus.outputs,
        Kind::Journal => &corpus.records,
        Kind::Name => &corpus.names,
        Kind::Document => &corpus.documents,
        Kind::Configuration => &corpus.configurations,
        Kind::Script => &corpus.scripts,
    };
    let bytes = mutation::mutated(texts, matches!(kind, Kind::Output), &mut random);
    (kind, bytes, random)
}

#[test]
fn nothing_that_is_read_makes_a_reader_panic_or_lie() {
    let (seed, inputs) = (setting("LEAPFROG_FUZZ_SEED", SEED), setting("LEAPFROG_FUZZ_INPUTS", INPUTS));
    let first = setting("LEAPFROG_FUZZ_FIRST", 0);
    let corpus = Corpus::read();
    let began = Instant::now();
    let at = Cell::new(first);
    let mut read = [0_u64; 6];
    let tell = |text: String| {
        // Not captured, unlike what macros print: a long run must be seen to live.
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    tell(format!("fuzz: {inputs} inputs, LEAPFROG_FUZZ_SEED={seed}"));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for number in first..first.saturating_add(inputs) {
            at.set(number);
            let (kind, bytes, mut random) = input(&corpus, seed, number);
            let meant = match kind {
                Kind::Output => readers::output(&bytes, &mut random),
                Kind::Journal => readers::journal(&bytes),
                Kind::Name => readers::name(&bytes),
                Kind::Document => readers::document(bytes),
                Kind::Configuration => readers::configuration(&bytes),
                Kind::Script => readers::script(&bytes),
            };
            read[kind as usize] += u64::from(meant);
            if (number + 1 - first).is_multiple_of(NEWS) {
                tell(format!("fuzz: {} inputs after {:.0} s", number + 1 - first, began.elapsed().as_secs_f64()));
            }
        }
    }));
    if let Err(panic) = outcome {
        let (kind, bytes, _) = input(&corpus, seed, at.get());
        tell(format!("fuzz: LEAPFROG_FUZZ_SEED={seed} LEAPFROG_FUZZ_FIRST={} ({kind:?})", at.get()));
        tell(format!("fuzz: {:?}", String::from_utf8_lossy(&bytes)));
        resume_unwind(panic);
    }
    let [outputs, journals, names, documents, configurations, scripts] = read;
    tell(format!(
        "fuzz: {inputs} inputs in {:.1} s; {outputs} outputs, {journals} journals, {names} names, {configurations} \
         configurations, {scripts} scripts and {documents} documents were still readable",
        began.elapsed().as_secs_f64()
    ));
    // Inputs that nobody can read test nothing but the first line of a reader.
    assert!(
        inputs < 10_000 || [outputs, journals, names, configurations, scripts].iter().all(|read| *read > inputs / 2000),
        "{read:?} of {inputs}"
    );
}
