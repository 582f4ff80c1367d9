//! What the user reads, in English or Japanese.
//!
//! What a gateway says is shown only after [`shown`]: it could move the cursor, or turn round the direction of what follows.

use gate_proto::epa::ClientString;

use crate::fault::Fault;
use crate::look::{Finding, Why};
use crate::orders::Order;
use crate::question::BadQuestion;
use crate::rounds::End;
use crate::status::Repeat;

/// Most characters of a text of the gateway's that are shown.
pub const SHOWN_CHARS_MAX: usize = 120;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
}

use Language::{English, Japanese};

impl Language {
    /// That of the environment `variable`: `LC_ALL`, `LC_MESSAGES`, `LANG`, the first that says something.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        let is_japanese = said.is_some_and(|value| value == "ja" || value.starts_with("ja_") || value.starts_with("ja."));
        if is_japanese { Japanese } else { English }
    }

    fn pick(self, english: impl Into<String>, japanese: impl Into<String>) -> String {
        match self {
            English => english.into(),
            Japanese => japanese.into(),
        }
    }

    /// Which gateway wants to look at this device.
    #[must_use]
    pub fn asks(self, gateway: &str) -> String {
        self.pick(
            format!("{gateway} asks about this device. It is told yes or no to each of these, and nothing else:"),
            format!("{gateway} がこの端末について次の項目を尋ねています。各項目の「はい」か「いいえ」だけを返します:"),
        )
    }

    /// The question for consent.
    #[must_use]
    pub fn may_it(self) -> String {
        self.pick(
            "Answer? [y]es, this time; [a]lways for this gateway; [n]o: ",
            "回答しますか? [y] 今回のみ / [a] このゲートウェイには常に / [n] いいえ: ",
        )
    }

    /// One string and what was found.
    #[must_use]
    pub fn found(self, string: &ClientString, finding: &Finding) -> String {
        let what = shown(&string.to_string());
        match finding {
            Finding::Yes => self.pick(format!("yes  {what}"), format!("はい  {what}")),
            Finding::No(why) => {
                self.pick(format!("no   {what}: {}", self.why(why)), format!("いいえ  {what}: {}", self.why(why)))
            }
        }
    }

    fn why(self, why: &Why) -> String {
        match why {
            Why::NotRunning => self.pick("does not run", "実行されていません"),
            Why::NoFile => self.pick("there is no such file", "ファイルがありません"),
            Why::NoneOfThem => self.pick("this device has none of them", "この端末はどれにも該当しません"),
            Why::Version(found) => {
                let found = shown(found);
                self.pick(format!("this device has {found}"), format!("この端末のバージョンは {found} です"))
            }
            Why::NotEncrypted => self.pick("the disk is not encrypted", "ディスクが暗号化されていません"),
            Why::NoFirewall => self.pick("no firewall was found", "ファイアウォールが見つかりません"),
            Why::Unclear => self.pick("what is asked is unclear", "質問の形式が正しくありません"),
            Why::Unknown => self.pick("this agent cannot check that", "このエージェントでは検査できません"),
        }
    }

    /// An order that is not carried out.
    #[must_use]
    pub fn not_done(self, order: &Order) -> String {
        match order {
            Order::Kill(name) => {
                let name = shown(name);
                self.pick(format!("not done: end process {name}"), format!("実行しません: プロセス {name} の終了"))
            }
            Order::Delete(path) => {
                let path = shown(path);
                self.pick(format!("not done: delete {path}"), format!("実行しません: {path} の削除"))
            }
            Order::Unclear => self.pick("not done: an order that cannot be read", "実行しません: 読み取れない指示"),
        }
    }

    /// That the scan is repeated, and what that means.
    #[must_use]
    pub fn stays(self, minutes: u16) -> String {
        self.pick(
            format!("The gateway asks again every {minutes} min. The session ends if this program does."),
            format!("{minutes} 分ごとに再検査します。このプログラムを終了するとセッションも終了します。"),
        )
    }

    /// A check that is being repeated.
    #[must_use]
    pub fn repeat(self, repeat: &Repeat) -> String {
        let Repeat { pid, minutes, gateway } = repeat;
        let gateway = shown(gateway);
        self.pick(
            format!("{gateway}  every {minutes} min  process {pid}"),
            format!("{gateway}  {minutes} 分ごと  プロセス {pid}"),
        )
    }

    /// That nothing is being repeated.
    #[must_use]
    pub fn no_repeats(self) -> String {
        self.pick("No check is being repeated.", "繰り返し中の検査はありません。")
    }

    /// That the window stays until somebody wants it to go.
    #[must_use]
    pub fn press_enter(self) -> String {
        self.pick("Press Enter to close.", "Enter キーを押すと閉じます。")
    }

    /// That the gateway was not reached, and is tried again.
    #[must_use]
    pub fn tries_again(self, fault: &Fault) -> String {
        let why = self.fault(fault);
        self.pick(format!("{why} Trying again."), format!("{why}再試行します。"))
    }

    /// How it ended.
    #[must_use]
    pub fn end(self, end: End) -> String {
        match end {
            End::Passed => self.pick("Done. Go on in the browser.", "検査が完了しました。ブラウザーに戻って続けてください。"),
            End::Refused => self.pick(
                "The gateway is not satisfied with this device. See above what was answered with no, or ask your administrator.",
                "この端末はゲートウェイの条件を満たしていません。上の「いいえ」の項目を確認するか、管理者に問い合わせてください。",
            ),
            End::Forgotten => self.pick(
                "The gateway has ended this: the session is over, or another check has taken its place.",
                "ゲートウェイが検査を終了しました。セッションが終了したか、別の検査に置き換わりました。",
            ),
            End::NeverKnown => self.pick(
                "The gateway does not know this check, or has waited too long for it. Begin again in the browser.",
                "ゲートウェイがこの検査を認識していないか、時間切れです。ブラウザーからやり直してください。",
            ),
            End::Lost => self.pick(
                "The gateway cannot be reached any more; it will end the session.",
                "ゲートウェイに接続できなくなりました。セッションは終了されます。",
            ),
        }
    }

    /// Why nothing was answered, as a sentence.
    #[must_use]
    pub fn fault(self, fault: &Fault) -> String {
        match fault {
            Fault::Aim(why) => self.pick(format!("This is no valid link: {why}."), format!("リンクが正しくありません ({why})。")),
            Fault::Trust { path, source } => {
                let (path, why) = (path.display(), source.as_ref().map_or(String::new(), |why| format!(" ({why})")));
                self.pick(
                    format!("There are no certificates of authorities in {path}{why}."),
                    format!("{path} に認証局の証明書がありません{why}。"),
                )
            }
            Fault::Setup(why) => self.pick(format!("TLS cannot be set up: {why}."), format!("TLS を準備できません ({why})。")),
            Fault::Unreached(why) => self.pick(
                format!("The gateway cannot be reached: {why}."),
                format!("ゲートウェイに接続できません ({why})。"),
            ),
            Fault::Untrusted(why) => self.pick(
                format!("This may not be the gateway: its certificate is not to be trusted ({why}). Nothing was answered."),
                format!("ゲートウェイの証明書を信頼できません ({why})。回答していません。"),
            ),
            Fault::Busy(status) => self.pick(
                format!("The gateway is busy or out of order (status {status})."),
                format!("ゲートウェイが混雑または停止しています (状態 {status})。"),
            ),
            Fault::Malformed(why) => self.pick(
                format!("The gateway's answer cannot be understood: {why}."),
                format!("ゲートウェイの応答を解釈できません ({why})。"),
            ),
            Fault::Status(status) => self.pick(
                format!("The gateway's answer cannot be understood (status {status})."),
                format!("ゲートウェイの応答を解釈できません (状態 {status})。"),
            ),
            Fault::Question(why) => self.question(*why),
            Fault::Sealing => self.pick("The answer cannot be encrypted.", "回答を暗号化できません。"),
            Fault::NotWanted => {
                self.pick("The gateway wants nothing checked now.", "ゲートウェイは現在検査を求めていません。")
            }
            Fault::NotAgreed => self.pick("You have not agreed. Nothing was answered.", "同意がないため、回答していません。"),
            Fault::Nobody => self.pick(
                "Nobody can be asked: there is no terminal, and this gateway has not been agreed to before. Nothing was answered.",
                "端末画面がなく、このゲートウェイへの同意も記録されていないため、回答していません。",
            ),
            Fault::Own { action, source } => {
                self.pick(format!("Cannot {action}: {source}."), format!("処理に失敗しました: {action} ({source})。"))
            }
        }
    }

    fn question(self, why: BadQuestion) -> String {
        self.pick(
            format!("What the gateway asks cannot be understood: {why}. Nothing was answered."),
            format!("ゲートウェイの質問を解釈できないため、回答していません ({why})。"),
        )
    }
}

/// A stranger's text for a terminal: cut to [`SHOWN_CHARS_MAX`], and without what moves, colours, or turns round what stands beside it.
#[must_use]
pub fn shown(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses() {
        let of = |all: &[(&str, &str)]| {
            Language::of(|name| all.iter().find(|(held, _)| *held == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("LANG", "ja_JP.UTF-8")]), Japanese);
        assert_eq!(of(&[("LANG", "ja_JP.UTF-8"), ("LC_ALL", "C.UTF-8")]), English);
        assert_eq!(of(&[("LANG", "ja"), ("LC_ALL", "")]), Japanese);
        assert_eq!(of(&[("LANG", "jam_JM")]), English);
        assert_eq!(of(&[]), English);
    }

    #[test]
    fn strangers_texts_cannot_deceive() {
        assert_eq!(shown("proc_0_a\x1b[2J\u{202e}b\u{200b}c\n"), "proc_0_a\u{fffd}[2J\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(shown("端末"), "端末");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn findings_say_why_in_both_languages() {
        let string = ClientString::parse("proc_2_firefox").unwrap();
        let no = Finding::No(Why::NotRunning);
        assert_eq!(English.found(&string, &no), "no   proc_2_firefox: does not run");
        assert_eq!(Japanese.found(&string, &no), "いいえ  proc_2_firefox: 実行されていません");
        assert_eq!(English.found(&string, &Finding::Yes), "yes  proc_2_firefox");
    }
}
