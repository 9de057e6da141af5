//! Rust examples of the READMEs are doc-tests, so every other block must say that it is not Rust.

use std::path::Path;

/// The lines of blocks that name no language.
fn unnamed_blocks(text: &str) -> Vec<usize> {
    let mut inside = false;
    let fences = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("```"));
    fences
        .filter_map(|(number, line)| {
            inside = !inside;
            (inside && line.trim() == "```").then_some(number + 1)
        })
        .collect()
}

#[test]
fn every_block_of_a_readme_names_its_language() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [own.join("README.md"), own.join("../README.md")] {
        // The repository's README is not part of the published crate.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        assert_eq!(unnamed_blocks(&text), Vec::<usize>::new(), "{}", path.display());
    }
}
