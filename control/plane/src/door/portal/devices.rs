//! The page on which a user looks after his devices for one-time codes.
//!
//! ```text
//!   DevicesView ─┬─ List ───► devices, "remove", "add", "test"; or what is needed first: a code
//!                ├─ Enrol ──► QR code, key, the field for its first code
//!                └─ Remove ─► really?
//! ```
//!
//! Each button posts to where forms of a login go, with the step of this page; what comes of it is the machine's affair. No script: the QR code
//! is a drawing in the page.

use gate_auth::login::devices::{CODE, DEED, DEVICE};
use gate_auth::login::{DevicesView, NotCode, NotDone, Page, Told};
use gate_auth::sessions::Token;
use gate_proto::forms::compose::AUTHENTICATE;
use gate_proto::otp::{base32, uri};
use hyper::StatusCode;
use qrcodegen::{QrCode, QrCodeEcc};
use secrecy::zeroize::Zeroizing;

use super::pages::{DevicesPage, Enrolment, OverPage};
use super::sheet::{PAGE, Tone};
use super::text::{DevicesTold, texts};
use super::{Failed, Visit, jar, pages, retry_after, routes};
use crate::http::Reply;

/// White around a QR code, in modules (ISO/IEC 18004 §6.3.8).
const QUIET: i32 = 4;
/// Digits of a key that stand together.
const GROUP: usize = 4;

/// The page.
pub(super) fn page(token: &Token, shown: &DevicesView, at: (&str, u32), visit: &Visit<'_>) -> Result<Reply, Failed> {
    let (factor, step) = at;
    let text = texts(visit.language);
    let (enrolment, removing) = match &shown.page {
        Page::List => (None, None),
        Page::Enrol(name, secret) => (Some(enrolment(&visit.own.host, &shown.user, name, &secret.0[..])), None),
        Page::Remove(name) => (None, Some(&**name)),
    };
    let told = shown.told.as_ref().map(|told| told_as(told, &text.devices.told));
    let page = DevicesPage {
        text,
        nonce: &pages::nonce()?,
        user: &shown.user,
        devices: &shown.devices.names,
        has_room: shown.devices.names.len() < shown.devices.names_max,
        may_change: shown.may_change,
        enrolment,
        removing,
        told: told.as_ref().map(|(tone, text)| (*tone, text.as_str())),
        post_back: AUTHENTICATE,
        context: &visit.state(factor, step).write(),
        fields: Fields { deed: DEED, device: DEVICE, code: CODE, page: PAGE },
    };
    let mut reply = pages::page(StatusCode::OK, page.nonce, &page);
    if let Some(Told::Held(wait)) = shown.told {
        retry_after(&mut reply, wait);
    }
    jar::give_flow(&mut reply, token)?;
    Ok(reply)
}

/// The user is done.
pub(super) fn left(visit: &Visit<'_>) -> Result<Reply, Failed> {
    let text = texts(visit.language);
    let page = OverPage {
        text,
        nonce: &pages::nonce()?,
        title: text.devices.title,
        reason: text.devices.left,
        lacking: None,
        code: None,
        alert: false,
        back: routes::FRONT,
    };
    let mut reply = pages::page(StatusCode::OK, page.nonce, &page);
    jar::forget_flow(&mut reply, false)?;
    jar::lead_to_a_session(&mut reply)?;
    Ok(reply)
}

/// Names of the fields of its forms.
pub(super) struct Fields {
    pub(super) deed: &'static str,
    pub(super) device: &'static str,
    pub(super) code: &'static str,
    pub(super) page: &'static str,
}

fn enrolment(issuer: &str, user: &str, name: &str, secret: &[u8]) -> Enrolment {
    let base32 = base32::encode(secret);
    let uri = uri::totp(issuer, user, &base32);
    let (side, path) = drawn(&uri);
    let mut key = Zeroizing::new(String::with_capacity(base32.len() + base32.len() / GROUP));
    for (at, digit) in base32.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            key.push(' ');
        }
        key.push(digit);
    }
    Enrolment { name: name.to_owned(), uri, key, side, path }
}

/// A QR code as the path of a drawing, with the length of a side. Empty if it does not fit into one, which no address of ours does.
fn drawn(text: &str) -> (i32, Zeroizing<String>) {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return (0, Zeroizing::default()) };
    let size = code.size();
    let mut path = Zeroizing::new(String::with_capacity(16 * 1024));
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let length = (x..size).take_while(|x| code.get_module(*x, y)).count();
            let length = i32::try_from(length).unwrap_or_default();
            if length > 0 {
                path.push_str(&format!("M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET));
            }
            x += length + 1;
        }
    }
    (size + 2 * QUIET, path)
}

fn told_as(told: &Told, text: &DevicesTold) -> (Tone, String) {
    let (tone, said) = match told {
        Told::Added(name) => return (Tone::Good, format!("{}{name}", text.added)),
        Told::Removed(name) => return (Tone::Good, format!("{}{name}", text.removed)),
        Told::Right => (Tone::Good, text.right),
        Told::Wrong(NotCode::Wrong | NotCode::NoDevice) => (Tone::Bad, text.wrong),
        Told::Wrong(NotCode::Used) => (Tone::Bad, text.used),
        Told::Wrong(NotCode::Unreadable) => (Tone::Bad, text.unreadable),
        Told::NotItsCode => (Tone::Bad, text.not_its_code),
        Told::NotDone(NotDone::Name) => (Tone::Bad, text.bad_name),
        Told::NotDone(NotDone::Taken) => (Tone::Bad, text.taken),
        Told::NotDone(NotDone::Full) => (Tone::Bad, text.full),
        Told::NotDone(NotDone::Proof) => (Tone::Bad, text.proof),
        Told::NotDone(NotDone::Gone) => (Tone::Bad, text.gone),
        Told::NotDone(NotDone::Closed) => (Tone::Bad, text.closed),
        Told::Outage => (Tone::Warning, text.outage),
        Told::Held(_) => (Tone::Bad, text.held),
        Told::Locked => (Tone::Bad, text.locked),
    };
    (tone, said.to_owned())
}

#[cfg(test)]
mod tests {
    use askama::Template as _;

    use super::super::text::Language;
    use super::*;

    fn html(language: Language, devices: &[Box<str>], may_change: bool, page: Page, told: Option<Told>) -> String {
        let text = texts(language);
        let (enrolment, removing) = match &page {
            Page::List => (None, None),
            Page::Enrol(name, secret) => (Some(enrolment("gw.example.test", "<b>ann", name, &secret.0[..])), None),
            Page::Remove(name) => (None, Some(&**name)),
        };
        let told = told.as_ref().map(|told| told_as(told, &text.devices.told));
        let page = DevicesPage {
            text,
            nonce: "n",
            user: "<b>ann",
            devices,
            has_room: devices.len() < 4,
            may_change,
            enrolment,
            removing,
            told: told.as_ref().map(|(tone, text)| (*tone, text.as_str())),
            post_back: AUTHENTICATE,
            context: "ctx",
            fields: Fields { deed: DEED, device: DEVICE, code: CODE, page: PAGE },
        };
        page.render().unwrap()
    }

    fn pages_of(language: Language) -> Vec<String> {
        let two: [Box<str>; 2] = ["<i>phone".into(), "tablet".into()];
        let secret = || gate_auth::login::DeviceSecret(Zeroizing::new(*b"12345678901234567890"));
        vec![
            html(language, &[], true, Page::List, None),
            html(language, &two, false, Page::List, Some(Told::NotDone(NotDone::Proof))),
            html(language, &two, true, Page::List, Some(Told::Added("<i>x".into()))),
            html(language, &["a".into(), "b".into(), "c".into(), "d".into()], true, Page::List, Some(Told::Right)),
            html(language, &two, true, Page::Enrol("<i>new".into(), secret()), Some(Told::NotItsCode)),
            html(language, &two, true, Page::Remove("<i>phone".into()), None),
        ]
    }

    #[test]
    fn each_part_is_a_page_for_everybody() {
        for language in Language::ALL {
            for html in pages_of(language) {
                let lang = format!("<html lang=\"{}\">", language.tag());
                for needed in
                    [&*lang, "<h1>", "<button", "name=\"StateContext\" value=\"ctx\"", "name=\"sg-page\"", "name=\"viewport\""]
                {
                    assert!(html.contains(needed), "{needed} in {html}");
                }
                for forbidden in ["<script", "<b>", "<i>", "onclick", "style=\"", "http://", "https://"] {
                    assert!(!html.contains(forbidden), "{forbidden} in {html}");
                }
                assert!(html.matches("autofocus").count() <= 1);
                for tag in html.split('<').filter(|tag| tag.starts_with("input ") && !tag.contains("type=\"hidden\"")) {
                    let id = tag.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
                    assert!(html.contains(&format!("<label for=\"{id}\">")), "{id} has no label in {html}");
                }
            }
        }
    }

    #[test]
    fn nothing_can_be_changed_before_a_code_was_right() {
        let [_, locked, open, full, enrol, remove] = pages_of(Language::English).try_into().unwrap();
        assert!(locked.contains("value=\"check\"") && !locked.contains("value=\"add\"") && !locked.contains("value=\"remove\""));
        assert!(open.contains("value=\"add\"") && open.contains("value=\"remove\"") && open.contains("value=\"check\""));
        assert!(!full.contains("value=\"add\"") && full.contains("value=\"remove\""));
        assert!(enrol.contains("value=\"confirm\"") && enrol.contains("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"));
        assert!(
            enrol
                .contains("href=\"otpauth://totp/gw.example.test:%3Cb%3Eann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&#38;issuer=")
        );
        assert!(enrol.contains("<svg class=\"qr\" viewBox=\"0 0 ") && enrol.contains("M4 4h7v1h-7z"), "{enrol}");
        assert!(remove.contains("value=\"really\"") && remove.contains("value=\"back\""));
    }

    #[test]
    fn everything_that_can_be_told_has_its_words_in_each_language() {
        let all = [
            Told::Added("x".into()),
            Told::Removed("x".into()),
            Told::Right,
            Told::Wrong(NotCode::Wrong),
            Told::Wrong(NotCode::Used),
            Told::Wrong(NotCode::Unreadable),
            Told::NotItsCode,
            Told::NotDone(NotDone::Name),
            Told::NotDone(NotDone::Taken),
            Told::NotDone(NotDone::Full),
            Told::NotDone(NotDone::Proof),
            Told::NotDone(NotDone::Gone),
            Told::NotDone(NotDone::Closed),
            Told::Outage,
            Told::Held(std::time::Duration::from_secs(3)),
            Told::Locked,
        ];
        let english: std::collections::BTreeSet<String> =
            all.iter().map(|told| told_as(told, &texts(Language::English).devices.told).1).collect();
        assert_eq!(english.len(), all.len());
        for told in &all {
            let japanese = told_as(told, &texts(Language::Japanese).devices.told).1;
            assert!(!english.contains(&japanese) && !japanese.is_ascii(), "{japanese}");
        }
    }
}
