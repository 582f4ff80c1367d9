//! What the user reads, in English or Japanese.
//!
//! What a gateway says is shown only after [`shown`]: it could move the cursor, or turn round the direction of what follows.

use gate_proto::epa::ClientString;

use crate::consent::Reply;
use crate::deeds::{Deed, Denied, Kept, Outcome, Plan};
use crate::explain::meaning;
use crate::fault::Fault;
use crate::last::Last;
use crate::look::{Finding, Why};
use crate::orders::Order;
use crate::question::BadQuestion;
use crate::rounds::{End, Verdict};
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

    pub(crate) fn pick(self, english: impl Into<String>, japanese: impl Into<String>) -> String {
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

    /// Everything that the user agrees to, or not: who asks, what is looked at, what is done.
    #[must_use]
    pub fn question_for_consent(self, gateway: &str, strings: &[ClientString], deeds: &[Deed]) -> String {
        let mut text = format!("{}\n", self.asks(gateway));
        for string in strings {
            text += &format!("  {}: {}\n", shown(&string.to_string()), meaning(self, string));
        }
        let will = self.pick(
            "The policy of this machine lets it have this done here, if you agree:",
            "この端末のポリシーにより、同意があれば次の操作が実行されます:",
        );
        let would =
            self.pick("It also wants this, which is only rehearsed:", "次の操作も求めていますが、予行のみで実行されません:");
        let denied = self.pick("It also wants this, which is not done:", "次の操作も求めていますが、実行されません:");
        let is = |deed: &Deed, at: usize| match deed.plan {
            Plan::Will => at == 0,
            Plan::Would => at == 1,
            Plan::Denied(_) => at == 2,
        };
        for (at, head) in [will, would, denied].iter().enumerate() {
            let mut all = deeds.iter().filter(|deed| is(deed, at)).peekable();
            if all.peek().is_some() {
                text += &format!("{head}\n");
            }
            for deed in all {
                text += &format!("  {}\n", self.order(&deed.order));
            }
        }
        text
    }

    /// The question itself, at a terminal. `does`: something is done, too.
    #[must_use]
    pub fn may_it(self, does: bool) -> String {
        if does {
            self.pick(
                "Answer, and let it be done? [y]es, this time; [o]nly answer; [a]lways for this gateway; [n]o: ",
                "回答し、操作も許可しますか? [y] 今回のみ / [o] 回答のみ / [a] このゲートウェイには常に / [n] いいえ: ",
            )
        } else {
            self.pick(
                "Answer? [y]es, this time; [a]lways for this gateway; [n]o: ",
                "回答しますか? [y] 今回のみ / [a] このゲートウェイには常に / [n] いいえ: ",
            )
        }
    }

    /// The same as buttons of a window, the first of which is a yes.
    #[must_use]
    pub fn buttons(self, does: bool) -> Vec<(String, Reply)> {
        if does {
            vec![
                (self.pick("Answer, and let it be done", "回答と操作を許可"), Reply::Once),
                (self.pick("Only answer", "回答のみ"), Reply::AnswerOnly),
            ]
        } else {
            vec![
                (self.pick("Answer this time", "今回のみ回答"), Reply::Once),
                (self.pick("Always answer this gateway", "このゲートウェイには常に回答"), Reply::Always),
            ]
        }
    }

    /// The button that says no.
    #[must_use]
    pub fn no(self) -> String {
        self.pick("No", "いいえ")
    }

    /// The button that ends a window with nothing to decide.
    #[must_use]
    pub fn close(self) -> String {
        self.pick("Close", "閉じる")
    }

    /// What stands above a window that asks.
    #[must_use]
    pub fn title(self) -> String {
        self.pick("Sluicegate endpoint check", "Sluicegate 端末検査")
    }

    /// What stands above a window that says what went wrong.
    #[must_use]
    pub fn failed_title(self) -> String {
        self.pick("Sluicegate: endpoint check failed", "Sluicegate: 端末検査に失敗しました")
    }

    /// What the user said, for the journal.
    #[must_use]
    pub fn replied(self, reply: Reply) -> String {
        match reply {
            Reply::Once => self.pick("The user agrees, this time.", "利用者が今回のみ同意しました。"),
            Reply::AnswerOnly => {
                self.pick("The user agrees to an answer, and to nothing else.", "利用者が回答のみに同意しました。")
            }
            Reply::Always => self.pick("The user agrees, always.", "利用者が常に同意するとしました。"),
            Reply::No => self.pick("The user does not agree.", "利用者が同意しませんでした。"),
        }
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
            Why::NoCertificate => self.pick(
                "there is no certificate of this machine that the gateway wants to see, or you may not use it",
                "ゲートウェイが求める端末証明書がないか、使用する権限がありません",
            ),
            Why::Certificate => self
                .pick("the gateway does not accept the certificate of this machine", "ゲートウェイが端末証明書を受け付けません"),
            Why::Unknown => self.pick("this agent cannot check that", "このエージェントでは検査できません"),
        }
    }

    /// An order.
    fn order(self, order: &Order) -> String {
        match order {
            Order::Kill(name) => {
                let name = shown(name);
                self.pick(format!("end process {name}"), format!("プロセス {name} の終了"))
            }
            Order::Delete(path) => {
                let path = shown(path);
                self.pick(format!("delete {path}"), format!("{path} の削除"))
            }
            Order::Unclear => self.pick("an order that cannot be read", "読み取れない指示"),
        }
    }

    /// That an order is about to be carried out, for the journal.
    #[must_use]
    pub fn begins(self, order: &Order) -> String {
        let order = self.order(order);
        self.pick(format!("allowed and agreed to: {order}"), format!("許可および同意済み: {order}"))
    }

    /// What became of an order.
    #[must_use]
    pub fn outcome(self, order: &Order, outcome: &Outcome) -> String {
        let order = self.order(order);
        let (english, japanese) = match outcome {
            Outcome::Denied(why) => return self.not_done(&order, &self.denied(why)),
            Outcome::Kept(why) => return self.not_done(&order, &self.kept(*why)),
            Outcome::Spared => {
                let why = self
                    .pick("it is not yours, or the agent depends on it", "ご自身のものでないか、エージェントの動作に必要です");
                return self.not_done(&order, &why);
            }
            Outcome::Many => return self.not_done(&order, &self.pick("too many have this name", "同名のものが多すぎます")),
            Outcome::NothingRuns => {
                return self.not_done(&order, &self.pick("nothing of that name runs", "該当するプロセスはありません"));
            }
            Outcome::NoSuchFile => return self.not_done(&order, &self.pick("there is no such file", "ファイルがありません")),
            Outcome::StillRun(count) => (format!("still runs ({count})"), format!("終了できません ({count} 件)")),
            Outcome::WouldEnd(count) => (format!("only rehearsed ({count} running)"), format!("予行のみ (実行中 {count} 件)")),
            Outcome::WouldDelete => ("only rehearsed".to_owned(), "予行のみ".to_owned()),
            Outcome::Ended(count) => (format!("done ({count})"), format!("実行しました ({count} 件)")),
            Outcome::Deleted => ("done".to_owned(), "実行しました".to_owned()),
        };
        self.pick(format!("{english}: {order}"), format!("{japanese}: {order}"))
    }

    fn not_done(self, order: &str, why: &str) -> String {
        self.pick(format!("not done: {order}: {why}"), format!("実行しません: {order}: {why}"))
    }

    fn denied(self, why: &Denied) -> String {
        match why {
            Denied::Unclear => self.pick("it does not plainly name one process or one file", "対象が明確ではありません"),
            Denied::Root => self.pick("nothing is done as root", "root では実行しません"),
            Denied::Off => self.pick("the policy of this machine allows nothing", "この端末のポリシーで許可されていません"),
            Denied::NotAllowed => {
                self.pick("the policy of this machine does not allow it", "この端末のポリシーで許可されていません")
            }
            Denied::Void(why) => {
                self.pick(format!("the policy of this machine is void: {why}"), format!("この端末のポリシーが無効です ({why})"))
            }
            Denied::NotAgreed => self.pick("you have not agreed to it", "同意がありません"),
            Denied::NotLogged => self.pick("it cannot be logged", "記録できません"),
        }
    }

    fn kept(self, why: Kept) -> String {
        match why {
            Kept::Path => self.pick("not a whole path", "絶対パスではありません"),
            Kept::Link => self.pick("a symbolic link is on its path", "パスにシンボリックリンクが含まれています"),
            Kept::NoFile => self.pick("not a plain file", "通常のファイルではありません"),
            Kept::Others => self.pick("it belongs to somebody else", "所有者が異なります"),
            Kept::Names => self.pick("it has further names (hard links)", "ハードリンクがあります"),
            Kept::Exchanged => self.pick("it was exchanged meanwhile", "処理中に差し替えられました"),
            Kept::System(number) => {
                let why = std::io::Error::from_raw_os_error(number);
                self.pick(format!("{why}"), format!("{why}"))
            }
        }
    }

    /// That the agent should not run as root.
    #[must_use]
    pub fn is_root(self) -> String {
        self.pick(
            "This runs as root, which it does not need: run it as the user who logs in.",
            "root で実行されています。root 権限は不要です。ログインする利用者として実行してください。",
        )
    }

    /// That the scan is repeated, and what that means.
    #[must_use]
    pub fn stays(self, minutes: u16) -> String {
        self.pick(
            format!("The gateway asks again every {minutes} min. The session ends if this program does."),
            format!("{minutes} 分ごとに再検査します。このプログラムを終了するとセッションも終了します。"),
        )
    }

    /// A check that is being repeated, at `now`.
    #[must_use]
    pub fn repeat(self, repeat: &Repeat, now: u64) -> String {
        let Repeat { pid, minutes, due, gateway } = repeat;
        let (gateway, next) = (shown(gateway), due.saturating_sub(now));
        self.pick(
            format!("{gateway}  every {minutes} min  next in {next} s  process {pid}"),
            format!("{gateway}  {minutes} 分ごと  次回まで {next} 秒  プロセス {pid}"),
        )
    }

    /// How the last check for a gateway went, at `now`.
    #[must_use]
    pub fn last(self, last: &Last, now: u64) -> String {
        let gateway = shown(&last.gateway);
        let ago = self.ago(now.saturating_sub(last.seconds));
        let (yes, all) = (last.answers.iter().filter(|(_, is_yes)| *is_yes).count(), last.answers.len());
        let verdict = match last.verdict {
            Verdict::Passed => self.pick("the gateway was satisfied", "合格"),
            Verdict::Failed => self.pick("the gateway was not satisfied", "不合格"),
            Verdict::Untold => self.pick("the gateway did not say whether it was satisfied", "結果不明"),
        };
        self.pick(
            format!("{gateway}  last check {ago} ago: {yes} of {all} yes, {verdict}"),
            format!("{gateway}  前回の検査: {ago}前、{all} 項目中 {yes} 項目が「はい」、{verdict}"),
        )
    }

    fn ago(self, seconds: u64) -> String {
        let (count, english, japanese) = match seconds {
            0..120 => (seconds, "s", "秒"),
            120..7200 => (seconds / 60, "min", "分"),
            7200..172_800 => (seconds / 3600, "h", "時間"),
            _ => (seconds / 86_400, "days", "日"),
        };
        self.pick(format!("{count} {english}"), format!("{count} {japanese}"))
    }

    /// That no gateway has asked yet.
    #[must_use]
    pub fn no_last(self) -> String {
        self.pick("No gateway has asked yet.", "まだどのゲートウェイからも検査を求められていません。")
    }

    /// That nothing is being repeated.
    #[must_use]
    pub fn no_repeats(self) -> String {
        self.pick("No check is being repeated.", "繰り返し中の検査はありません。")
    }

    /// That links start the agent now, and how the user will be asked.
    #[must_use]
    pub fn registered(self, in_terminal: bool) -> String {
        if in_terminal {
            self.pick(
                "Links of login pages start this program now, in a terminal. With zenity or kdialog installed, register again to be asked in a window.",
                "ログインページのリンクからターミナルで起動するようになりました。zenity か kdialog を導入して再登録すると、ダイアログで確認できます。",
            )
        } else {
            self.pick(
                "Links of login pages start this program now; it asks in a window.",
                "ログインページのリンクから起動し、ダイアログで確認するようになりました。",
            )
        }
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
                "The gateway is not satisfied with this device. sluice-epa explain says what to do about each no.",
                "この端末はゲートウェイの条件を満たしていません。「いいえ」の項目への対処は sluice-epa explain で確認できます。",
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
                "Nobody can be asked: there is no terminal and no desktop dialog, and this gateway has not been agreed to before. \
                 Nothing was answered.",
                "ターミナルも確認ダイアログもなく、このゲートウェイへの同意も記録されていないため、回答していません。",
            ),
            Fault::Unexplained { text, why } => {
                let text = shown(text);
                self.pick(format!("{text} is no question of a gateway's: {why}."), format!("{text} は検査の文字列ではありません ({why})。"))
            }
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
