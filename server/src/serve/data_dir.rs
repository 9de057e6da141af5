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
    /// Opens the folder; creates it if it is missing. It and everything in it is readable only by its owner: the log has the secrets that
    /// signals of triggers are verified with.
    pub(super) fn open(path: &Path) -> Result<Self, DataDirError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let refuse = |source| DataDirError { path: path.to_owned(), source };
        // For every file that this process makes from now on.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        if !path.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refuse)?;
        }
        if let Err(error) = close_to_others(path) {
            tracing::warn!(path = %path.display(), %error, "other users may be able to read the data folder");
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

/// Takes every permission of other users from a folder and what is in it: folders become 0700, files 0600.
fn close_to_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::symlink_metadata(path)?;
    if about.is_symlink() {
        return Ok(());
    }
    let mode = about.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700))?;
    }
    if about.is_dir() {
        for entry in std::fs::read_dir(path)? {
            close_to_others(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_exists_is_closed_to_others_with_everything_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::create_dir_all(path.join("outcomes")).unwrap();
        std::fs::write(path.join("kills.journal"), "").unwrap();
        std::fs::write(path.join("outcomes/1"), "").unwrap();
        for open in [path.clone(), path.join("outcomes")] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for open in ["kills.journal", "outcomes/1"] {
            std::fs::set_permissions(path.join(open), std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let data = DataDir::open(&path).unwrap();
        data.node(None).unwrap();
        assert_eq!((mode(&path), mode(&path.join("outcomes"))), (0o700, 0o700));
        for file in ["kills.journal", "outcomes/1", "node"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
    }
}
