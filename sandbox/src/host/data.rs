//! What survives a restart: a directory that one sandbox holds at a time.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A data directory, held until it is dropped. The lock is the kernel's, so a killed process leaves none.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be made or written to.
    #[error("cannot write to the data directory {path}: {cause}")]
    Unwritable {
        /// The directory.
        path: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another sandbox holds it.
    #[error("the data directory {0} is in use by another sandbox")]
    InUse(String),
}

impl DataDir {
    /// Makes the directory if it is not there, and takes hold of it.
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let unwritable = |cause: io::Error| Unusable::Unwritable { path: path.display().to_string(), cause };
        std::fs::create_dir_all(path).map_err(unwritable)?;
        let lock = File::create(path.join("sandbox.lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Unusable::InUse(path.display().to_string())),
            Err(TryLockError::Error(cause)) => Err(unwritable(cause)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A small JSON document in the data directory; without a directory it is forgotten.
#[derive(Clone, Debug, Default)]
pub struct Saved(Option<PathBuf>);

impl Saved {
    /// The document `name` of this directory.
    pub fn in_dir(dir: Option<&Path>, name: &str) -> Self {
        Self(dir.map(|dir| dir.join(name)))
    }

    /// What was stored last.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, io::Error> {
        let Some(path) = &self.0 else { return Ok(None) };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| self.at_path(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.at_path(error)),
        }
    }

    fn at_path(&self, cause: impl std::fmt::Display) -> io::Error {
        let path = self.0.as_deref().unwrap_or(Path::new("")).display();
        io::Error::other(format!("{path}: {cause}"))
    }

    /// Replaces it whole: whoever is killed meanwhile leaves the old document or the new one.
    pub fn store<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), io::Error> {
        let Some(path) = &self.0 else { return Ok(()) };
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(value)?).map_err(|error| self.at_path(error))?;
        std::fs::rename(beside, path).map_err(|error| self.at_path(error))
    }

    /// Like [`Saved::store`], where the work goes on when the disk is full.
    pub fn store_or_warn<T: Serialize + ?Sized>(&self, value: &T) {
        if let Err(error) = self.store(value) {
            tracing::error!(%error, "not saved");
        }
    }
}
