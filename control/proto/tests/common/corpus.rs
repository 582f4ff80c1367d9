//! The files of one corpus folder.

use std::path::Path;

pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// Checks the verdict on the whole input, and that none of its beginnings does harm.
    pub(crate) fn holds(&self, verdict: impl Fn(&[u8]) -> bool) {
        assert!(verdict(&self.bytes), "{}: {}", self.name, String::from_utf8_lossy(&self.bytes));
        for end in 0..self.bytes.len() {
            let _answered = verdict(&self.bytes[..end]);
        }
    }
}

/// All of them, sorted by name. A folder that is empty is a mistake in the test.
pub(crate) fn inputs(folder: &str) -> Vec<Input> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(folder);
    let mut inputs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| Input { name: path.file_name().unwrap().to_string_lossy().into_owned(), bytes: std::fs::read(path).unwrap() })
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    inputs
}
