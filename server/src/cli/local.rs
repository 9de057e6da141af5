//! How a newcomer's first command finds the server on this machine: a file that only its owner can read.
//!
//! `ripcord serve` writes it when it starts and takes it away when it ends. It names an address and a key; the key is what the
//! file is protected for. A file that others can read is refused, and so is one in a directory that another could have made.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Announced {
    /// Its address: `http://127.0.0.1:8016`.
    pub(crate) address: String,
    /// A key that it accepts.
    pub(crate) key: String,
    /// Its process, so that it takes away no other server's file.
    pub(crate) pid: u32,
}

/// Shows no key.
impl std::fmt::Debug for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announced")
            .field("address", &self.address)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

/// Why the file cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no place for it.
    #[error("neither XDG_STATE_HOME nor HOME is set")]
    Homeless,
    /// It can be read by others.
    #[error(
        "{} holds an admin key and can be read by others (mode {mode:o}). Take that away with `chmod 600 {}`, or restart the server.",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The file of a server that runs; dropping it takes the file away.
#[derive(Debug)]
pub struct Announcement {
    path: PathBuf,
    pid: u32,
}

/// Says where a server runs and with which key it can be reached, to its owner alone. `address` has a scheme:
/// `http://127.0.0.1:8016`. A second server on the machine takes the place of the first.
pub fn announce(address: &str, key: &str) -> Result<Announcement, LocalError> {
    let announced = Announced {
        address: address.to_owned(),
        key: key.to_owned(),
        pid: std::process::id(),
    };
    let path = path().ok_or(LocalError::Homeless)?;
    announced.write(&path).map_err(|source| LocalError::File { path: path.clone(), source })?;
    Ok(Announcement { path, pid: announced.pid })
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let own = read(&self.path).ok().flatten().is_some_and(|announced| announced.pid == self.pid);
        if own {
            // Nobody is left to be told; a file that stays names a server that does not answer.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The server on this machine, where one has said so.
pub(crate) fn find() -> Result<Option<Announced>, LocalError> {
    path().map_or(Ok(None), |path| read(&path))
}

/// `$XDG_STATE_HOME/ripcord/local.json`, else under `~/.local/state`.
fn path() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = directory("XDG_STATE_HOME").or_else(|| directory("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("ripcord/local.json"))
}

fn read(path: &Path) -> Result<Option<Announced>, LocalError> {
    let failed = |source| LocalError::File { path: path.to_owned(), source };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if let Some(mode) = exposed(path).map_err(failed)? {
        return Err(LocalError::Exposed { path: path.to_owned(), mode });
    }
    // One that cannot be read was made by another version, and is as good as none.
    Ok(serde_json::from_str(&text).ok())
}

#[cfg(unix)]
fn exposed(path: &Path) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn exposed(_: &Path) -> std::io::Result<Option<u32>> {
    Ok(None)
}

impl Announced {
    /// Writes it beside its place, closed to others from the first byte, and moves it there.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        // A temporary file is made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
