//! What a client is to end and to delete before it is looked at: `-killProcess` and `-deletefiles`.
//!
//! It is an order to somebody else's machine, so only what is plainly meant passes: names of processes without a path, whole paths on the
//! client's own disks, nothing that could stand for several. A client follows it only where its own user has agreed to that.

/// Entries of one list.
pub const ORDERS_MAX: usize = 32;
/// Longest entry, in bytes.
pub const ORDER_BYTES_MAX: usize = 260;

/// What a client is asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Processes to end, by their names.
    pub kill: Vec<Box<str>>,
    /// Files to delete, by their whole paths.
    pub delete: Vec<Box<str>>,
}

impl Orders {
    /// Adds those of an action, each once. How many of its entries are not such as may be handed out.
    pub(super) fn add(&mut self, kill: Option<&str>, delete: Option<&str>) -> usize {
        list(&mut self.kill, kill, is_process) + list(&mut self.delete, delete, is_file)
    }
}

fn list(list: &mut Vec<Box<str>>, text: Option<&str>, fits: fn(&str) -> bool) -> usize {
    let mut refused = 0;
    for entry in text.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        if list.iter().any(|there| &**there == entry) {
            continue;
        }
        if list.len() < ORDERS_MAX && fits(entry) {
            list.push(entry.into());
        } else {
            refused += 1;
        }
    }
    refused
}

/// Whether `text` names one process and nothing else: no path, nothing that stands for several or for a variable.
#[must_use]
pub fn is_process(text: &str) -> bool {
    is_plain(text) && !text.contains(['/', '\\', ':']) && !matches!(text, "." | "..")
}

/// Whether `text` names one file on the client's own disks: a whole path (`/opt/x`, `C:\x`), without `..`, not of another machine or a
/// device, nothing that stands for several or for a variable.
#[must_use]
pub fn is_file(text: &str) -> bool {
    let mut start = text.chars();
    let windows = start.next().is_some_and(|c| c.is_ascii_alphabetic())
        && start.next() == Some(':')
        && start.next().is_some_and(|c| c == '\\' || c == '/');
    let unix = text.starts_with('/');
    let behind = if windows { &text[3..] } else { text.strip_prefix('/').unwrap_or_default() };
    let whole = !behind.is_empty() && behind.split(['/', '\\']).all(|part| !part.is_empty() && part != "." && part != "..");
    (windows || unix) && whole && !behind.contains(':') && is_plain(text)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ORDER_BYTES_MAX
        && !text.contains(['*', '?', '[', ']', '%', '$', '~', '"', '\'', '`', ';', '|', '<', '>', '&', ','])
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_and_whole_local_paths_pass() {
        for good in ["notepad.exe", "firefox", "My Program.exe", "プログラム"] {
            assert!(is_process(good), "{good}");
        }
        for bad in
            ["", "*", "a*.exe", "a?", "[ab]", "../sh", "C:\\x.exe", "/bin/sh", "a;b", "$HOME", "%TEMP%", "a\nb", "..", "a|b"]
        {
            assert!(!is_process(bad), "{bad:?}");
        }
        for good in ["/opt/x/y.txt", "C:\\Temp\\a b.txt", "d:/x", "/a"] {
            assert!(is_file(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "C:\\",
            "x.txt",
            "./x",
            "~/x",
            "C:x",
            "\\\\server\\share\\x",
            "//server/x",
            "\\\\?\\C:\\x",
            "/a/../b",
            "/a/./b",
            "/a//b",
            "C:\\a\\..\\b",
            "/tmp/*",
            "C:\\%TEMP%\\x",
            "/a:stream",
            "C:\\x:stream",
            "/a\0b",
            "é:\\x",
        ] {
            assert!(!is_file(bad), "{bad:?}");
        }
        assert!(!is_file(&format!("/{}", "x".repeat(ORDER_BYTES_MAX))));
    }

    #[test]
    fn lists_are_bounded_and_say_what_was_left_out() {
        let files = (0..40).map(|n| format!("/tmp/{n}")).collect::<Vec<_>>().join(",");
        let mut orders = Orders::default();
        assert_eq!(orders.add(Some("a, b,,a,*,c"), Some(&files)), 1 + 40 - ORDERS_MAX);
        assert_eq!(orders.kill.iter().map(|k| &**k).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(orders.delete.len(), ORDERS_MAX);
    }
}
