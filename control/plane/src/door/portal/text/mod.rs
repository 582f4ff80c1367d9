//! Every text that a user reads beside the forms of a login, in one place. Those have their texts with the forms.
//!
//! ```text
//!   Accept-Language ─► Language ─┬─► Text       what pages say
//!                                └─► Problem    what can go wrong with a request
//! ```

mod english;
mod japanese;
mod problem;

pub(crate) use gate_proto::forms::language::Language;
use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;

pub(crate) use self::problem::Problem;
use super::agents::Package;
use super::pages::Stage;

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Text {
    /// As in `lang="…"`, and two letters for the ICA file.
    pub(crate) language: &'static str,
    pub(crate) product: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) sign_out_really: &'static str,
    pub(crate) signed_in_as: &'static str,
    pub(crate) user_name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) resources: &'static str,
    pub(crate) no_resources: &'static str,
    pub(crate) no_user: &'static str,
    pub(crate) open: &'static str,
    pub(crate) how_to_open: &'static str,
    pub(crate) back: &'static str,
    pub(crate) start_over: &'static str,
    pub(crate) next: &'static str,
    pub(crate) code: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) scan: Scan,
    pub(crate) lacking: Lacking,
    pub(crate) certificate: Certificate,
    pub(crate) over: Over,
    pub(crate) devices: Devices,
}

/// The page of a user's devices for one-time codes.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) none: &'static str,
    pub(crate) registered: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) locked: &'static str,
    pub(crate) code: &'static str,
    pub(crate) code_hint: &'static str,
    pub(crate) unlock: &'static str,
    pub(crate) add_title: &'static str,
    pub(crate) name: &'static str,
    pub(crate) name_hint: &'static str,
    pub(crate) add: &'static str,
    pub(crate) test_title: &'static str,
    pub(crate) test: &'static str,
    pub(crate) full: &'static str,
    pub(crate) done: &'static str,
    pub(crate) enrol_title: &'static str,
    pub(crate) step_app: &'static str,
    pub(crate) step_scan: &'static str,
    pub(crate) step_code: &'static str,
    pub(crate) qr: &'static str,
    pub(crate) open_app: &'static str,
    pub(crate) key: &'static str,
    pub(crate) key_facts: &'static str,
    pub(crate) confirm: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) remove_title: &'static str,
    pub(crate) remove_means: &'static str,
    pub(crate) really: &'static str,
    pub(crate) keep: &'static str,
    pub(crate) left: &'static str,
    pub(crate) no_page: &'static str,
    pub(crate) told: DevicesTold,
}

/// What came of something on that page.
#[derive(Debug)]
pub(crate) struct DevicesTold {
    pub(crate) added: &'static str,
    pub(crate) removed: &'static str,
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) used: &'static str,
    pub(crate) unreadable: &'static str,
    pub(crate) not_its_code: &'static str,
    pub(crate) bad_name: &'static str,
    pub(crate) taken: &'static str,
    pub(crate) full: &'static str,
    pub(crate) proof: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) closed: &'static str,
    pub(crate) outage: &'static str,
    pub(crate) held: &'static str,
    pub(crate) locked: &'static str,
}

/// The page on which a device is looked at.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) start: &'static str,
    /// It has begun, and nothing comes of it.
    pub(crate) start_again: &'static str,
    pub(crate) go_on: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) skip_means: &'static str,
    /// The app is not there yet; without a script.
    pub(crate) waiting: &'static str,
    /// The script has just started it.
    pub(crate) starting: &'static str,
    /// It is still not there.
    pub(crate) missing: &'static str,
    pub(crate) begun: &'static str,
    pub(crate) done: &'static str,
    /// The script cannot find out.
    pub(crate) lost: &'static str,
    /// Somebody wants to go on, and it is not done.
    pub(crate) not_yet: &'static str,
    pub(crate) no_app: &'static str,
    pub(crate) whom_to_ask: &'static str,
    pub(crate) get_app: &'static str,
    pub(crate) packages: [&'static str; Package::ALL.len()],
    pub(crate) then: &'static str,
}

impl Scan {
    /// How far it is, as the page says before its script runs.
    pub(crate) fn said(&self, stage: &Stage) -> &'static str {
        match stage {
            Stage::Waiting => self.waiting,
            Stage::Begun => self.begun,
            Stage::Done => self.done,
        }
    }

    /// What a package is, in the order of [`Package::ALL`].
    pub(crate) fn package(&self, package: &Package) -> &'static str {
        let [deb, archive, program] = self.packages;
        match package {
            Package::Deb => deb,
            Package::Archive => archive,
            Package::Program => program,
        }
    }
}

/// Why a device did not do.
#[derive(Debug)]
pub(crate) struct Lacking {
    /// Before a list.
    pub(crate) these: &'static str,
    /// Behind a list that is not whole, with how many more.
    pub(crate) more: &'static str,
    pub(crate) process: &'static str,
    pub(crate) file: &'static str,
    pub(crate) service: &'static str,
    pub(crate) skipped: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) malformed: &'static str,
    pub(crate) late: &'static str,
    /// A login goes on all the same.
    pub(crate) goes_on: &'static str,
}

/// The page that leads to where a certificate is asked for.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) start: &'static str,
    pub(crate) without: &'static str,
    pub(crate) hint: &'static str,
}

/// The page on which a login or a session has come to its end.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) failed: &'static str,
    pub(crate) again: &'static str,
    pub(crate) cancelled: &'static str,
    pub(crate) scan_failed: &'static str,
    pub(crate) scan_missing: &'static str,
    pub(crate) idle: &'static str,
    pub(crate) too_old: &'static str,
    pub(crate) by_operator: &'static str,
    pub(crate) user_gone: &'static str,
    pub(crate) elsewhere: &'static str,
    pub(crate) signed_out: &'static str,
}

/// The language that a browser wants.
pub(crate) fn wanted(headers: &HeaderMap) -> Language {
    Language::accepted(headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

/// The texts of `language`.
pub(crate) fn texts(language: Language) -> &'static Text {
    match language {
        Language::English => &english::TEXT,
        Language::Japanese => &japanese::TEXT,
    }
}
