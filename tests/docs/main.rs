//! The documents that people follow, followed: every console block of README.md and server/docs/tutorial.md is run in order, from
//! an empty folder, and what is printed is compared with what the document shows.
//!
//! ```sh
//! ./tests/run --only docs                           # compare
//! RIPCORD_UPDATE_DOCS=1 ./tests/run --only docs     # write what was really printed into the documents
//! ```
//!
//! The conventions of a document:
//!
//! - In a ```` ```console ```` block, a line that begins with `$ ` is a command; the lines after it are what it prints, on standard
//!   output and standard error together. A line that ends with `\`, or a here-document (`<<'EOF'`), continues the command.
//! - All blocks of a document share one shell, so that `cd` and `export` stay, and one folder, which is empty at first.
//! - A command that ends with `&`, or the last command of a block under `<!-- background -->`, runs on until the document ends;
//!   the runner waits until it has printed what the document shows, which may be the beginning of its output.
//! - A console block without any command shows what the newest background command prints after that; lines in between are
//!   passed over.
//! - `cargo run … --example NAME` runs the example that was built with the tests, against the server of the document.
//! - A block under `<!-- not run: WHY -->` is left out. So is every block that is not `console`.
//! - A block with a title (```` ```yaml title=flags.yaml ````) is written to the file of that name.
//! - What differs in every run is not compared: ids, keys, digests, moments, durations, sizes, names of nodes. `…` stands for
//!   anything within a line, and a line that is only `…` for any number of lines.
//! - Ids, keys and digests that a command takes from the output of an earlier one are replaced by the real ones. `k_…` in a
//!   command stands for the newest id of that kind.
//! - Documents show the default ports (8016, 8015, 8013) and the home `/home/ada`; each run has ports and a folder of its own.

mod document;
mod pages;
mod runner;
mod shell;
mod volatile;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ripcord_tests::Outcome;

use document::Document;

/// Whether documents are written instead of compared.
fn is_update() -> bool {
    std::env::var_os("RIPCORD_UPDATE_DOCS").is_some()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a document; compares it, or writes what was printed into it where `RIPCORD_UPDATE_DOCS` is set.
fn follow(name: &str) -> Outcome {
    let path = root().join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let run = runner::run(&Document::parse(&text)?)?;
    if is_update() {
        std::fs::write(&path, run.updated(&text))?;
        return Ok(());
    }
    ensure!(
        run.differences.is_empty(),
        "{name} shows something else than what is printed:\n\n{}",
        run.differences.join("\n")
    );
    Ok(())
}

#[test]
fn the_readme_shows_what_is_printed() -> Outcome {
    follow("README.md")
}

#[test]
fn the_tutorial_shows_what_is_printed() -> Outcome {
    follow("server/docs/tutorial.md")
}

/// A generated page is what the code says now; it is written anew where `RIPCORD_UPDATE_DOCS` is set.
#[test]
fn the_page_of_problem_codes_is_current() -> Outcome {
    let (path, page) = (root().join("server/docs/problems.md"), pages::problems());
    if std::env::var_os("RIPCORD_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(written == page, "{} is out of date: run this test with RIPCORD_UPDATE_DOCS=1", path.display());
    Ok(())
}

const SAMPLE: &str = include_str!("sample.md");

#[test]
fn a_document_that_shows_what_is_printed_passes() -> Outcome {
    let run = runner::run(&Document::parse(SAMPLE)?)?;
    ensure!(run.differences.is_empty(), "{}", run.differences.join("\n"));
    ensure!(run.updated(SAMPLE) == SAMPLE, "what is right was changed:\n{}", run.updated(SAMPLE));
    Ok(())
}

#[test]
fn a_document_that_shows_something_else_fails_and_is_updated() -> Outcome {
    let wrong = SAMPLE.replace("$ cat greeting.txt\ncheckout-v2 is here", "$ cat greeting.txt\ncheckout-v2 is there");
    let run = runner::run(&Document::parse(&wrong)?)?;
    ensure!(run.differences.len() == 1 && run.differences[0].contains("is there"), "{:?}", run.differences);
    ensure!(run.updated(&wrong) == SAMPLE, "{}", run.updated(&wrong));
    Ok(())
}
