//! Arguments that several commands share: files, the standard input, the limit of a list.

use std::io::Read as _;
use std::path::Path;

use clap::Args;
use ripcord_proto::check::Check;
use ripcord_proto::flagd::ImportedFile;
use ripcord_proto::{FlagsFile, ValidationErrors, flagd};

use super::exit::Failure;
use super::output::note;

/// The arguments of every `list`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ListArgs {
    /// List at most this many [default: all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
}

impl ListArgs {
    /// At most this many; all, if no limit was given.
    pub(crate) fn most(self) -> usize {
        self.limit.unwrap_or(usize::MAX).max(1)
    }
}

/// The text of a file; `-` is the standard input.
pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{} cannot be read: {error}.", file.display()));
    if file != Path::new("-") {
        return std::fs::read_to_string(file).map_err(failed);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The lines of a document as the value of a member that is nested two levels deep.
pub(crate) fn nested(document: &str) -> String {
    document.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// The name of a file in a message.
pub(crate) fn name(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// A flags file, or flagd's flags, whole and valid in themselves, or every problem in it.
pub(crate) fn flags_file(file: &Path) -> Result<FlagsFile, Failure> {
    Ok(either(file)?.map_err(|faults| Failure::File { file: name(file), faults })?.into_file())
}

/// The same, as one of both formats, with its problems, for callers that collect those of many files. Prints a warning for what is ignored.
pub(crate) fn either(file: &Path) -> Result<Result<ImportedFile, ValidationErrors>, Failure> {
    let read = flagd::parse_either(&text(file)?);
    if let Ok(read) = &read {
        for warning in read.warnings() {
            note(&format!("Warning: {}: {warning}.", name(file)));
        }
    }
    Ok(read)
}

/// A file of checks, valid in itself, or every problem in it.
pub(crate) fn checks(file: &Path) -> Result<Vec<Check>, Failure> {
    let text = text(file)?;
    Check::parse_file(&text).map_err(|faults| Failure::File { file: name(file), faults })
}
