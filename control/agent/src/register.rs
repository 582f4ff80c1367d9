//! Makes the desktop start the agent for links of login pages: a desktop file of the user's, no root needed.

use std::io;
use std::path::{Path, PathBuf};

/// The name of the desktop file.
pub const DESKTOP: &str = "sluice-epa.desktop";
/// The scheme of the links.
pub const SCHEME: &str = "x-scheme-handler/nsgcepa";

/// Where applications of the user whose environment is `variable` are: below `XDG_DATA_HOME`, or below `.local/share` at home.
#[must_use]
pub fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(data.join("applications"))
}

/// The desktop file for the agent at `program`. It opens a terminal: there the user is asked, and sees what is looked at.
///
/// `None` if the path cannot stand in a desktop file.
#[must_use]
pub fn desktop_file(program: &Path) -> Option<String> {
    let path = program.to_str().filter(|path| path.starts_with('/') && !path.chars().any(char::is_control))?;
    // Twice: the value of the key, and the argument in quotes within it. A % would be a code.
    let quoted: String = path.chars().flat_map(|c| escaped(c).chars().collect::<Vec<_>>()).collect();
    Some(format!(
        "[Desktop Entry]\nType=Application\nName=Sluicegate endpoint check\nName[ja]=Sluicegate 端末検査\n\
         Comment=Checks this device when a gateway asks\nComment[ja]=ゲートウェイの求めに応じてこの端末を検査します\n\
         Exec=\"{quoted}\" --hold %u\nTerminal=true\nNoDisplay=true\nMimeType={SCHEME};\n"
    ))
}

fn escaped(c: char) -> String {
    match c {
        '"' | '`' | '$' => format!("\\\\{c}"),
        '\\' => "\\\\\\\\".to_owned(),
        '%' => "%%".to_owned(),
        other => other.to_string(),
    }
}

/// Writes the desktop file into `folder`. Returns its path.
///
/// # Errors
/// As the file system reports it; [`io::ErrorKind::InvalidFilename`] for a path that no desktop file can name.
pub fn register(program: &Path, folder: &Path) -> io::Result<PathBuf> {
    let text = desktop_file(program).ok_or(io::ErrorKind::InvalidFilename)?;
    std::fs::create_dir_all(folder)?;
    let (new, file) = (folder.join(format!(".{DESKTOP}.{}", std::process::id())), folder.join(DESKTOP));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, &file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_file_names_the_program_and_the_scheme() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(|name| (name == "HOME").then(|| home.path().into())).unwrap();
        let file = register(Path::new("/opt/a b/sluice-epa"), &folder).unwrap();
        assert_eq!(file, home.path().join(".local/share/applications/sluice-epa.desktop"));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(
            text.contains("\nExec=\"/opt/a b/sluice-epa\" --hold %u\n")
                && text.contains("\nMimeType=x-scheme-handler/nsgcepa;\n")
        );
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn paths_cannot_break_out() {
        assert!(desktop_file(Path::new("/a\"$`%\\x")).unwrap().contains("Exec=\"/a\\\\\"\\\\$\\\\`%%\\\\\\\\x\" --hold %u\n"));
        assert_eq!(desktop_file(Path::new("/a\nExec=evil")), None);
        assert_eq!(desktop_file(Path::new("relative")), None);
        assert_eq!(folder(|_| Some("relative".into())), None);
    }
}
