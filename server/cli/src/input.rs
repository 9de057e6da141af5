//! What comes from files, and what every write takes.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use ripcord_proto::check::Check;
use ripcord_proto::flagd::ImportedFile;
use ripcord_proto::{ValidationErrors, FlagsFile, ReleaseName, flagd};

use super::exit::Failure;
use super::output::note;
use ripcord_proto::rest::wait::Wait;

/// What every write takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Write {
    /// Why; it goes into the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Wait until every application has confirmed, up to this long (2s, 500ms); exit code 4 where one has not
    #[arg(long, value_name = "TIME")]
    wait: Option<Wait>,
    /// The release that the change belongs to
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<ReleaseName>,
    /// Change what a killed flag serves, if it comes to that
    #[arg(long)]
    pub(crate) allow_killed_edit: bool,
}

impl Write {
    /// How long to wait; not at all unless it was asked for.
    pub(crate) fn patience(&self) -> Duration {
        self.wait.map_or(Duration::ZERO, |Wait(wait)| wait)
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

/// The lines of a document as the value of a member that stands two levels deep.
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

/// The same, told apart, with its problems for whoever collects those of many files. What is passed over is told.
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
