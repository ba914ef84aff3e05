//! What goes over the wire, written down so that judges which nobody here wrote can be held against it afterwards.

use serde::Serialize;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A file of JSON lines that this process adds to.
pub(crate) struct Lines(Mutex<File>);

impl Lines {
    /// `DIR/<process id>.jsonl`, where the variable of this name gives the directory; `None` without it, and where the file
    /// cannot be written, which is said in the log.
    pub(crate) fn asked_for(variable: &str) -> Option<Self> {
        let directory = std::env::var_os(variable)?;
        let path = Path::new(&directory).join(format!("{}.jsonl", std::process::id()));
        let open = || {
            std::fs::create_dir_all(&directory)?;
            OpenOptions::new().create(true).append(true).open(&path)
        };
        match open() {
            Ok(file) => Some(Self(Mutex::new(file))),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "nothing is recorded");
                None
            }
        }
    }

    /// Adds a line.
    pub(crate) fn write(&self, line: &impl Serialize) {
        let mut text = json!(line).to_string();
        text.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::error!(%error, "an exchange was not recorded");
        }
    }
}

/// JSON as it is, other text as a string, nothing as null.
pub(crate) fn parsed(bytes: &[u8]) -> serde_json::Value {
    if bytes.is_empty() {
        return serde_json::Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}
