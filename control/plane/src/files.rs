//! The disk as the control plane needs it: the files that a configuration names, and the file that it came from.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gate_config::files::Files;
use zeroize::Zeroizing;

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
