//! How the commands find the server on this machine without settings: a file that only its owner can read.
//!
//! Each data folder's server has a file of its own, which it writes when it starts and locks while it runs. It names the
//! server's address and an admin key. The key is made once, at the first start, so the file stays when the server ends: the
//! next start finds the key in it. A file that others can read is refused.
//!
//! The lock is also the proof that the address is still the server's: anything may listen there once it has ended, so that the key of a
//! file that is not locked is never sent.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ripcord_proto::digest::Digest;

/// What a server announces about itself.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Announced {
    /// Its address: `http://127.0.0.1:8016`.
    pub(crate) address: String,
    /// A key that it accepts, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// Its data folder.
    pub(crate) data_dir: PathBuf,
    /// Whether it is a demo; if another server runs too, that one is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) demo: bool,
}

/// The servers on this machine that a caller may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalServers {
    /// The one that has run longest; if none runs, the last one that ran, without its key.
    pub(crate) server: Announced,
    /// Others of its kind that run, the older ones first.
    pub(crate) rivals: Vec<Announced>,
}

/// Shows no key.
impl std::fmt::Debug for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announced")
            .field("address", &self.address)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Why a file cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// No folder for it is known.
    #[error("neither XDG_STATE_HOME nor HOME is set")]
    Homeless,
    /// It can be read by others.
    #[error(
        "{} holds an admin key and can be read by others (mode {mode:o}). Fix it with `chmod 600 {}`, or restart the server.",
        path.display(), path.display()
    )]
    Exposed {
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

/// What happens to the file when the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It stays: the next start over the same data folder needs the key.
    ForNextStart,
    /// It is deleted, like the data folder.
    WhileRunning,
}

/// The file of a running server. Dropping it announces that the server has ended.
#[derive(Debug)]
pub struct Announcement {
    path: PathBuf,
    keep: Keep,
    key: Key,
    /// Locked as long as it is open.
    _lock: File,
}

/// Whether an announcement names a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Commands need nothing more.
    Known,
    /// Commands find the address, and need a key.
    Unknown,
}

impl Announcement {
    /// Whether it names a key.
    pub const fn key(&self) -> Key {
        self.key
    }
}

/// Announces the address of a server and its key, readable by the owner only. `address` has a scheme:
/// `http://127.0.0.1:8016`. Without a key, the one that the folder's server announced before stays.
///
/// # Errors
/// The file cannot be written. The server can still run; commands then need `--key`.
pub(crate) fn announce(address: &str, data_dir: &Path, key: Option<&str>, keep: Keep) -> Result<Announcement, DiscoveryError> {
    let directory = directory().ok_or(DiscoveryError::Homeless)?;
    announce_in(&directory, address, data_dir, key, keep)
}

fn announce_in(directory: &Path, address: &str, data_dir: &Path, key: Option<&str>, keep: Keep) -> Result<Announcement, DiscoveryError> {
    let data_dir = absolute(data_dir);
    let path = file_of(directory, &data_dir);
    let known = || read(&path).ok().flatten().and_then(|before| before.key);
    let announced = Announced {
        address: address.to_owned(),
        key: key.map(str::to_owned).or_else(known),
        data_dir,
        demo: keep == Keep::WhileRunning,
    };
    let lock = write(&announced, &path).map_err(|source| DiscoveryError::File { path: path.clone(), source })?;
    let key = if announced.key.is_some() { Key::Known } else { Key::Unknown };
    Ok(Announcement { path, keep, key, _lock: lock })
}

/// Locks the file of the server that ran over this data folder before, while the next one starts: commands that are run meanwhile
/// reach the new one, which takes the same key. `None` if there is no such file, or a server that runs has locked it.
pub fn hold(data_dir: &Path) -> Option<File> {
    hold_in(&directory()?, data_dir)
}

fn hold_in(directory: &Path, data_dir: &Path) -> Option<File> {
    let file = File::open(file_of(directory, &absolute(data_dir))).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn absolute(data_dir: &Path) -> PathBuf {
    std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned())
}

/// The file of the server over this data folder.
fn file_of(directory: &Path, data_dir: &Path) -> PathBuf {
    let name = Digest::of([data_dir.as_os_str().as_encoded_bytes()]).to_string();
    directory.join(format!("{}.json", name.get(..16).unwrap_or(&name)))
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if self.keep == Keep::WhileRunning {
            // There is no one left to tell; a file that remains names a server that is not running.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The servers on this machine: those that run, or the last one that ran.
pub(crate) fn find() -> Result<Option<LocalServers>, DiscoveryError> {
    directory().map_or(Ok(None), |directory| find_in(&directory))
}

fn find_in(directory: &Path) -> Result<Option<LocalServers>, DiscoveryError> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(None) };
    let files = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    let written = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let mut files: Vec<_> = files.map(|path| (written(&path), path)).collect();
    files.sort();
    let (running, ended): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, path)| runs(path));
    if running.is_empty() {
        let last = ended.last().map_or(Ok(None), |(_, path)| read(path))?;
        return Ok(last.map(|ended| LocalServers {
            server: Announced { key: None, ..ended },
            rivals: Vec::new(),
        }));
    }
    let mut servers = Vec::new();
    for (_, path) in running {
        servers.extend(read(&path)?);
    }
    if servers.iter().any(|server| !server.demo) {
        servers.retain(|server| !server.demo);
    }
    let mut servers = servers.into_iter();
    Ok(servers.next().map(|server| LocalServers {
        server,
        rivals: servers.collect(),
    }))
}

/// Whether the server that wrote the file still holds its lock.
fn runs(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// `$XDG_STATE_HOME/ripcord`, else `~/.local/state/ripcord`.
fn directory() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = directory("XDG_STATE_HOME").or_else(|| directory("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("ripcord"))
}

fn read(path: &Path) -> Result<Option<Announced>, DiscoveryError> {
    let failed = |source| DiscoveryError::File { path: path.to_owned(), source };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if let Some(mode) = exposed(path).map_err(failed)? {
        return Err(DiscoveryError::Exposed { path: path.to_owned(), mode });
    }
    // An unreadable file was written by another version; ignore it.
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

/// Writes a temporary file that others cannot read, locks it, and renames it.
fn write(announced: &Announced, path: &Path) -> std::io::Result<File> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, announced)?;
    file.write_all(b"\n")?;
    file.as_file().lock()?;
    file.persist(path).map_err(|error| error.error)
}

#[cfg(test)]
mod tests;
