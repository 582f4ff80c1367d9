//! Why a login did not go on, by the number that NetScaler gives the reason.

use super::Language;

/// What the user is told about the failure with this number. A number without a text gets the one that says least.
pub(crate) fn failure(number: u16, language: Language) -> &'static str {
    let (english, japanese) = match number {
        4002 | 4013 => ("You are not permitted to sign in here.", "ここにサインインする権限がありません。"),
        4003..=4005 => (
            "The directory cannot be reached. Please try again later.",
            "ディレクトリに接続できません。しばらくしてからやり直してください。",
        ),
        4006 => ("The user name is wrong.", "ユーザー名が正しくありません。"),
        4007 => ("The password is wrong.", "パスワードが正しくありません。"),
        4008 => ("The two new passwords differ.", "新しいパスワードが一致しません。"),
        4009 => ("This user is not known.", "ユーザーが見つかりません。"),
        4010 => ("You are not permitted to sign in at this time or from here.", "この時間または場所からはサインインできません。"),
        4011 => ("This account is disabled.", "このアカウントは無効です。"),
        4012 => ("The password has expired.", "パスワードの有効期限が切れています。"),
        4014 => ("The password could not be changed.", "パスワードを変更できませんでした。"),
        4015 => ("This account is locked.", "このアカウントはロックされています。"),
        4016 => {
            ("The new password does not meet the rules of your organisation.", "新しいパスワードが組織の規則を満たしていません。")
        }
        4017 => {
            ("This cannot be done now. Please try again later.", "要求を処理できません。しばらくしてからやり直してください。")
        }
        4018 => ("Your device does not meet the rules of your organisation.", "デバイスが組織の規則を満たしていません。"),
        4019 => ("Your device is not managed by your organisation.", "デバイスが組織で管理されていません。"),
        _ => (
            "What you entered is wrong. Please check it and try again.",
            "入力内容が正しくありません。確認してやり直してください。",
        ),
    };
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_text_say_no_more_than_a_wrong_password() {
        for language in Language::ALL {
            for number in [0, 4000, 4020, 4444, u16::MAX] {
                assert_eq!(failure(number, language), failure(4001, language));
            }
            assert!((4002..=4019).all(|number| failure(number, language) != failure(4001, language)));
        }
    }
}
