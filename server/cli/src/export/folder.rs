//! Writing an environment back into a folder of flags files: each flag and segment goes into the file that has it, in its place.

use std::path::{Path, PathBuf};

use ripcord_proto::FlagsFile;
use ripcord_proto::flagd::ImportedFile;

use crate::exit::Failure;
use crate::files::{Files, unwritable};
use crate::input;
use crate::output::{count, note};

/// The file for flags and segments that no file has yet.
const NEW: &str = "flags.yaml";

/// Writes `whole` into the files of `folder`. A file that would not change is not touched, so that its comments and its
/// layout stay.
pub(super) fn write(folder: &Path, whole: &FlagsFile) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(format!("{}: {error}", folder.display())))?;
    let each = match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Vec::new(),
        Ok(false) | Err(_) => Files::read(folder)?.each,
    };
    let written = spread(folder, &each, whole);
    let is_same = |path: &Path, file: &FlagsFile| each.iter().any(|(known, before)| known == path && before == file);
    let changed: Vec<_> = written.iter().filter(|(path, file)| !is_same(path, file)).collect();
    for (path, _) in &changed {
        if path.is_file() && matches!(input::either(path)?, Ok(ImportedFile::Flagd(_))) {
            return Err(unwritable(format!(
                "{} holds flagd's flags, which `ripcord export --format flagd -o FILE` writes",
                path.display()
            )));
        }
    }
    for (path, file) in &changed {
        save(path, file)?;
    }
    note(&format!(
        "Wrote {} of {} in {}.",
        changed.len(),
        count(written.len(), "flags file", "flags files"),
        folder.display()
    ));
    Ok(())
}

/// The files as they should be.
fn spread(folder: &Path, each: &[(PathBuf, FlagsFile)], whole: &FlagsFile) -> Vec<(PathBuf, FlagsFile)> {
    let mut rest = whole.clone();
    let mut written: Vec<(PathBuf, FlagsFile)> = Vec::new();
    for (path, before) in each {
        let mut file = FlagsFile {
            environment: before.environment.clone(),
            set: before.set.clone(),
            ..FlagsFile::default()
        };
        for key in before.segments.keys() {
            file.segments.extend(rest.segments.shift_remove(key).map(|segment| (key.clone(), segment)));
        }
        for key in before.flags.keys() {
            file.flags.extend(rest.flags.shift_remove(key).map(|flag| (key.clone(), flag)));
        }
        written.push((path.clone(), file));
    }
    if rest.flags.is_empty() && rest.segments.is_empty() {
        return written;
    }
    let new = folder.join(NEW);
    match written.iter_mut().find(|(path, _)| *path == new) {
        Some((_, file)) => {
            file.segments.extend(rest.segments);
            file.flags.extend(rest.flags);
        }
        None => written.push((new, rest)),
    }
    written
}

fn save(path: &Path, file: &FlagsFile) -> Result<(), Failure> {
    let text = if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::to_string_pretty(file).map_err(|error| unwritable(error.to_string()))?
    } else {
        file.to_yaml().map_err(|error| unwritable(error.to_string()))?
    };
    std::fs::write(path, format!("{}\n", text.trim_end())).map_err(|error| unwritable(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> FlagsFile {
        FlagsFile::parse(text).unwrap()
    }

    fn flag(key: &str, default: &str) -> String {
        format!("  {key}: {{variants: {{on: true, off: false}}, default: {default}, safe: off}}\n")
    }

    #[test]
    fn everything_goes_back_into_the_file_that_has_it_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let write_file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let read_file = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let untouched = format!("# a comment\nflags:\n{}{}", flag("z", "on"), flag("a", "off"));
        write_file("a.yaml", &untouched);
        write_file("b.yaml", &format!("set: shop\nflags:\n{}{}", flag("d", "off"), flag("gone", "off")));
        let whole = format!("flags:\n{}{}{}{}", flag("a", "off"), flag("d", "on"), flag("new", "on"), flag("z", "on"));
        write(folder.path(), &parse(&whole)).unwrap();
        assert_eq!(read_file("a.yaml"), untouched);
        assert_eq!(parse(&read_file("b.yaml")), parse(&format!("set: shop\nflags:\n{}", flag("d", "on"))));
        assert_eq!(parse(&read_file("flags.yaml")), parse(&format!("flags:\n{}", flag("new", "on"))));
        let before = read_file("b.yaml");
        write(folder.path(), &parse(&whole)).unwrap();
        assert_eq!(read_file("b.yaml"), before);
    }

    #[test]
    fn a_file_of_flagd_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let text = r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}}}"#;
        std::fs::write(&path, text).unwrap();
        let told = write(folder.path(), &parse(&format!("flags:\n{}", flag("a", "on")))).unwrap_err();
        assert!(told.describe(crate::output::Paint::Plain).contains("--format flagd"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        write(folder.path(), &parse(&format!("flags:\n{}", flag("a", "off")))).unwrap();
    }
}
