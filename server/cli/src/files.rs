//! Flags files on disk: one, or all of a folder, read in a stable order and merged.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use ripcord_proto::{EnvironmentKey, FlagsFile, SetName, ValidationError, ValidationErrors};

use super::exit::{Failure, Faulty};
use super::input;

/// Nested folders, at most.
const DEPTH: usize = 32;
/// Files of a folder, at most.
const FILES: usize = 10_000;
/// The extensions of flags files.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A flags file that cannot be written, and why.
pub(crate) fn unwritable(why: impl std::fmt::Display) -> Failure {
    Failure::Local(format!("The flags file cannot be written: {why}."))
}

/// The files, and how to apply them.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileArgs {
    /// A flags file (YAML or JSON), or a folder of them; `-` reads the standard input
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: PathBuf,
    /// The file set that the files belong to, if they do not name one with `set:` [default: default]
    #[arg(long, value_name = "SET")]
    pub(crate) set: Option<SetName>,
    /// Delete what the set owns and its files do not contain
    #[arg(long)]
    pub(crate) prune: bool,
    /// Overwrite what another set owns, what no set owns, and what was edited by hand
    #[arg(long)]
    pub(crate) adopt: bool,
}

impl FileArgs {
    /// As typed on the command line.
    pub(crate) fn options(&self) -> String {
        let mut text = format!("-f {}", self.file.display());
        if let Some(set) = &self.set {
            text.push_str(" --set ");
            text.push_str(set.as_str());
        }
        for (option, given) in [(" --prune", self.prune), (" --adopt", self.adopt)] {
            if given {
                text.push_str(option);
            }
        }
        text
    }
}

/// The flags files of one environment and one set.
#[derive(Debug)]
pub(crate) struct Files {
    /// Their name in messages.
    pub(crate) name: String,
    /// The environment that they are meant for, if one of them names it.
    pub(crate) environment: Option<EnvironmentKey>,
    /// The set that they name.
    named_set: Option<SetName>,
    /// Each of them, in order of their paths.
    pub(crate) each: Vec<(PathBuf, FlagsFile)>,
}

impl Files {
    /// Reads a file, or the files of a folder and the folders in it. Hidden ones are left out, and links are not followed.
    ///
    /// # Errors
    /// A file cannot be read or is not valid, a key is in two of them, or they are for two environments or two sets. The
    /// error lists all of these.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = input::name(path);
        if !path.is_dir() {
            return Ok(Self::of(name, vec![(path.to_owned(), input::flags_file(path)?)]));
        }
        let mut paths = Vec::new();
        find(path, DEPTH, &mut paths)?;
        if paths.is_empty() {
            return Err(Failure::Local(format!(
                "{name} contains no flags files: no file name ends in .yaml, .yml or .json."
            )));
        }
        let (mut each, mut faulty) = (Vec::new(), Vec::new());
        for path in paths {
            match input::either(&path)? {
                Ok(read) => each.push((path, read.into_file())),
                Err(faults) => faulty.push(Faulty {
                    file: input::name(&path),
                    faults,
                }),
            }
        }
        faulty.extend(clashes(&each));
        if faulty.is_empty() {
            Ok(Self::of(name, each))
        } else {
            Err(Failure::Files { name, faulty })
        }
    }

    fn of(name: String, each: Vec<(PathBuf, FlagsFile)>) -> Self {
        Self {
            name,
            environment: each.iter().find_map(|(_, file)| file.environment.clone()),
            named_set: each.iter().find_map(|(_, file)| file.set.clone()),
            each,
        }
    }

    /// The set that they are. If one was also named elsewhere, it must be the same.
    pub(crate) fn set(&self, asked: Option<&SetName>) -> Result<SetName, Failure> {
        match (asked, &self.named_set) {
            (Some(asked), Some(named)) if asked != named => Err(Failure::Usage(format!(
                "{} names the set {named}, but --set says {asked}. Remove one of them.",
                self.name
            ))),
            (Some(set), _) | (None, Some(set)) => Ok(set.clone()),
            (None, None) => Ok(SetName::default()),
        }
    }

    /// All of them as one file.
    pub(crate) fn whole(&self) -> FlagsFile {
        let mut whole = FlagsFile {
            environment: self.environment.clone(),
            set: self.named_set.clone(),
            ..FlagsFile::default()
        };
        for (_, file) in &self.each {
            whole.segments.extend(file.segments.clone());
            whole.flags.extend(file.flags.clone());
        }
        whole
    }
}

/// Keys that are in two files, and settings that must not differ between files.
fn clashes(each: &[(PathBuf, FlagsFile)]) -> Vec<Faulty> {
    let mut first: BTreeMap<String, &Path> = BTreeMap::new();
    let mut faulty = Vec::new();
    for (path, file) in each {
        let things = file.segments.keys().map(|key| format!("segments.{key}"));
        let things = things.chain(file.flags.keys().map(|key| format!("flags.{key}")));
        let mut faults: Vec<ValidationError> = Vec::new();
        for thing in things {
            match first.get(&thing) {
                Some(other) => faults.push(ValidationError::new(thing, format!("is also in {}; keep one of them", other.display()))),
                None => drop(first.insert(thing, path)),
            }
        }
        faults.extend(differs("environment", path, each, |file| file.environment.as_ref().map(ToString::to_string)));
        faults.extend(differs("set", path, each, |file| file.set.as_ref().map(ToString::to_string)));
        if let Err(faults) = ValidationErrors::check(faults, ()) {
            faulty.push(Faulty {
                file: input::name(path),
                faults,
            });
        }
    }
    faulty
}

/// Whether a file names something differently than the first one that names it.
fn differs(member: &str, path: &Path, each: &[(PathBuf, FlagsFile)], named: impl Fn(&FlagsFile) -> Option<String>) -> Option<ValidationError> {
    let own = each.iter().find(|(other, _)| other == path).and_then(|(_, file)| named(file))?;
    let (first, theirs) = each.iter().find_map(|(other, file)| Some((other, named(file)?)))?;
    let problem = format!(
        "{own} is not {theirs}, which {} says; the files of a folder are applied together",
        first.display()
    );
    (own != theirs).then(|| ValidationError::new(member, problem))
}

/// The flags files below a folder, in order of their paths.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{} cannot be read: {error}.", folder.display()));
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Failure::Local(format!("{} is nested too deeply: at most {DEPTH} folders.", folder.display())));
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, kind) in entries {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if kind.is_dir() {
            find(&path, depth, found)?;
        } else if kind.is_file() && path.extension().and_then(OsStr::to_str).is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
        if found.len() > FILES {
            return Err(Failure::Local(format!("{} holds more than {FILES} flags files.", folder.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
