//! What the programs share that use Unix sockets.

use ropewalk::UnixAddress;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// A name as it is typed: `@NAME` is an abstract one, where there are such.
pub(crate) fn name(text: OsString) -> UnixAddress {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = text.to_str().and_then(|text| text.strip_prefix('@')) {
        return UnixAddress::abstract_name(name);
    }
    PathBuf::from(text).into()
}

/// How socat(1) is told to connect there.
#[allow(dead_code)] // Not every program mentions it.
pub(crate) fn socat(name: &UnixAddress) -> String {
    match name.path() {
        Some(path) => format!("UNIX-CONNECT:{}", path.display()),
        None => format!("ABSTRACT-CONNECT:{}", name.to_string().trim_start_matches('@')),
    }
}

/// A folder for a demo. It goes with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("ropewalk-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
