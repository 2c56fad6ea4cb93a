//! Names of Unix sockets, and a folder for them.

use ropewalk::UnixAddress;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// Parses the name of a Unix socket: a path, or `@NAME` for an abstract name on systems that have them.
pub fn name(text: OsString) -> UnixAddress {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = text.to_str().and_then(|text| text.strip_prefix('@')) {
        return UnixAddress::abstract_name(name);
    }
    PathBuf::from(text).into()
}

/// Returns socat(1)'s address for the socket.
pub fn socat(name: &UnixAddress) -> String {
    match name.path() {
        Some(path) => format!("UNIX-CONNECT:{}", path.display()),
        None => format!("ABSTRACT-CONNECT:{}", name.to_string().trim_start_matches('@')),
    }
}

/// A temporary folder for a demo. It is removed when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Creates the folder.
    ///
    /// # Panics
    ///
    /// Panics if the folder cannot be created.
    #[allow(clippy::new_without_default)] // It has an effect.
    pub fn new() -> Self {
        let name = format!("ropewalk-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
