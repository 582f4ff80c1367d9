//! Makes the desktop start the agent for links of login pages: for one user, who needs no root, or for all of a machine.
//!
//! ```text
//!                        register                         register --system
//!   desktop file         ~/.local/share/applications      /usr/local/share/applications
//!   icon                 ~/.local/share/icons/hicolor     /usr/local/share/icons/hicolor
//!   default for links    ~/.config/mimeapps.list          /etc/xdg/mimeapps.list
//! ```
//!
//! The list of defaults is the desktop's: one line of it is changed, and all others stay as they are.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The name of the desktop file.
pub const DESKTOP: &str = "sluice-epa.desktop";
/// The scheme of the links.
pub const SCHEME: &str = "x-scheme-handler/nsgcepa";
/// The icon.
pub const ICON: &str = include_str!("../share/sluice-epa.svg");
/// Longest list of defaults that is changed, in bytes.
const LIST_BYTES_MAX: u64 = 1024 * 1024;
/// The part of the list that has them.
const DEFAULTS: &str = "[Default Applications]";

/// Where everything belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The desktop file.
    pub desktop: PathBuf,
    /// The icon.
    pub icon: PathBuf,
    /// The list of defaults.
    pub defaults: PathBuf,
}

impl Places {
    /// Those of the user whose environment is `variable`: below `XDG_DATA_HOME` and `XDG_CONFIG_HOME`, or below `.local/share` and `.config` at
    /// home.
    #[must_use]
    pub fn of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        let below = |name: &str, folder: &str| absolute(name).or_else(|| absolute("HOME").map(|home| home.join(folder)));
        Some(Self::in_folders(&below("XDG_DATA_HOME", ".local/share")?, &below("XDG_CONFIG_HOME", ".config")?))
    }

    /// Those of the machine whose `/` is at `root`.
    #[must_use]
    pub fn of_machine(root: &Path) -> Self {
        Self::in_folders(&root.join("usr/local/share"), &root.join("etc/xdg"))
    }

    fn in_folders(data: &Path, config: &Path) -> Self {
        Self {
            desktop: data.join("applications").join(DESKTOP),
            icon: data.join("icons/hicolor/scalable/apps/sluice-epa.svg"),
            defaults: config.join("mimeapps.list"),
        }
    }
}

/// The desktop file for the agent at `program`. In a terminal the user is asked there, and sees what is looked at; without one, in a window.
///
/// `None` if the path cannot stand in a desktop file.
#[must_use]
pub fn desktop_file(program: &Path, in_terminal: bool) -> Option<String> {
    let path = program.to_str().filter(|path| path.starts_with('/') && !path.chars().any(char::is_control))?;
    // Some desktops (`xdg-open` without one) do not know quotes, so they stand only where they must.
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    // Twice: the value of the key, and the argument in quotes within it. A % would be a code.
    let quoted: String = path.chars().flat_map(|c| escaped(c).chars().collect::<Vec<_>>()).collect();
    let command = if is_plain { quoted } else { format!("\"{quoted}\"") };
    Some(format!(
        "[Desktop Entry]\nType=Application\nName=Sluicegate endpoint check\nName[ja]=Sluicegate 端末検査\n\
         Comment=Checks this device when a gateway asks\nComment[ja]=ゲートウェイの求めに応じてこの端末を検査します\n\
         Icon=sluice-epa\nExec={command} --hold %u\nTerminal={in_terminal}\nNoDisplay=true\nStartupNotify=false\nCategories=Network;\n\
         MimeType={SCHEME};\n"
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

/// Writes everything for the agent at `program`.
///
/// # Errors
/// As the file system reports it; [`io::ErrorKind::InvalidFilename`] for a path that no desktop file can name.
pub fn register(program: &Path, places: &Places, in_terminal: bool) -> io::Result<()> {
    let text = desktop_file(program, in_terminal).ok_or(io::ErrorKind::InvalidFilename)?;
    put(&places.icon, ICON)?;
    put(&places.desktop, &text)?;
    put(&places.defaults, &with_default(&list(&places.defaults)?))
}

/// Takes away what [`register`] wrote.
///
/// # Errors
/// As the file system reports it.
pub fn unregister(places: &Places) -> io::Result<()> {
    for file in [&places.desktop, &places.icon] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    let before = list(&places.defaults)?;
    let after = without_default(&before);
    if after == before { Ok(()) } else { put(&places.defaults, &after) }
}

fn list(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    match fs::File::open(file) {
        Ok(file) => file.take(LIST_BYTES_MAX + 1).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if text.len() as u64 > LIST_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn is_default(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| key.trim() == SCHEME)
}

/// The list with the agent as default for its links.
fn with_default(before: &str) -> String {
    let mut lines: Vec<String> = before.lines().map(str::to_owned).collect();
    let head = lines.iter().position(|line| line.trim() == DEFAULTS).unwrap_or_else(|| {
        lines.push(DEFAULTS.to_owned());
        lines.len() - 1
    });
    let end = lines[head + 1..].iter().position(|line| line.starts_with('[')).map_or(lines.len(), |at| head + 1 + at);
    let ours = format!("{SCHEME}={DESKTOP}");
    match lines[head + 1..end].iter().position(|line| is_default(line)) {
        Some(at) => lines[head + 1 + at] = ours,
        None => lines.insert(head + 1, ours),
    }
    lines.join("\n") + "\n"
}

/// The list without it; what somebody else was made default stays.
fn without_default(before: &str) -> String {
    let is_ours = |line: &&str| {
        is_default(line) && line.split_once('=').is_some_and(|(_, value)| value.trim().trim_end_matches(';') == DESKTOP)
    };
    before.lines().filter(|line| !is_ours(line)).map(|line| format!("{line}\n")).collect()
}

/// Writes a file that is never seen half.
fn put(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
    fs::create_dir_all(folder)?;
    // Whoever keeps his settings elsewhere and has a link here goes on doing so.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let new = file.with_extension(format!("new{}", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(places: &Places) -> [String; 3] {
        [&places.desktop, &places.icon, &places.defaults].map(|file| fs::read_to_string(file).unwrap_or_default())
    }

    #[test]
    fn what_is_written_can_be_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let user = Places::of_user(|name| (name == "HOME").then(|| home.path().into())).unwrap();
        assert_eq!(user.desktop, home.path().join(".local/share/applications/sluice-epa.desktop"));
        let others = "[Added Associations]\nx-scheme-handler/nsgcepa=other.desktop;\n\n[Default Applications]\ntext/html=firefox.desktop\n";
        fs::create_dir_all(user.defaults.parent().unwrap()).unwrap();
        fs::write(&user.defaults, others).unwrap();
        for places in [user, Places::of_machine(home.path())] {
            let before = files(&places);
            for in_terminal in [true, false] {
                register(Path::new("/opt/a b/sluice-epa"), &places, in_terminal).unwrap();
                let [desktop, icon, defaults] = files(&places);
                assert!(desktop.contains("\nExec=\"/opt/a b/sluice-epa\" --hold %u\n"), "{desktop}");
                assert!(desktop.contains(&format!("\nTerminal={in_terminal}\n")), "{desktop}");
                assert!(desktop.contains("\nMimeType=x-scheme-handler/nsgcepa;\n") && icon == ICON, "{desktop}");
                let head = format!("{DEFAULTS}\n{SCHEME}={DESKTOP}\n");
                assert!(defaults.contains(&head) && defaults.matches(DESKTOP).count() == 1, "{defaults}");
            }
            unregister(&places).unwrap();
            unregister(&places).unwrap();
            let [desktop, icon, defaults] = files(&places);
            assert_eq!([desktop, icon], [String::new(), String::new()]);
            assert_eq!(defaults, if before[2].is_empty() { format!("{DEFAULTS}\n") } else { before[2].clone() });
            assert_eq!(fs::read_dir(places.desktop.parent().unwrap()).unwrap().count(), 0);
        }
    }

    #[test]
    fn other_defaults_stay() {
        let before = "# mine\n[Default Applications]\nx-scheme-handler/nsgcepa=other.desktop\nx=y\n[Removed Associations]\nx-scheme-handler/nsgcepa=z\n";
        let after = with_default(before);
        assert_eq!(after, before.replacen("=other.desktop", "=sluice-epa.desktop", 1));
        assert_eq!(with_default(&after), after);
        assert_eq!(without_default(before), before, "another's");
    }

    #[test]
    fn a_plain_path_needs_no_quotes() {
        assert!(desktop_file(Path::new("/usr/bin/sluice-epa"), true).unwrap().contains("\nExec=/usr/bin/sluice-epa --hold %u\n"));
    }

    #[test]
    fn paths_cannot_break_out() {
        let file = |path: &str| desktop_file(Path::new(path), true);
        assert!(file("/a\"$`%\\x").unwrap().contains("Exec=\"/a\\\\\"\\\\$\\\\`%%\\\\\\\\x\" --hold %u\n"));
        assert_eq!(file("/a\nExec=evil"), None);
        assert_eq!(file("relative"), None);
        assert_eq!(Places::of_user(|_| Some("relative".into())), None);
    }

    #[test]
    fn what_packages_bring_is_the_same() {
        let path = format!("{}/share/{DESKTOP}", env!("CARGO_MANIFEST_DIR"));
        let text = desktop_file(Path::new("/usr/bin/sluice-epa"), true).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{path}");
    }
}
