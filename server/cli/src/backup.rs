//! `ripcord backup`: everything that a server knows, in one file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt as _;

use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::note;

/// Write everything that the server knows into a file
///
/// Every environment with its history, and the hashed keys; only you can read the file. `ripcord serve --restore-backup FILE` starts from it, in a new epoch.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord backup -f ripcord-backup
  ripcord serve --restore-backup ripcord-backup      starts from it")]
pub(crate) struct Backup {
    /// The file to write; an existing file is not replaced
    #[arg(short, long, value_name = "FILE", required_unless_present = "path")]
    file: Option<PathBuf>,
    /// The same without -f
    #[arg(value_name = "FILE", conflicts_with = "file")]
    path: Option<PathBuf>,
}

/// Writes the backup. Deletes the file if it is incomplete.
pub(crate) async fn run(call: &Context, command: Backup) -> Result<Exit, Failure> {
    let Some(path) = command.file.or(command.path) else {
        return Err(Failure::Usage("name the file to write: -f FILE".to_owned()));
    };
    let failed = |error: std::io::Error| Failure::Local(format!("{} cannot be written: {error}.", path.display()));
    if path.exists() {
        return Err(Failure::Local(format!("{} already exists; choose another file.", path.display())));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let response = call.client.open(Call::get(["v1", "backup"]).slow(), "*/*").await?;
    let mut bytes = response.bytes_stream();
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut size = 0;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| Failure::Local(format!("The backup is incomplete and was deleted: {error}.")))?;
        size += chunk.len();
        file.write_all(&chunk).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(&path).map_err(|error| failed(error.error))?;
    note(&format!(
        "Wrote {size} bytes to {}. Start from it with: ripcord serve --restore-backup {0}",
        path.display()
    ));
    Ok(Exit::Done)
}
