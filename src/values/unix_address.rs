//! Names of Unix sockets.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

/// The name of a Unix socket (unix(7)): a path, an abstract name, or no name, as most
/// clients have.
///
/// It prints as a path; an abstract name has an `@` before it. Characters that a terminal cannot show are
/// escaped. Two addresses are equal if the names are, although a socket may have several paths.
///
/// ```
/// use ropewalk::{Address, UnixAddress};
///
/// let path = UnixAddress::from("/run/echo.sock");
/// assert_eq!(path.to_string(), "/run/echo.sock");
/// assert_eq!(UnixAddress::unnamed().to_string(), "(unnamed)");
/// assert_eq!(UnixAddress::abstract_name("echo\n").to_string(), "@echo\\n");
/// assert_eq!(Address::from(path.clone()).unix(), Some(&path));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "UNIXAddress")]
pub struct UnixAddress(Name);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Name {
    Unnamed,
    Path(Box<Path>),
    /// The name without the leading zero byte of the system.
    Abstract(Box<[u8]>),
}

impl UnixAddress {
    /// Returns the address of a socket without a name. For a listener on this address the system chooses an abstract
    /// name (Linux: unix(7), "Autobind feature").
    pub fn unnamed() -> Self {
        Self(Name::Unnamed)
    }

    /// Returns an abstract name, which has no file (Linux: unix(7), "abstract"). Every process of the same
    /// network namespace can connect to it, whatever its user. The name exists until the last copy of the
    /// socket is closed. It may contain any bytes, including zeros.
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Self {
        Self(Name::Abstract(name.as_ref().into()))
    }

    /// Returns true if it has no name.
    pub fn is_unnamed(&self) -> bool {
        self.0 == Name::Unnamed
    }

    /// Returns the path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Name::Path(path) => Some(path),
            _ => None,
        }
    }

    /// Returns the abstract name, if it is one.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Name::Abstract(name) => Some(name),
            _ => None,
        }
    }
}

impl From<&Path> for UnixAddress {
    fn from(path: &Path) -> Self {
        Self(Name::Path(path.into()))
    }
}

impl From<PathBuf> for UnixAddress {
    fn from(path: PathBuf) -> Self {
        Self(Name::Path(path.into()))
    }
}

impl From<&PathBuf> for UnixAddress {
    fn from(path: &PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

/// Makes a path, whatever the text begins with.
impl From<&str> for UnixAddress {
    fn from(path: &str) -> Self {
        Self::from(Path::new(path))
    }
}

/// Makes a path, whatever the text begins with.
impl From<String> for UnixAddress {
    fn from(path: String) -> Self {
        Self::from(PathBuf::from(path))
    }
}

impl From<&Self> for UnixAddress {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("(unnamed)"),
            Name::Path(path) => escaped(path.as_os_str().as_encoded_bytes(), f),
            Name::Abstract(name) => {
                f.write_char('@')?;
                escaped(name, f)
            }
        }
    }
}

/// Writes text, and escapes control characters and invalid bytes.
fn escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        write!(f, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    #[test]
    fn address_has_at_most_32_bytes() {
        assert!(size_of::<Address>() <= 32, "{}", size_of::<Address>());
    }

    #[test]
    fn control_characters_in_names_are_escaped() {
        let name = |bytes: &[u8]| UnixAddress(Name::Abstract(bytes.into())).to_string();
        assert_eq!(name(b"plain"), "@plain");
        assert_eq!(name("zoë".as_bytes()), "@zoë");
        assert_eq!(name(b"\x1b[2J\0\xff"), "@\\u{1b}[2J\\u{0}\\xff");
        assert_eq!(UnixAddress::from("a\nb").to_string(), "a\\nb");
    }

    #[test]
    fn path_never_equals_abstract_name() {
        let path = UnixAddress::from("name");
        let other = UnixAddress(Name::Abstract(b"name".as_slice().into()));
        assert_ne!(path, other);
        assert_eq!((path.as_abstract_name(), other.path()), (None, None));
        assert_eq!(other.as_abstract_name(), Some(b"name".as_slice()));
    }
}
