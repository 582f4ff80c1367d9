//! Asks the user in a window, when there is a desktop and no terminal: with the dialog program that the desktop has.
//!
//! ```text
//!   zenity      text over standard input, plain         0: first button; 1 with a button's words on standard output: that button
//!   kdialog     text as an argument, escaped            0, 1, 2: first, second, third button
//!   xmessage    text over standard input, English       the number that was given to a button
//! ```
//!
//! Programs are looked for in the system's own folders, not where the environment says. No shell is in between, and nothing is agreed to
//! by closing a window, by waiting, or by a program that is out of order.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::consent::Reply;

/// Where the programs are.
pub const FOLDERS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];
/// Longest text for a program that takes it as an argument, in bytes. Linux takes 128 KiB.
const ARGUMENT_BYTES_MAX: usize = 64 * 1024;
/// The number of the first button, for a program that is told numbers.
const FIRST_BUTTON: i32 = 11;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of GNOME and others.
    Zenity,
    /// Of KDE.
    Kdialog,
    /// Of X11 itself.
    Xmessage,
}

/// A program that asks.
#[derive(Clone, Debug)]
pub struct Dialog {
    kind: Kind,
    program: PathBuf,
}

impl Dialog {
    /// The first that is in one of `folders`.
    #[must_use]
    pub fn find(folders: &[&Path]) -> Option<Self> {
        let kinds = [(Kind::Zenity, "zenity"), (Kind::Kdialog, "kdialog"), (Kind::Xmessage, "xmessage")];
        kinds.into_iter().find_map(|(kind, name)| {
            let program = folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file())?;
            Some(Self { kind, program })
        })
    }

    /// Whether it can show all letters.
    #[must_use]
    pub fn has_letters(&self) -> bool {
        match self.kind {
            Kind::Zenity | Kind::Kdialog => true,
            Kind::Xmessage => false,
        }
    }

    /// Shows `text` and waits for one of `buttons`, at most two, or for no; for as long as `wait`.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn ask(&self, title: &str, text: &str, buttons: &[(String, Reply)], no: &str, wait: Duration) -> io::Result<Reply> {
        let Some(((first, yes), others)) = buttons.split_first() else { return Ok(Reply::No) };
        let mut command = self.command(title);
        match self.kind {
            Kind::Zenity => {
                command.args(["--text-info", "--width=720", "--height=460"]);
                command.arg(format!("--ok-label={first}")).arg(format!("--cancel-label={no}"));
                command.args(others.iter().map(|(label, _)| format!("--extra-button={label}")));
            }
            Kind::Kdialog => {
                command.arg(if others.is_empty() { "--yesno" } else { "--yesnocancel" }).arg(rich(text)?);
                command.args(["--yes-label", first]);
                let labels = others.iter().map(|(label, _)| label.as_str()).chain([no]).zip(["--no-label", "--cancel-label"]);
                command.args(labels.flat_map(|(label, option)| [option, label]));
            }
            Kind::Xmessage => {
                let labels = buttons.iter().map(|(label, _)| label.as_str()).chain([no]);
                let numbered = labels.zip(FIRST_BUTTON..).map(|(label, number)| format!("{}:{number}", whole(label)));
                let numbered: Vec<_> = numbered.collect();
                command.args(["-buttons", &numbered.join(","), "-file", "-"]);
            }
        }
        let (code, said) = child::ended(command, text, wait)?;
        let chosen = match (self.kind, code) {
            (Kind::Zenity | Kind::Kdialog, Some(0)) => Some(*yes),
            (Kind::Zenity, Some(1)) => others.iter().find(|(label, _)| *label == said.trim_end()).map(|(_, reply)| *reply),
            (Kind::Kdialog, Some(1)) => others.first().map(|(_, reply)| *reply),
            (Kind::Xmessage, Some(code)) => {
                usize::try_from(code - FIRST_BUTTON).ok().and_then(|at| buttons.get(at)).map(|(_, reply)| *reply)
            }
            (Kind::Zenity | Kind::Kdialog | Kind::Xmessage, _) => None,
        };
        Ok(chosen.unwrap_or(Reply::No))
    }

    /// Shows `text` until it is closed, for as long as `wait`.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn tell(&self, title: &str, text: &str, close: &str, wait: Duration) -> io::Result<()> {
        let mut command = self.command(title);
        match self.kind {
            Kind::Zenity => {
                command.args(["--error", "--no-markup", "--width=640"]);
                command.arg(format!("--ok-label={close}")).arg(format!("--text={}", bounded(text)?))
            }
            Kind::Kdialog => command.arg("--sorry").arg(rich(text)?),
            Kind::Xmessage => command.args(["-buttons", &format!("{}:0", whole(close)), "-file", "-"]),
        };
        child::ended(command, text, wait).map(|_| ())
    }

    fn command(&self, title: &str) -> Command {
        let mut command = Command::new(&self.program);
        // All words are ours, in UTF-8; a user's language that the machine does not have would make a program refuse them.
        command.env("LC_ALL", "C.UTF-8");
        match self.kind {
            Kind::Zenity => command.arg(format!("--title={title}")),
            Kind::Kdialog => command.args(["--title", title]),
            Kind::Xmessage => command.args(["-center", "-title", title]),
        };
        command
    }
}

/// A text for a program that would take tags in it for its own.
fn rich(text: &str) -> io::Result<String> {
    let escaped: String = text.chars().map(|c| escaped(c).map_or_else(|| c.to_string(), str::to_owned)).collect();
    let whole = format!("<qt><pre>{escaped}</pre></qt>");
    bounded(&whole)?;
    Ok(whole)
}

/// A button's words, for a program that would take a comma in them for the end of the button.
fn whole(label: &str) -> String {
    label.replace('\\', "\\\\").replace(',', "\\,").replace(':', "\\:")
}

fn bounded(text: &str) -> io::Result<&str> {
    if text.len() > ARGUMENT_BYTES_MAX { Err(io::ErrorKind::ArgumentListTooLong.into()) } else { Ok(text) }
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    /// A program called `name` that does `script`.
    fn dialog(name: &str, script: &str) -> (tempfile::TempDir, Dialog) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(name);
        child::tests::script(&program, &format!("printf '%s\\n' \"$@\" > \"$0.arguments\"\n{script}"));
        let dialog = Dialog::find(&[Path::new("/nowhere"), folder.path()]).unwrap();
        (folder, dialog)
    }

    const WAIT: Duration = Duration::from_secs(30);

    fn ask(dialog: &Dialog) -> Reply {
        let buttons = [("Once".to_owned(), Reply::Once), ("Always".to_owned(), Reply::Always)];
        dialog.ask("title", "text <b>\n", &buttons, "No", WAIT).unwrap()
    }

    #[test]
    fn each_program_is_understood() {
        for (name, script, wanted) in [
            ("zenity", "[ \"$(cat)\" = 'text <b>' ]", Reply::Once),
            ("zenity", "cat > /dev/null; echo Always; exit 1", Reply::Always),
            ("zenity", "cat > /dev/null; exit 1", Reply::No),
            ("zenity", "echo Once; exit 1", Reply::No),
            ("zenity", "exit 5", Reply::No),
            ("zenity", "kill -9 $$", Reply::No),
            ("kdialog", "exit 0", Reply::Once),
            ("kdialog", "exit 1", Reply::Always),
            ("kdialog", "exit 2", Reply::No),
            ("xmessage", "exit 11", Reply::Once),
            ("xmessage", "exit 12", Reply::Always),
            ("xmessage", "exit 13", Reply::No),
            ("xmessage", "exit 0", Reply::No),
            ("xmessage", "exit 1", Reply::No),
        ] {
            let (_folder, dialog) = dialog(name, script);
            assert_eq!(ask(&dialog), wanted, "{name} {script}");
        }
    }

    #[test]
    fn what_a_gateway_says_is_no_argument_and_no_tag() {
        let arguments = |folder: &tempfile::TempDir, name: &str| {
            std::fs::read_to_string(folder.path().join(format!("{name}.arguments"))).unwrap()
        };
        let (folder, zenity) = dialog("zenity", "cat > /dev/null");
        assert_eq!(ask(&zenity), Reply::Once);
        assert!(!arguments(&folder, "zenity").contains("text <"));
        let (folder, kdialog) = dialog("kdialog", "exit 1");
        assert_eq!(ask(&kdialog), Reply::Always);
        let told = arguments(&folder, "kdialog");
        assert!(
            told.contains("<pre>text &lt;b&gt;\n</pre>") && told.ends_with("--no-label\nAlways\n--cancel-label\nNo\n"),
            "{told}"
        );
        kdialog.ask("title", &"x".repeat(ARGUMENT_BYTES_MAX), &[("Once".to_owned(), Reply::Once)], "No", WAIT).unwrap_err();
    }

    #[test]
    fn words_of_a_button_stay_together() {
        let (folder, xmessage) = dialog("xmessage", "cat > /dev/null; exit 11");
        let buttons = Language::English.buttons(true);
        assert!(buttons[0].0.contains(','), "{buttons:?}");
        assert_eq!(xmessage.ask("title", "text", &buttons, "No", WAIT).unwrap(), Reply::Once);
        let told = std::fs::read_to_string(folder.path().join("xmessage.arguments")).unwrap();
        assert!(told.contains("-buttons\nAnswer\\, and let it be done:11,Only answer:12,No:13\n"), "{told}");
    }

    #[test]
    fn who_does_not_answer_has_not_agreed() {
        let (_folder, dialog) = dialog("zenity", "exec sleep 600");
        let buttons = [("Once".to_owned(), Reply::Once)];
        assert_eq!(dialog.ask("title", "text", &buttons, "No", Duration::from_millis(50)).unwrap(), Reply::No);
        dialog.tell("title", "text", "Close", Duration::from_millis(50)).unwrap();
        assert!(Dialog::find(&[Path::new("/nowhere")]).is_none());
    }
}
