//! The disk as the control plane needs it: the files that a configuration names, and the file that it came from.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use gate_config::files::{FileError, Files};
use gate_proto::forms::schema::Schema;
use gate_proto::forms::shipped;
use zeroize::Zeroizing;

/// The folder of forms, below the configuration's own. It stands for the one of NetScaler, [`shipped::DIRECTORY`].
pub const FORMS: &str = "loginschema";

/// Reads the form of a login schema: from the folder of forms, or if there is none of that name, the one that comes with the gateway.
/// `read` is given a path below the configuration's own folder.
///
/// # Errors
/// As [`Files::read`] has them; a form that is none is [`FileError::Malformed`].
pub fn form(
    path: &Path,
    read: impl FnOnce(&Path) -> Result<Zeroizing<Vec<u8>>, FileError>,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let inside = path.strip_prefix(shipped::DIRECTORY).unwrap_or(path);
    if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(FileError::Outside);
    }
    let bytes = match (read(&PathBuf::from(FORMS).join(inside)), path.to_str().and_then(shipped::file)) {
        (Err(FileError::Missing), Some(ours)) => Zeroizing::new(ours.as_bytes().to_vec()),
        (read, _) => read?,
    };
    match Schema::parse(&bytes) {
        Ok(_) => Ok(bytes),
        Err(bad) => Err(FileError::Malformed { line: bad.line, column: bad.column, cause: bad.why.to_string() }),
    }
}

/// Reads the files that a configuration names.
pub type ReadFiles = Arc<dyn Files + Send + Sync>;

/// The file with which the gateway starts. Called on helper threads.
pub trait ConfigFile: Send + Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// All of it.
    ///
    /// # Errors
    /// If it cannot be read, is too long, or is not UTF-8.
    fn read(&self) -> io::Result<Zeroizing<String>>;

    /// Puts `text` in its place, at once and whole, and keeps those before it.
    ///
    /// # Errors
    /// If that cannot be done. The file is as it was.
    fn write(&self, text: &str) -> io::Result<()>;

    /// The key beside it, under which secrets in it are sealed. `None`: none has been made yet.
    ///
    /// # Errors
    /// If it cannot be read, is not a key, or others may read it, too.
    fn key(&self) -> io::Result<Option<Key>>;

    /// Puts a key there, for nobody else to read.
    ///
    /// # Errors
    /// If that cannot be done, or there is one.
    fn make_key(&self, key: &Key) -> io::Result<()>;
}

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// A key under which secrets are sealed.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(_: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        Err(FileError::Missing)
    }

    #[test]
    fn forms_come_from_their_folder_or_from_the_gateway() {
        let ours = shipped::file("SingleAuth.xml").unwrap();
        for path in ["SingleAuth.xml", "LoginSchema/SingleAuth.xml", "/nsconfig/loginschema/LoginSchema/SingleAuth.xml"] {
            assert_eq!(form(Path::new(path), missing).map(|bytes| bytes.to_vec()), Ok(ours.as_bytes().to_vec()), "{path}");
        }
        let own = ours.replace("</", " </");
        let read = |path: &Path| {
            assert_eq!(path, Path::new("loginschema/LoginSchema/SingleAuth.xml"));
            Ok(Zeroizing::new(own.clone().into_bytes()))
        };
        let path = Path::new("/nsconfig/loginschema/LoginSchema/SingleAuth.xml");
        assert!(form(path, read).is_ok_and(|bytes| bytes.len() > ours.len()));
        assert_eq!(form(Path::new("none.xml"), missing), Err(FileError::Missing));
    }

    #[test]
    fn nothing_outside_is_read_and_nothing_that_is_no_form() {
        let never = |path: &Path| -> Result<Zeroizing<Vec<u8>>, FileError> { panic!("{} is read", path.display()) };
        for path in
            ["/etc/passwd", "../ns.conf", "LoginSchema/../../ns.conf", "/nsconfig/ns.conf", "/nsconfig/loginschema/../ns.conf"]
        {
            assert_eq!(form(Path::new(path), never), Err(FileError::Outside), "{path}");
        }
        let bad = form(Path::new("a.xml"), |_| Ok(Zeroizing::new(b"<a>\n<b></a>".to_vec())));
        assert!(matches!(&bad, Err(FileError::Malformed { line: 2, .. })), "{bad:?}");
    }
}
