//! What pages say in Japanese.

use super::Text;

pub(super) const TEXT: Text = Text {
    language: "ja",
    product: "Sluicegate",
    sign_in: "サインイン",
    sign_out: "サインアウト",
    sign_out_really: "サインアウトしますか?",
    signed_in_as: "ユーザー:",
    user_name: "ユーザー名",
    password: "パスワード",
    resources: "アプリケーションとデスクトップ",
    no_resources: "公開されているものはまだありません。ヘルプデスクにお問い合わせください。",
    no_user: "ユーザー名なしでサインインしています。このようなセッションには何も公開されていません。ユーザー名でのサインイン方法はヘルプデスクにお問い合わせください。",
    open: "開く",
    how_to_open: "小さなファイルがダウンロードされます。1~2 分以内に開いてください。中のチケットは有効期間が短く、1 回だけ使えます。",
    back: "最初のページに戻る",
    code: "コード",
    reference: "参照番号",
};
