//! What a step of a login comes to, for browsers: a page for each form, one for a scan, one for the end.
//!
//! ```text
//!   Show ─► the same form as in answers.rs ─► Sheet ─► flow.html        Over, Cancelled ─► over.html
//!   Certificate ─► certificate.html: on to where it is asked for
//!   Scan ─► scan.html: link to the app on the device, "continue", "skip"  Granted ─► 303 /portal
//! ```
//!
//! All of it works without JavaScript. The page for a scan has a small script that presses "continue" once the app has answered.

use gate_auth::login::scan::Lack;
use gate_auth::login::{Denial, ScanView, View, ViewKind, Void, Why};
use gate_auth::sessions::{End, Token};
use gate_proto::epa::{ClientString, Kind};
use gate_proto::forms::announced::Announced;
use gate_proto::forms::compose::{CANCEL, Prefix, Reader, SCANNED};
use hyper::StatusCode;
use tracing::error;

use super::answers::{self, told};
use super::flow::Talk;
use super::pages::{FlowPage, OverPage, ScanPage, Stage, Told};
use super::sheet::{CREDENTIALS, Cancel, LABELS, Lacking, PAGE, Sheet};
use super::text::{Language, Problem, texts};
use super::{Failed, Portal, Visit, assets, certificate, devices, jar, pages, retry_after, routes};
use crate::http::Reply;
use crate::login::{self, ScanState, Turn};

/// The app on the device is started with this, the gateway's name and a token.
const LAUNCH: &str = "nsgcepa://nsgcepa/epav2plugin";

impl Portal {
    /// The page for a step. `notice`: what its user is told before.
    pub(super) async fn sheet_of(&self, turn: Turn, talk: &Talk<'_>, notice: Option<&'static str>) -> Result<Reply, Failed> {
        let visit = talk.visit;
        let text = texts(visit.language);
        match turn {
            // The other tab was faster.
            Turn::Unknown if self.visitor(visit).await?.is_some() => {
                Ok(pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES))
            }
            // A page that lay open for too long: the first form again, and why.
            Turn::Unknown => {
                let fresh = talk.ask(None).await?;
                self.present(fresh, visit, Some(Problem::StaleForm.told(visit.language).advice)).await
            }
            Turn::Over(denial) => self.over(&denial, visit),
            Turn::Cancelled => {
                let page = OverPage {
                    text,
                    nonce: &pages::nonce()?,
                    title: text.sign_in,
                    reason: text.over.cancelled,
                    lacking: None,
                    code: None,
                    alert: false,
                    back: visit.entrance(),
                };
                let mut reply = pages::page(StatusCode::OK, page.nonce, &page);
                jar::forget_flow(&mut reply, false)?;
                if visit.jar.is_for_devices() {
                    jar::lead_to_a_session(&mut reply)?;
                }
                Ok(reply)
            }
            Turn::NotEntered(why) => Err(why.into()),
            Turn::Conflict => Err(Failed::new(Problem::Conflict, "a step of this login is under way")),
            Turn::Busy => Err(Failed::new(Problem::Busy, "too many logins at once")),
            turn @ (Turn::Show { .. } | Turn::Scan { .. } | Turn::Certificate { .. } | Turn::Granted { .. }) => {
                self.present(turn, visit, notice).await
            }
        }
    }

    async fn present(&self, turn: Turn, visit: &Visit<'_>, notice: Option<&'static str>) -> Result<Reply, Failed> {
        match turn {
            Turn::Show { token, view: View { kind: ViewKind::Devices(shown), factor, step, .. } } => {
                devices::page(&token, &shown, (&factor, step), visit)
            }
            Turn::Show { token, view } if visit.is_classic_form(&view.kind) => self.classic_form(&token, &view, visit, notice),
            Turn::Show { token, view } => flow(&token, &view, visit, notice),
            Turn::Scan { token, view } => {
                let stage = match login::scan_state(&self.owner, &visit.site.vserver, token.expose()).await? {
                    Some(ScanState::Begun) => Stage::Begun,
                    Some(ScanState::Done) => Stage::Done,
                    Some(ScanState::Waiting | ScanState::Idle) | None => Stage::Waiting,
                };
                scan(&token, &view, stage, visit, notice)
            }
            turn @ Turn::Certificate { .. } => {
                let mut reply = certificate::page(&turn, visit, notice.or_else(|| ended(visit)))?;
                told_once(&mut reply, visit)?;
                Ok(reply)
            }
            Turn::Granted { login, watched } => {
                let mut reply = pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES);
                jar::give_login(&mut reply, &login)?;
                jar::forget_flow(&mut reply, watched)?;
                jar::forget_failure(&mut reply)?;
                Ok(reply)
            }
            Turn::Over(denial) => self.over(&denial, visit),
            Turn::NotEntered(why) => Err(why.into()),
            Turn::Busy => Err(Failed::new(Problem::Busy, "too many logins at once")),
            Turn::Cancelled | Turn::Unknown | Turn::Conflict => {
                Err(Failed::new(Problem::Internal, "a conversation that has just begun is over"))
            }
        }
    }
}

impl Portal {
    fn over(&self, denial: &Denial, visit: &Visit<'_>) -> Result<Reply, Failed> {
        if denial.why == Why::DevicesLeft {
            devices::left(visit)
        } else if visit.is_wrong_in_form(denial) {
            self.form_again(denial, visit)
        } else {
            over(denial, visit)
        }
    }
}

fn flow(token: &Token, view: &View, visit: &Visit<'_>, notice: Option<&str>) -> Result<Reply, Failed> {
    let text = texts(visit.language);
    let announced = Announced::read(Some(CREDENTIALS), Some(LABELS));
    let reader = Reader { announced, language: visit.language, prefix: Prefix::Authentication };
    let answer = answers::form(view, visit, &reader).map_err(|unfit| {
        error!(factor = %view.factor, %unfit, "a form cannot be shown on a page");
        Failed::new(Problem::Unshowable, unfit)
    })?;
    let form = answer.requirements.ok_or_else(|| Failed::new(Problem::Internal, "a form without requirements"))?;
    let mut sheet = Sheet::of(form, &answer.state, &Lacking { heading: text.sign_in, deed: text.next });
    if sheet.cancel.is_none() && view.step > 1 {
        sheet.cancel = Some(Cancel { path: CANCEL.to_owned(), text: text.start_over.to_owned() });
    }
    let failed = sheet.problem.is_some();
    let page = FlowPage {
        text,
        nonce: &pages::nonce()?,
        sheet: &sheet,
        ended: notice.or_else(|| ended(visit)),
        lacking: view.lack.as_ref().map(|lack| lacking(lack, visit.language)),
        page_field: PAGE,
    };
    // By the status a browser's password manager sees that the password was wrong.
    let status = if failed { StatusCode::FORBIDDEN } else { StatusCode::OK };
    let mut reply = pages::page_with(status, page.nonce, &page, pages::May { show_images: sheet.has_image, run_own: false });
    view.wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
    jar::give_flow(&mut reply, token)?;
    told_once(&mut reply, visit)?;
    Ok(reply)
}

fn scan(token: &Token, view: &ScanView, stage: Stage, visit: &Visit<'_>, notice: Option<&str>) -> Result<Reply, Failed> {
    let host = if visit.own.port == 443 { visit.own.host.clone() } else { format!("{}:{}", visit.own.host, visit.own.port) };
    let page = ScanPage {
        text: texts(visit.language),
        nonce: &pages::nonce()?,
        ended: notice.or_else(|| ended(visit)),
        stage,
        launch: &format!("{LAUNCH}/{host}/{}/", token.expose()),
        agents: visit.world.agents.all(),
        script: assets::SCAN_SCRIPT,
        poll: routes::SCAN_STATE,
        post_back: SCANNED,
        context: &visit.state(&view.factor, view.step).write(),
        skipped: super::flow::SKIPPED,
        page_field: PAGE,
    };
    let mut reply = pages::page_with(StatusCode::OK, page.nonce, &page, pages::May { show_images: false, run_own: true });
    jar::give_flow(&mut reply, token)?;
    told_once(&mut reply, visit)?;
    Ok(reply)
}

fn over(denial: &Denial, visit: &Visit<'_>) -> Result<Reply, Failed> {
    let text = texts(visit.language);
    let reason = match denial.why {
        Why::Cancelled => text.over.cancelled.to_owned(),
        Why::NoDevices => text.devices.no_page.to_owned(),
        Why::Factor | Why::Scan | Why::Tries | Why::Steps | Why::Groups | Why::Finished | Why::Off | Why::DevicesLeft => {
            told(denial, visit)
        }
    };
    let page = OverPage {
        text,
        nonce: &pages::nonce()?,
        title: text.over.failed,
        reason: &reason,
        lacking: denial.lack.as_ref().map(|lack| lacking(lack, visit.language)),
        code: Some(visit.number(denial.code)),
        alert: true,
        back: if visit.jar.is_for_devices() { routes::DEVICES } else { visit.entrance() },
    };
    let mut reply = pages::page(StatusCode::FORBIDDEN, page.nonce, &page);
    denial.wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
    jar::forget_flow(&mut reply, false)?;
    Ok(reply)
}

/// Why a device did not do, in words. What was asked is no secret: the app on the device was told the same.
fn lacking(lack: &Lack, language: Language) -> Told {
    let text = &texts(language).lacking;
    let of = |text: &str| Told { text: text.to_owned(), ..Told::default() };
    match lack {
        Lack::Void(Void::Skipped) => of(text.skipped),
        Lack::Void(Void::Missing) => of(text.missing),
        Lack::Void(Void::Malformed) => of(text.malformed),
        Lack::Void(Void::Late) => of(text.late),
        Lack::Strings { first, more } => Told {
            items: first.iter().map(|string| named(string, language)).collect(),
            more: (*more > 0).then(|| format!("{} {more}", text.more)),
            ..of(text.these)
        },
    }
}

/// One thing that was asked: the operator's comment, if there is one.
fn named(string: &str, language: Language) -> String {
    if let Some((_, comment)) = string.trim_end().strip_suffix(']').and_then(|rest| rest.split_once("[COMMENT:"))
        && !comment.trim().is_empty()
    {
        return comment.trim().to_owned();
    }
    let text = &texts(language).lacking;
    let Ok(asked) = ClientString::parse(string) else { return string.to_owned() };
    let of = |what: &str| format!("{what} {}", asked.body());
    match asked.kind() {
        Kind::Process => of(text.process),
        Kind::File => of(text.file),
        Kind::Service => of(text.service),
        Kind::Registry | Kind::System | Kind::Application | Kind::DeviceCertificate | Kind::Other(_) => asked.to_string(),
    }
}

/// Why the login is over that the browser still has a cookie of.
pub(super) fn ended(visit: &Visit<'_>) -> Option<&'static str> {
    visit.ended.map(|end| why_ended(end, visit.language))
}

/// Why a login is over, as its user is told.
fn why_ended(end: End, language: Language) -> &'static str {
    let over = &texts(language).over;
    match end {
        End::LoggedOut | End::Renewed => over.signed_out,
        End::Crowded | End::Replaced => over.elsewhere,
        End::Idle => over.idle,
        End::Absolute => over.too_old,
        End::Killed => over.by_operator,
        End::ScanFailed => over.scan_failed,
        End::ScanMissing => over.scan_missing,
        End::UserGone => over.user_gone,
    }
}

/// What was told is not told again.
pub(super) fn told_once(reply: &mut Reply, visit: &Visit<'_>) -> Result<(), Failed> {
    if visit.ended.is_some() { jar::forget_login(reply) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use askama::Template as _;
    use gate_proto::forms::compose::Notice;
    use gate_proto::forms::state::State;
    use gate_proto::forms::{Answer, shipped};

    use super::*;

    fn page(answer: Answer, language: Language) -> String {
        let text = texts(language);
        let form = answer.requirements.unwrap();
        let sheet = Sheet::of(form, &answer.state, &Lacking { heading: text.sign_in, deed: text.next });
        FlowPage { text, nonce: "n", sheet: &sheet, ended: None, lacking: None, page_field: PAGE }.render().unwrap()
    }

    /// Ids of what is typed into, ticked or chosen from.
    fn fields(html: &str) -> Vec<&str> {
        let tags = html.split('<').filter(|tag| tag.starts_with("input ") || tag.starts_with("select "));
        tags.filter(|tag| !tag.contains("type=\"hidden\""))
            .map(|tag| tag.split("id=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect()
    }

    #[test]
    fn each_shipped_form_is_a_page_for_everybody() {
        for language in Language::ALL {
            let announced = Announced::read(Some(CREDENTIALS), Some(LABELS));
            let reader = Reader { announced, language, prefix: Prefix::Authentication };
            let (state, wrong) = (State::first(), Notice::error(4001));
            let answers = shipped::names().map(|name| {
                let schema = shipped::schema(name).unwrap();
                reader.form(&schema, "<b>ann", &state, Some(&wrong)).unwrap()
            });
            let more = [reader.change_password("ann", &state, None).unwrap(), reader.challenge("<i>", &state, None).unwrap()];
            for answer in answers.chain(more) {
                let html = page(answer, language);
                let lang = format!("<html lang=\"{}\">", language.tag());
                for needed in [&*lang, "<h1>", "<button", "name=\"StateContext\" value=\"bG9n", "name=\"viewport\"", "autofocus"]
                {
                    assert!(html.contains(needed), "{needed} in {html}");
                }
                for forbidden in ["<script", "<b>", "<i>", "onclick", "style=\"", "http://", "https://", "nsg_", "sg_"] {
                    assert!(!html.contains(forbidden), "{forbidden} in {html}");
                }
                let fields = fields(&html);
                assert!(!fields.is_empty());
                for id in fields {
                    assert!(html.contains(&format!("<label for=\"{id}\">")), "{id} has no label in {html}");
                }
                assert_eq!(html.matches("autofocus").count(), 1);
            }
        }
    }

    #[test]
    fn a_form_of_an_operators_own_keeps_its_words() {
        let text = r#"<AuthenticateResponse xmlns="http://citrix.com/authentication/response/1"><Status>success</Status>
            <Result>more-info</Result><StateContext/><AuthenticationRequirements><PostBack>/nf/auth/doAuthentication.do</PostBack><Requirements>
            <Requirement><Credential><ID>domain</ID><Type>domain</Type></Credential><Label><Text>Site &lt;1&gt;</Text><Type>plain</Type></Label>
            <Input><ComboBox><InitialSelection>b</InitialSelection><DisplayValues><DisplayValue><Display>A&amp;B</Display><Value>"&gt;</Value></DisplayValue>
            <DisplayValue><Display>Tokyo</Display><Value>b</Value></DisplayValue></DisplayValues></ComboBox></Input></Requirement>
            </Requirements></AuthenticationRequirements></AuthenticateResponse>"#;
        let schema = gate_proto::forms::schema::Schema::parse(text.as_bytes()).unwrap();
        let reader = Reader { announced: Announced::read(Some(CREDENTIALS), Some(LABELS)), ..Reader::default() };
        let html = page(reader.form(&schema, "", &State::first(), None).unwrap(), Language::English);
        assert!(html.contains("Site &#60;1&#62;") && html.contains("<option value=\"&#34;&#62;\">A&#38;B</option>"), "{html}");
        assert!(html.contains("<option value=\"b\" selected>Tokyo</option>"), "{html}");
    }

    #[test]
    fn what_is_lacking_is_named_in_words() {
        for (string, words) in [
            ("proc_2_firefox", "program firefox"),
            ("file_0_/etc/ok", "file /etc/ok"),
            ("svc_0_sshd", "service sshd"),
            ("sys_0_MAC_ADDR_anyof_1AC89C83B0F7[COMMENT: A known network card]", "A known network card"),
            ("app_0_FIREWALL_0[COMMENT: ]", "app_0_FIREWALL_0"),
            ("neither", "neither"),
        ] {
            assert_eq!(named(string, Language::English), words);
        }
        let lack = Lack::Strings { first: vec!["proc_0_<b>".into()], more: 2 };
        let told = Some(lacking(&lack, Language::Japanese));
        let text = texts(Language::Japanese);
        let page = OverPage { text, nonce: "n", title: "t", reason: "r", lacking: told, code: None, alert: true, back: "/" };
        let html = page.render().unwrap();
        assert!(html.contains("<li>プログラム &#60;b&#62;</li>") && html.contains("<li>ほかの項目数: 2</li>"), "{html}");
    }

    #[test]
    fn each_end_has_its_words_in_each_language() {
        for end in End::ALL {
            assert_ne!(why_ended(end, Language::English), why_ended(end, Language::Japanese));
        }
    }
}
