//! Files and folders up to a bound. What cannot be read is not there.

use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::path::Path;

/// Most bytes of a file that are looked at. The longest that matters, a table of mounts, has a few kilobytes.
pub(super) const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most bytes of a file of one line: what the kernel says of a process has a few hundred.
const LINE_BYTES_MAX: usize = 1024;
/// Most entries of a folder that are looked at: more than the processes that Linux allows by default.
pub(super) const ENTRIES_MAX: usize = 65_536;

/// The text of the regular file `path`; bytes that are no UTF-8 are replaced. Empty if there is none.
pub(super) fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    // A pipe in place of a file would keep whoever opens it waiting.
    let regular = std::fs::metadata(path).is_ok_and(|data| data.is_file());
    if regular && let Ok(file) = File::open(path) {
        // What was read before an error counts.
        let _partly = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What one read of the kernel's file `path` gives, without the end of its line. With thousands of processes each call counts.
pub(super) fn line(path: &Path) -> Option<String> {
    let mut bytes = [0; LINE_BYTES_MAX];
    let count = File::open(path).ok()?.read(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..count)?);
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// What is in the folder `path`.
pub(super) fn entries(path: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    std::fs::read_dir(path).into_iter().flatten().take(ENTRIES_MAX).filter_map(Result::ok)
}
