//! Every text of a login, in every language, in one place.
//!
//! A form names a text by its key. Clients with a table of their own (whoever announces `nsg-login-label`) know those keys that
//! are published; for the others, and for every client without a table, the text itself is sent. So an answer never shows a
//! key to a user.
//!
//! Error labels have the keys `errorMessageLabel4001` and so on. The text says what the user can do; it says no more than the
//! code, and which code is told is decided elsewhere.

use super::language::Language;

/// A text in all languages.
struct Entry {
    key: &'static str,
    /// Whether clients with a table of their own have this key.
    published: bool,
    english: &'static str,
    japanese: &'static str,
}

impl Entry {
    fn text(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Japanese => self.japanese,
        }
    }
}

/// The text of `key`, if it is one of ours.
#[must_use]
pub fn text(key: &str, language: Language) -> Option<&'static str> {
    entry(key).map(|entry| entry.text(language))
}

/// The text of `key`, or `key` itself, which then is no key but a text that an operator wrote.
#[must_use]
pub fn text_or(key: &str, language: Language) -> &str {
    text(key, language).unwrap_or(key)
}

/// Whether a client that has a table of its own knows `key`.
#[must_use]
pub fn is_published(key: &str) -> bool {
    entry(key).is_some_and(|entry| entry.published)
}

/// All keys.
pub fn keys() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.key)
}

/// The key of an error's text; that of [`UNSPECIFIC`] if there is none for `code`.
#[must_use]
pub fn error_key(code: u16) -> &'static str {
    let number = code.to_string();
    keys().find(|key| key.strip_prefix(ERROR_PREFIX) == Some(number.as_str())).unwrap_or(UNSPECIFIC)
}

const ERROR_PREFIX: &str = "errorMessageLabel";
/// What went wrong, if more must not be told.
pub const UNSPECIFIC: &str = "errorMessageLabel4444";

fn entry(key: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.key == key)
}

const fn published(key: &'static str, english: &'static str, japanese: &'static str) -> Entry {
    Entry { key, published: true, english, japanese }
}

const fn ours(key: &'static str, english: &'static str, japanese: &'static str) -> Entry {
    Entry { key, published: false, english, japanese }
}

const ENTRIES: &[Entry] = &[
    published("nsg_loginHeading", "Please sign in", "サインインしてください"),
    published("nsg_username", "User name", "ユーザー名"),
    published("nsg_password1", "Password", "パスワード"),
    published("nsg_epa", "Your device is being checked.", "お使いのデバイスを確認しています。"),
    ours("sg_password2", "Second password", "2 つ目のパスワード"),
    ours("sg_passcode", "Passcode", "パスコード"),
    ours("sg_passcode_heading", "One more step", "追加の確認"),
    ours("sg_passcode_hint", "Enter the code that your device shows.", "デバイスに表示されているコードを入力してください。"),
    ours(
        "sg_manage_heading",
        "Sign in to manage your devices for one-time codes",
        "ワンタイムコードのデバイスを管理するにはサインインしてください",
    ),
    ours(
        "sg_manage_in_browser",
        "Devices for one-time codes are managed in a browser: open /manageotp at this gateway.",
        "ワンタイムコードのデバイスはブラウザーで管理します。このゲートウェイの /manageotp を開いてください。",
    ),
    ours("sg_old_password", "Old password", "現在のパスワード"),
    ours("sg_new_password", "New password", "新しいパスワード"),
    ours("sg_confirm_password", "New password again", "新しいパスワード (確認)"),
    ours("sg_change_heading", "Please change your password", "パスワードを変更してください"),
    ours("sg_logon", "Sign in", "サインイン"),
    ours("sg_continue", "Continue", "続行"),
    ours("sg_change", "Change password", "パスワードを変更"),
    ours("sg_cancel", "Cancel", "キャンセル"),
    ours("sg_cancelled", "The sign-in was cancelled.", "サインインは取り消されました。"),
    ours(
        "sg_scan_ended",
        "Your session was ended because your device no longer meets the requirements.",
        "デバイスが要件を満たさなくなったため、セッションを終了しました。",
    ),
    ours(
        "sg_scan_missing",
        "Your session was ended because your device was not checked in time.",
        "デバイスの確認が時間内に行われなかったため、セッションを終了しました。",
    ),
    published(
        "errorMessageLabel4001",
        "Incorrect user name or password. Please try again.",
        "ユーザー名またはパスワードが正しくありません。もう一度お試しください。",
    ),
    published("errorMessageLabel4002", "You do not have permission to sign in.", "サインインする権限がありません。"),
    published(
        "errorMessageLabel4003",
        "The server cannot be reached. Please try again in a few minutes.",
        "サーバーに接続できません。数分後にもう一度お試しください。",
    ),
    published(
        "errorMessageLabel4004",
        "Cannot connect. Please try again or tell your help desk.",
        "接続できません。もう一度お試しになるか、ヘルプデスクにご連絡ください。",
    ),
    published(
        "errorMessageLabel4005",
        "Cannot connect. Please close your browser and sign in again.",
        "接続できません。ブラウザーを閉じてから、もう一度サインインしてください。",
    ),
    published("errorMessageLabel4006", "Incorrect user name.", "ユーザー名が正しくありません。"),
    published("errorMessageLabel4007", "Incorrect password.", "パスワードが正しくありません。"),
    published("errorMessageLabel4008", "The passwords do not match.", "パスワードが一致しません。"),
    published("errorMessageLabel4009", "User not found.", "ユーザーが見つかりません。"),
    published("errorMessageLabel4010", "You are not permitted to sign in at this time.", "この時間帯はサインインできません。"),
    published("errorMessageLabel4011", "Your account is disabled.", "アカウントが無効になっています。"),
    published("errorMessageLabel4012", "Your password has expired.", "パスワードの有効期限が切れています。"),
    published("errorMessageLabel4013", "You do not have permission to sign in here.", "ここにサインインする権限がありません。"),
    published("errorMessageLabel4014", "The password could not be changed.", "パスワードを変更できませんでした。"),
    published("errorMessageLabel4015", "Your account is locked.", "アカウントがロックされています。"),
    published(
        "errorMessageLabel4016",
        "The new password does not meet the rules of your organization.",
        "新しいパスワードが組織の規則を満たしていません。",
    ),
    published("errorMessageLabel4017", "Your request cannot be processed.", "要求を処理できません。"),
    published(
        "errorMessageLabel4018",
        "Your device does not meet the requirements for access.",
        "お使いのデバイスはアクセスの要件を満たしていません。",
    ),
    published("errorMessageLabel4019", "Your device is not managed.", "お使いのデバイスは管理されていません。"),
    ours("errorMessageLabel4101", "Your browser showed no certificate.", "ブラウザーから証明書が提示されませんでした。"),
    ours("errorMessageLabel4102", "Your certificate was not accepted.", "証明書が受け入れられませんでした。"),
    published("errorMessageLabel4444", "Incorrect user name or password.", "ユーザー名またはパスワードが正しくありません。"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_text_is_there_in_every_language_once() {
        let unique: BTreeSet<_> = keys().collect();
        assert_eq!(unique.len(), ENTRIES.len());
        for entry in ENTRIES {
            assert!(!entry.english.is_empty() && entry.english.is_ascii(), "{}", entry.key);
            assert!(!entry.japanese.is_ascii(), "{}: not Japanese", entry.key);
            assert!(!entry.key.contains(' ') && entry.text(Language::Japanese) != entry.text(Language::English));
        }
    }

    #[test]
    fn every_code_has_its_text() {
        for code in (4001..=4019).chain([4101, 4102, 4444]) {
            assert_eq!(error_key(code), format!("errorMessageLabel{code}"));
        }
        assert_eq!(error_key(4020), UNSPECIFIC);
        assert_eq!(error_key(0), UNSPECIFIC);
        assert_eq!(text("errorMessageLabel4444", Language::English), Some("Incorrect user name or password."));
        assert_eq!(text_or("Passwort:", Language::Japanese), "Passwort:");
        assert!(is_published("nsg_username") && !is_published("sg_logon") && !is_published("Passwort:"));
    }
}
