//! What a client is to end and to delete before it counts as compliant: names of processes and files, which come from the operator only.

use crate::code::Code;

use super::Said;
use super::site::{Note, Refused};

/// Most processes, or files, of one action.
const ENTRIES_MAX: usize = 32;

/// Looks at `-killProcess` and `-deletefiles` of a line.
///
/// # Errors
/// There are too many, or one could mean more than one process or file.
pub(super) fn judge(said: &Said<'_>) -> Result<(), Refused> {
    for (name, fault) in [("killProcess", process as fn(&str) -> Option<&'static str>), ("deletefiles", file)] {
        let Some(list) = said.text(name) else { continue };
        let refuse = |code, cause: String| Err(Note::new(code, said.place(name), list, cause).into());
        if list.split(',').count() > ENTRIES_MAX {
            return refuse(Code::TooManyValues, format!("-{name} has at most {ENTRIES_MAX} entries"));
        }
        for entry in list.split(',').map(str::trim) {
            if let Some(fault) = fault(entry) {
                return refuse(Code::InvalidValue, format!("{entry:?} {fault}"));
            }
        }
    }
    Ok(())
}

fn process(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("names no process")
    } else if name.contains(['*', '?']) {
        Some("could be the name of several processes")
    } else if name.contains(['/', '\\']) {
        Some("is a path; a process is named by the name of its file alone")
    } else {
        None
    }
}

fn file(path: &str) -> Option<&'static str> {
    let is_drive =
        path.get(1..3).is_some_and(|rest| matches!(rest, ":\\" | ":/")) && path.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_network = path.starts_with("\\\\") || path.starts_with("//");
    if path.is_empty() {
        Some("names no file")
    } else if path.contains(['*', '?']) {
        Some("could be the name of several files")
    } else if is_network {
        Some("is on another machine")
    } else if !(is_drive || path.starts_with('/')) {
        Some("does not begin at the root, so it could be any file of this name")
    } else if path.split(['/', '\\']).any(|part| part == "..") {
        Some("leads upwards")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_is_one_process_or_file() {
        for name in ["notepad.exe", "a b", "telnetd"] {
            assert_eq!(process(name), None, "{name}");
        }
        for name in ["", "*", "note?ad.exe", "/usr/bin/vi", "C:\\vi.exe"] {
            assert!(process(name).is_some(), "{name}");
        }
        for path in ["c:/removefile.txt", "C:\\Program Files (x86)\\a.ini", "/etc/bad.conf", "/a..b"] {
            assert_eq!(file(path), None, "{path}");
        }
        for path in
            ["", "a.txt", "/tmp/*", "\\\\server\\share\\a", "//server/a", "/tmp/../etc/passwd", "C:\\a\\..\\b", "C:a", "1:/a"]
        {
            assert!(file(path).is_some(), "{path}");
        }
    }
}
