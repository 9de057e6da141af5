//! The data folder: what is in it, and this node's name, which stays the same across restarts.

use std::io;
use std::path::{Path, PathBuf};

/// A data folder that exists and can be written.
#[derive(Debug, Clone)]
pub(super) struct DataDir {
    path: PathBuf,
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the data folder {path}: {source}. Choose another with --data-dir")]
pub struct DataDirError {
    path: PathBuf,
    source: io::Error,
}

impl DataDir {
    /// Opens the folder; creates it if it is missing, readable only by its owner.
    pub(super) fn open(path: &Path) -> Result<Self, DataDirError> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let refuse = |source| DataDirError { path: path.to_owned(), source };
        if path.is_dir() {
            let mode = std::fs::metadata(path).map_err(refuse)?.permissions().mode();
            if mode & 0o077 != 0 {
                tracing::debug!(path = %path.display(), "the data folder is readable by other users");
            }
        } else {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refuse)?;
        }
        Ok(Self { path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The journal of kills.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("kills.journal")
    }

    /// Recent outcomes that applications reported.
    pub(super) fn outcomes(&self) -> PathBuf {
        self.path.join("outcomes")
    }

    /// Entries that a re-seeded log no longer holds.
    pub(super) fn orphans(&self) -> PathBuf {
        self.path.join("orphaned.jsonl")
    }

    /// This node's name: `given`, else the one saved in the folder, else a new one, which is saved there.
    pub(super) fn node(&self, given: Option<&str>) -> Result<String, DataDirError> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let file = self.path.join("node");
        let refuse = |source| DataDirError { path: file.clone(), source };
        match std::fs::read_to_string(&file) {
            Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
            Ok(_) => self.new_name(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.new_name(&file),
            Err(error) => Err(refuse(error)),
        }
    }

    fn new_name(&self, file: &Path) -> Result<String, DataDirError> {
        let name = format!("node-{:06x}", rand::random::<u32>() & 0x00ff_ffff);
        std::fs::write(file, format!("{name}\n")).map_err(|source| DataDirError {
            path: self.path.clone(),
            source,
        })?;
        Ok(name)
    }
}
