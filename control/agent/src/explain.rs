//! What a gateway's strings mean, whether they hold on this machine, and what to do about those that do not: `sluice-epa explain`.
//!
//! ```text
//!   strings of the command line, or those that each gateway asked last ─► look again ─► meaning, finding, cure
//! ```

use gate_proto::epa::ClientString;
use gate_proto::epa::client_string::Kind;

use crate::look::{Finding, Machine, Why};
use crate::words::{Language, shown};

/// Explains `strings`, and whether all of them hold on `machine`.
#[must_use]
pub fn explain(language: Language, machine: &Machine, strings: &[ClientString]) -> (String, bool) {
    let findings = machine.look(strings);
    let mut text = String::new();
    for (string, finding) in strings.iter().zip(&findings) {
        text += &format!("{}\n    {}\n", language.found(string, finding), meaning(language, string));
        if let Finding::No(why) = finding {
            text += &format!("    {}\n", cure(language, why));
        }
    }
    (text, findings.iter().all(|finding| *finding == Finding::Yes))
}

/// What a string asks, as a question to the user.
pub(crate) fn meaning(language: Language, string: &ClientString) -> String {
    let body = shown(string.body());
    let body = body.as_str();
    let list = |prefix: &str| string.body().strip_prefix(prefix).map(shown);
    let what = match string.kind() {
        Kind::Process => language.pick(format!("Does the process {body} run?"), format!("プロセス {body} が実行中か。")),
        Kind::File => language.pick(format!("Is there {body}?"), format!("{body} が存在するか。")),
        Kind::Service => language.pick(format!("Does the service {body} run?"), format!("サービス {body} が稼働中か。")),
        Kind::System => match (list("MAC_ADDR_anyof_"), list("DOMAIN_SUFFIX_anyof_"), list("LINUX-OS_")) {
            (Some(all), ..) => language.pick(
                format!("Has a network interface one of the addresses {all}?"),
                format!("ネットワークインターフェースのアドレスが {all} のいずれかか。"),
            ),
            (_, Some(all), _) => language.pick(
                format!("Is this machine in one of the domains {all}?"),
                format!("この端末のドメインが {all} のいずれかか。"),
            ),
            (.., Some(all)) => language.pick(
                format!("Are distribution and kernel as wanted ({all})?"),
                format!("ディストリビューションとカーネルが条件 ({all}) を満たすか。"),
            ),
            (None, None, None) => language.pick(format!("Something about the system: {body}"), format!("システムの状態: {body}")),
        },
        Kind::Application if body.contains("HD-ENC") => {
            language.pick("Is the disk below / encrypted?", "/ のあるディスクが暗号化されているか。")
        }
        Kind::Application if body.contains("FIREWALL") => language.pick("Is a firewall up?", "ファイアウォールが有効か。"),
        Kind::Application => language.pick(format!("Is there a product: {body}?"), format!("製品 {body} があるか。")),
        Kind::Registry => {
            language.pick(format!("Is there {body} in the Windows registry?"), format!("Windows レジストリに {body} があるか。"))
        }
        Kind::DeviceCertificate => language.pick("Has this machine a device certificate?", "端末証明書があるか。"),
        Kind::Other(kind) => {
            let kind = shown(kind);
            language.pick(format!("Something of the kind {kind}: {body}"), format!("種類 {kind} の検査: {body}"))
        }
    };
    match string.interval_minutes() {
        Some(minutes) => {
            language.pick(format!("{what} Asked again every {minutes} min."), format!("{what}{minutes} 分ごとに再検査。"))
        }
        None => what,
    }
}

/// What to do about a no.
pub(crate) fn cure(language: Language, why: &Why) -> String {
    match why {
        Why::NotRunning => language.pick(
            "Start it. The name counts letter by letter: of its program, or the one that it gives itself.",
            "起動してください。プログラム名またはプロセス名が一字一句一致する必要があります。",
        ),
        Why::NoFile => language.pick("Ask your administrator what puts it there.", "配置方法を管理者に問い合わせてください。"),
        Why::NoneOfThem => language.pick(
            "This is another device than those that were meant. Log in from one of them, or ask your administrator.",
            "対象の端末ではありません。対象の端末からログインするか、管理者に問い合わせてください。",
        ),
        Why::Version(_) => language.pick("Bring the system up to date.", "システムを更新してください。"),
        Why::NotEncrypted => language.pick(
            "Encrypt the disk (dm-crypt, LUKS); mostly this means to install the system anew.",
            "ディスクを暗号化してください (dm-crypt、LUKS)。多くの場合は再インストールが必要です。",
        ),
        Why::NoFirewall => {
            language.pick("Switch on firewalld, ufw or nftables.", "firewalld、ufw、nftables のいずれかを有効にしてください。")
        }
        Why::Unclear => language.pick(
            "The gateway's expression is not written as this check needs it. Show this to your administrator.",
            "ゲートウェイの式がこの検査の書式に合っていません。管理者に伝えてください。",
        ),
        Why::NoCertificate => language.pick(
            "The certificate of this device belongs into /etc/sluicegate, with its key; ask your administrator for one, or for the right to use it.",
            "端末証明書と鍵を /etc/sluicegate に置く必要があります。証明書または使用権限について管理者に問い合わせてください。",
        ),
        Why::Certificate => language.pick(
            "It has expired, was revoked, or is another authority's. Ask your administrator for a new one.",
            "期限切れ、失効、または別の認証局の証明書です。新しい証明書を管理者に依頼してください。",
        ),
        Why::Unknown => language.pick(
            "This agent looks at Linux, and always answers no to this. Show this to your administrator.",
            "このエージェントは Linux 用で、この検査には常に「いいえ」と回答します。管理者に伝えてください。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_is_explained_in_both_languages() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/here"), "").unwrap();
        let machine = Machine::below(root.path());
        for (text, english, japanese) in [
            ("proc_2_firefox", ["Does the process firefox run? Asked again every 2 min.", "Start it."], ["2 分ごと", "起動して"]),
            ("file_0_/none", ["Is there /none?", "what puts it there"], ["/none が存在", "配置方法"]),
            ("svc_0_ssh", ["the service ssh", "Start it."], ["サービス ssh", "起動して"]),
            (
                "sys_0_MAC_ADDR_anyof_001122334455",
                ["addresses 001122334455", "another device"],
                ["アドレスが 001122334455", "対象の端末"],
            ),
            (
                "sys_0_DOMAIN_SUFFIX_anyof_example.com",
                ["domains example.com", "another device"],
                ["ドメインが example.com", "対象の端末"],
            ),
            ("sys_0_LINUX-OS_0_KERNEL_>=_6", ["distribution and kernel", "not written as"], ["カーネル", "書式"]),
            ("sys_0_WIN-OS", ["Something about the system", "always answers no"], ["システムの状態", "常に"]),
            ("app_0_HD-ENC_0", ["encrypted?", "Encrypt the disk"], ["暗号化されているか", "暗号化してください"]),
            ("app_0_FIREWALL_0", ["firewall up?", "Switch on"], ["有効か", "有効にして"]),
            ("app_0_ANTIVIR_5", ["a product: ANTIVIR_5?", "always answers no"], ["製品 ANTIVIR_5", "常に"]),
            ("reg_0_HKLM", ["Windows registry", "always answers no"], ["レジストリ", "常に"]),
            ("device-cert_0_0", ["device certificate", "/etc/sluicegate"], ["端末証明書", "/etc/sluicegate"]),
            ("odd_0_x", ["of the kind odd: x", "always answers no"], ["種類 odd", "常に"]),
        ] {
            let string = [ClientString::parse(text).unwrap()];
            for (language, words) in [(Language::English, english), (Language::Japanese, japanese)] {
                let (told, holds) = explain(language, &machine, &string);
                assert!(!holds && words.iter().all(|word| told.contains(word)), "{text}: {told}");
            }
        }
        let (told, holds) = explain(Language::English, &machine, &[ClientString::parse("file_0_/etc/here").unwrap()]);
        assert!(holds && told == "yes  file_0_/etc/here\n    Is there /etc/here?\n", "{told}");
    }
}
