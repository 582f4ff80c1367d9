//! The answers of a login, each in its one form.
//!
//! ```text
//!   View of the machine             here                       Result
//!   ──────────────────────────────  ─────────────────────────  ────────────────────
//!   a schema's form                 form (+ Notice)            more-info
//!   a challenge, with its text      challenge                  more-info
//!   the password must be changed    change_password            update-credentials
//!   the machine is to be looked at  scan                       more-info
//!   logged in                       logged_in                  more-info or success
//!   client type chosen              success                    success
//!   no further try, given up        fail, cancelled            fail, cancelled
//!   not a step of any conversation  refused                    fail, with its Status
//! ```
//!
//! Who has logged in, why not, and what comes next is decided elsewhere.

use super::announced::{Announced, Unfit};
use super::language::Language;
use super::schema::Schema;
use super::state::State;
use super::text;
use super::words::{CredentialType, LabelType, Outcome, Status};
use super::{Answer, Credential, Input, Label, Requirement, Requirements, shipped};

/// Where a form of an authentication virtual server goes.
pub const AUTHENTICATE: &str = "/nf/auth/doAuthentication.do";
/// Where a form goes that was asked for below `/p/u/`.
pub const AUTHENTICATE_USER: &str = "/p/u/doAuthentication.do";
/// Where a client goes when a scan is over.
pub const SCANNED: &str = "/nf/auth/doEPA.do";
/// Where giving up goes.
pub const CANCEL: &str = "/nf/auth/doLogoff.do";
/// Where a new password goes.
pub const CHANGE_PASSWORD: &str = "/nf/auth/doCredentialUpdate.do";
/// Where giving up a new password goes.
pub const CANCEL_CHANGE: &str = "/nf/auth/doCancelCredentialUpdate.do";
/// Where the choice of client type goes.
pub const SET_CLIENT: &str = "/p/u/setClient.do";

/// Which of the two sets of paths a client uses. They are the same conversation, and a form leads back to where it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// `/nf/auth/`
    #[default]
    Authentication,
    /// `/p/u/`
    User,
}

impl Prefix {
    /// That of a request's path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.starts_with("/p/u/") { Self::User } else { Self::Authentication }
    }

    fn authenticate(self) -> &'static str {
        match self {
            Self::Authentication => AUTHENTICATE,
            Self::User => AUTHENTICATE_USER,
        }
    }
}

/// To whom an answer goes.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// What it can show.
    pub announced: Announced,
    /// In which language.
    pub language: Language,
    /// Through which paths it came.
    pub prefix: Prefix,
}

/// Something that a form says besides asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How it is shown. [`LabelType::Error`] means that the last try failed.
    pub kind: LabelType,
    /// A key of [`text`], or a text.
    pub text: String,
}

impl Notice {
    /// What went wrong, by its code: 4001 to 4019, or any other for "something".
    #[must_use]
    pub fn error(code: u16) -> Self {
        Self { kind: LabelType::Error, text: text::error_key(code).to_owned() }
    }

    /// The machine did not pass, by its code.
    #[must_use]
    pub fn scan_failed(code: u16) -> Self {
        Self { kind: LabelType::NsgEpaFailure, text: text::error_key(code).to_owned() }
    }

    fn line(&self) -> Requirement {
        Requirement { label: Label::new(self.kind.clone(), self.text.as_str()), ..Requirement::default() }
    }
}

impl Reader {
    /// The form of a schema, with the name of the user where the schema wants it.
    ///
    /// # Errors
    /// [`Unfit`] if this client cannot show it.
    pub fn form(&self, schema: &Schema, user: &str, state: &State, notice: Option<&Notice>) -> Result<Answer, Unfit> {
        let form = Requirements {
            post_back: self.prefix.authenticate().to_owned(),
            cancel_post_back: Some(CANCEL.to_owned()),
            ..schema.fill(user)
        };
        self.more_info(form, state, notice)
    }

    /// The form for a code, below the text of a challenge.
    ///
    /// # Errors
    /// [`Unfit`] if this client cannot show it.
    pub fn challenge(&self, challenge: &str, state: &State, notice: Option<&Notice>) -> Result<Answer, Unfit> {
        let mut form = shipped_form(shipped::PASSCODE, "");
        self.prefix.authenticate().clone_into(&mut form.post_back);
        // A server that says nothing leaves the form to speak for itself.
        if !challenge.is_empty() {
            let line = Requirement { label: Label::new(LabelType::Plain, challenge), ..Requirement::default() };
            insert(&mut form, line);
        }
        self.more_info(form, state, notice)
    }

    /// The form for a new password of `user`.
    ///
    /// # Errors
    /// [`Unfit`] if this client cannot show it.
    pub fn change_password(&self, user: &str, state: &State, notice: Option<&Notice>) -> Result<Answer, Unfit> {
        let answer = self.more_info(shipped_form(shipped::CHANGE_PASSWORD, user), state, notice)?;
        Ok(Answer { result: Outcome::UpdateCredentials, ..answer })
    }

    /// Whether this client can look at its machine, and by which version of the exchange if `v2` is on.
    #[must_use]
    pub fn scans(&self, v2: bool) -> Option<CredentialType> {
        let versions = [CredentialType::NsgEpaV2, CredentialType::NsgEpa];
        versions.into_iter().skip(usize::from(!v2)).find(|kind| self.announced.takes(kind))
    }

    /// The form that makes a client look at its machine, by `version`, which [`scans`](Self::scans) told. The client posts it by itself.
    ///
    /// # Errors
    /// [`Unfit`] if this client did not announce that version.
    pub fn scan(&self, version: CredentialType, state: &State) -> Result<Answer, Unfit> {
        let (id, kind) = (version.as_str().to_owned(), LabelType::from(version.as_str()));
        let line = Requirement {
            credential: Credential { id: Some(id), kind: version, ..Credential::default() },
            label: Label::new(kind, "nsg_epa"),
            input: Input::default(),
        };
        let form = Requirements {
            post_back: SCANNED.to_owned(),
            cancel_post_back: Some(CANCEL.to_owned()),
            cancel_text: Some("sg_cancel".to_owned()),
            all: vec![line],
        };
        self.more_info(form, state, None)
    }

    /// The login is complete. Clients that choose their type get the form for that; it holds no text, since some scripts take any text
    /// beside `more-info` for what went wrong. To the others it is a success that leads there.
    #[must_use]
    pub fn logged_in(&self, state: &State) -> Answer {
        if !self.announced.takes(&CredentialType::NsgSetClient) {
            return success(SET_CLIENT);
        }
        let kind = CredentialType::NsgSetClient;
        let line = Requirement {
            credential: Credential { id: Some(kind.as_str().to_owned()), kind, ..Credential::default() },
            ..Requirement::default()
        };
        let form = Requirements { post_back: SET_CLIENT.to_owned(), cancel_post_back: None, cancel_text: None, all: vec![line] };
        Answer { requirements: Some(form), ..plain(Status::Success, Outcome::MoreInfo, state.write()) }
    }

    fn more_info(&self, mut form: Requirements, state: &State, notice: Option<&Notice>) -> Result<Answer, Unfit> {
        if let Some(notice) = notice {
            insert(&mut form, notice.line());
        }
        let form = self.announced.fit(form, self.language)?;
        Ok(Answer { requirements: Some(form), ..plain(Status::Success, Outcome::MoreInfo, state.write()) })
    }
}

/// All is done; on to `redirect`.
#[must_use]
pub fn success(redirect: &str) -> Answer {
    Answer { redirect: Some(redirect.to_owned()), ..plain(Status::Success, Outcome::Success, String::new()) }
}

/// Not logged in, and there is no other try in this conversation. `log_message` is for the client's log: no secret, no inner fact.
#[must_use]
pub fn fail(log_message: &str) -> Answer {
    Answer { log_message: Some(log_message.to_owned()), ..plain(Status::Success, Outcome::Fail, String::new()) }
}

/// Given up, as asked.
#[must_use]
pub fn cancelled() -> Answer {
    plain(Status::Success, Outcome::Cancelled, String::new())
}

/// The request was not a step of any conversation, or could not be processed; `status` says why.
#[must_use]
pub fn refused(status: Status) -> Answer {
    plain(status, Outcome::Fail, String::new())
}

fn plain(status: Status, result: Outcome, state: String) -> Answer {
    Answer { status, result, state, log_message: None, requirements: None, redirect: None }
}

/// A shipped form goes back where its file says, unless somebody changes that.
fn shipped_form(name: &str, user: &str) -> Requirements {
    let empty =
        || Requirements { post_back: AUTHENTICATE.to_owned(), cancel_post_back: None, cancel_text: None, all: Vec::new() };
    // Every shipped file is read by a test.
    shipped::schema(name).map_or_else(empty, |schema| schema.fill(user))
}

/// Puts a line behind the headings and images with which a form begins.
fn insert(form: &mut Requirements, line: Requirement) {
    let heads = |line: &&Requirement| {
        let kind = line.label.kind.standard();
        line.input.control.is_none() && matches!(kind, LabelType::Heading | LabelType::Image | LabelType::Error)
    };
    let at = form.all.iter().take_while(heads).count();
    form.all.insert(at, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &Answer) -> String {
        let written = answer.write();
        assert_eq!(Answer::read(&written).as_ref(), Ok(answer), "what is sent reads back");
        let text = String::from_utf8(written).unwrap();
        text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap().to_owned()
    }

    fn browser() -> Reader {
        let credentials =
            "none, username, domain, password, newpassword, passcode, savecredentials, textcredential, nsg-epa, nsg-setclient";
        let labels =
            "none, plain, heading, information, warning, error, confirmation, image, nsg-epa, nsg-login-label, nsg-login-heading";
        Reader { announced: Announced::read(Some(credentials), Some(labels)), ..Reader::default() }
    }

    fn kinds(answer: &Answer) -> Vec<&str> {
        answer.requirements.as_ref().unwrap().all.iter().map(|line| line.label.kind.as_str()).collect()
    }

    /// The form of the specification, byte for byte.
    #[test]
    fn the_form_that_starts_a_scan_is_this_one() {
        let mut reader = browser();
        assert_eq!(reader.scans(false), Some(CredentialType::NsgEpa));
        assert_eq!(reader.scans(true), Some(CredentialType::NsgEpa));
        let state = State { factor: "post-ldap-epa-scan".into(), step: Some("1".into()) };
        let written = text(&reader.scan(CredentialType::NsgEpa, &state).unwrap());
        let wanted = format!(
            "<AuthenticateResponse xmlns=\"http://citrix.com/authentication/response/1\"><Status>success</Status>\
             <Result>more-info</Result><StateContext>{}</StateContext><AuthenticationRequirements><PostBack>/nf/auth/doEPA.do</PostBack>\
             <CancelPostBack>/nf/auth/doLogoff.do</CancelPostBack><CancelButtonText>Cancel</CancelButtonText><Requirements>\
             <Requirement><Credential><ID>nsg-epa</ID><Type>nsg-epa</Type></Credential>\
             <Label><Text>nsg_epa</Text><Type>nsg-epa</Type></Label><Input/></Requirement></Requirements>\
             </AuthenticationRequirements></AuthenticateResponse>",
            state.write()
        );
        assert_eq!(written, wanted);
        reader.announced = Announced::read(Some("nsg-epa-v2,nsg-epa"), None);
        assert_eq!(reader.scans(true), Some(CredentialType::NsgEpaV2));
        reader.announced = Announced::default();
        assert_eq!(reader.scans(true), None);
        assert_eq!(reader.scan(CredentialType::NsgEpa, &state), Err(Unfit { kind: CredentialType::NsgEpa }));
    }

    /// What scripts search the text for, instead of parsing it.
    #[test]
    fn scripts_find_what_they_look_for() {
        let reader = Reader { prefix: Prefix::of("/p/u/getAuthenticationRequirements.do"), ..Reader::default() };
        let schema = shipped::schema(shipped::SINGLE).unwrap();
        let first = text(&reader.form(&schema, "", &State::first(), None).unwrap());
        for literal in [
            "<AuthenticateResponse xmlns=\"http://citrix.com/authentication/response/1\">",
            "<Result>more-info</Result>",
            "<StateContext>bG9naW5zY2hlbWE9ZGVmYXVsdA==</StateContext>",
            "<PostBack>/p/u/doAuthentication.do</PostBack>",
            "<ID>login</ID>",
            "<Type>username</Type>",
            "<ID>passwd</ID>",
            "<Type>password</Type>",
        ] {
            assert!(first.contains(literal), "{literal} in {first}");
        }
        assert!(!first.contains("nsg_") && !first.contains("error"), "{first}");
        let again = text(&reader.form(&schema, "", &State::first(), Some(&Notice::error(4001))).unwrap());
        assert!(again.contains("<Text>Incorrect user name or password. Please try again.</Text><Type>error</Type>"), "{again}");

        let done = text(&reader.logged_in(&State::first()));
        assert!(done.contains("<Result>success</Result>") && done.contains("<RedirectURL>/p/u/setClient.do</RedirectURL>"));
        let choose = text(&browser().logged_in(&State::first()));
        assert!(choose.contains("<PostBack>/p/u/setClient.do</PostBack>") && choose.contains("<Type>nsg-setclient</Type>"));
        assert!(!choose.contains("<Text>"), "a monitor would report it as a failure: {choose}");
    }

    #[test]
    fn a_notice_stands_below_the_heading() {
        let schema = shipped::schema(shipped::DUAL).unwrap();
        let answer = browser().form(&schema, "", &State::first(), Some(&Notice::error(4001))).unwrap();
        assert_eq!(kinds(&answer)[..3], ["nsg-login-heading", "error", "nsg-login-label"]);
        let label = &answer.requirements.as_ref().unwrap().all[1];
        assert_eq!((label.credential.kind.as_str(), label.label.text.as_deref()), ("none", Some("errorMessageLabel4001")));
        let japanese = Reader { language: Language::Japanese, ..Reader::default() };
        let answer = japanese.challenge("Token <1>?", &State::first(), Some(&Notice::scan_failed(4018))).unwrap();
        assert_eq!(kinds(&answer), ["heading", "error", "plain", "plain", "none"]);
        assert!(text(&answer).contains("<Text>Token &#60;1&#62;?</Text>"));
        assert!(text(&answer).contains("お使いのデバイスはアクセスの要件を満たしていません。"));
        assert!(text(&answer).contains("<ID>nsg-x1-logon-button</ID>") && text(&answer).contains("<Button>続行</Button>"));
    }

    #[test]
    fn a_password_that_must_be_changed_has_its_own_result() {
        let answer = Reader::default().change_password("ann", &State::first(), Some(&Notice::error(4012))).unwrap();
        assert_eq!(answer.result, Outcome::UpdateCredentials);
        let form = answer.requirements.as_ref().unwrap();
        assert_eq!((form.post_back.as_str(), form.cancel_post_back.as_deref()), (CHANGE_PASSWORD, Some(CANCEL_CHANGE)));
        let ids: Vec<_> = form.all.iter().filter_map(|line| line.credential.id.as_deref()).collect();
        assert_eq!(ids, ["username", "oldpwd", "newpwd", "confirmedpwd", "ns-dialogue-submit"]);
        assert_eq!(form.all[4].credential.save_id.as_deref(), Some("passwd"));
        assert!(text(&answer).contains("<ReadOnly>true</ReadOnly><InitialValue>ann</InitialValue>"));
    }

    #[test]
    fn ends_say_what_they_are() {
        for (answer, status, result) in [
            (success("/Citrix/StoreWeb/"), "success", "success"),
            (fail("EPA"), "success", "fail"),
            (cancelled(), "success", "cancelled"),
            (refused(Status::StateInvalid), "error-state-context-invalid", "fail"),
        ] {
            let written = text(&answer);
            let wanted = format!("<Status>{status}</Status><Result>{result}</Result><StateContext></StateContext>");
            assert!(written.contains(&wanted), "{written}");
        }
        assert!(text(&success("/Citrix/StoreWeb/?a=1&b=2")).contains("<RedirectURL>/Citrix/StoreWeb/?a=1&#38;b=2</RedirectURL>"));
    }
}
