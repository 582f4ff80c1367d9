//! Settings of all logins: `set aaa parameter`, `set aaa otpparameter`.

use std::time::Duration;

use crate::model::{AaaParameter, Model, OtpParameter, PeriodicScan};
use crate::print::Writer;

use super::ns::something;
use super::site::{Refused, Site};
use super::vpn::{ATTEMPTS, LOCKOUT, change_lockout, write_lockout};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};

const YES_NO: Kind = Kind::Choice(&["YES", "NO"]);
const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);
const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
const LEVELS: Kind = Kind::Choice(&["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "DEBUG"]);
/// Questions that NetScaler asks at most.
const QUESTIONS_MAX: u64 = 6;
/// Devices that one user can have at most.
const DEVICES_MAX: u64 = 255;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// `set aaa parameter`
pub(super) const PARAMETER: Command = Command {
    group: "aaa",
    object: "parameter",
    words: "aaa parameter",
    summary: "Settings of all logins.",
    notes: "The last scan of a login that has an interval, such as `proc_2_firefox`, is repeated while the session lasts. An answer of no, \
            or none within interval and grace, ends the session and its ICA connections. `-strictPeriodicEPA OFF` holds to this only those \
            clients that have said that they will repeat it; a browser does not.\n\n\
            Scans, lock-outs and session policies are for logins by factors: virtual servers with `-authnProfile`. Without it, local users \
            log in with one form, and guessing is slowed down.",
    origin: Origin::Extended,
    feature: Some(Feature::Aaa),
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: KEYWORDS,
            example: "set aaa parameter -maxAAAUsers 500 -maxLoginAttempts 5 -failedLoginTimeout 15",
            apply: parameter,
            print: Some((Rank::AaaParameter, print_parameter)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: KEYWORDS,
            example: "unset aaa parameter -maxAAAUsers",
            apply: parameter,
            print: None,
        },
    ],
};

const KEYWORDS: &[Argument] = &[
    Argument::optional("maxAAAUsers", Kind::Number { min: 1, max: u32::MAX as u64, unit: "users" }, "Most users at a time.")
        .or("no limit"),
    Argument::optional("maxLoginAttempts", ATTEMPTS, "After so many failures a user is locked out."),
    Argument::optional("failedLoginTimeout", LOCKOUT, "For so long. Needs -maxLoginAttempts."),
    Argument::held(
        "pwdExpiryNotificationDays",
        Kind::Number { min: 0, max: 255, unit: "days" },
        "So long before a password expires, its user is told; 0 is never.",
    )
    .or("0"),
    Argument::held(
        "maxKBQuestions",
        Kind::Number { min: 2, max: QUESTIONS_MAX, unit: "questions" },
        "Asked of who forgot a password.",
    )
    .or("2"),
    Argument::always("defaultAuthType", "LOCAL", "Where nothing else is said, local users log in.")
        .takes(Kind::Choice(&["LOCAL", "LDAP", "RADIUS", "TACACS", "CERT"])),
    Argument::optional("enableEnhancedAuthFeedback", YES_NO, "Whether a failed login says why. It tells attackers, too.")
        .or("NO"),
    Argument::optional(
        "periodicEpaMinute",
        Kind::Number { min: 1, max: PeriodicScan::MINUTE_SECONDS_MAX, unit: "seconds" },
        "How long the minutes are in which a scan is repeated; less than 60 is for laboratories. Ours.",
    )
    .or("60"),
    Argument::optional(
        "periodicEpaGrace",
        Kind::Number { min: 0, max: PeriodicScan::GRACE_SECONDS_MAX, unit: "seconds" },
        "How long after its time the answer to a repeated scan may come. Ours.",
    )
    .or("30"),
    Argument::optional("strictPeriodicEPA", ON_OFF, "Whether clients that never said that they repeat a scan must. Ours.")
        .or("ON"),
    Argument::always("enableSessionStickiness", "NO", "There is one machine.").takes(YES_NO),
    Argument::always("dynAddr", "OFF", "A session does not follow a client to another address.").takes(ON_OFF),
    Argument::always("ftMode", "ON", "One machine.").takes(Kind::Choice(&["ON", "HA", "OFF"])),
    Argument::always("httpOnlyCookie", "ENABLED", "No script reads a cookie of ours.").takes(ENABLED),
    Argument::always("sameSite", "LAX", "`SameSite` of the login's cookie.").takes(Kind::Choice(&["None", "LAX", "STRICT"])),
    Argument::always("defaultCSPHeader", "ENABLED", "Pages carry a content security policy of their own.").takes(ENABLED),
    Argument::always("apiTokenCache", "DISABLED", "No tokens of programs are taken.").takes(ENABLED),
    Argument::always("securityInsights", "DISABLED", "Nothing is reported elsewhere.").takes(ENABLED),
    Argument::kept("enableStaticPageCaching").takes(YES_NO).or("YES").means("Whether browsers keep the pages' parts."),
    Argument::kept("aaadnatIp").takes(Kind::Ip).means("Address from which directories are asked."),
    Argument::kept("aaaSessionLoglevel").takes(LEVELS).means("How much of sessions is logged; see `set ns logParam`."),
    Argument::kept("aaadLoglevel").takes(LEVELS).or("INFORMATIONAL").means("How much of logins is."),
    Argument::kept("maxSamlDeflateSize")
        .takes(Kind::Number { min: 0, max: u32::MAX as u64, unit: "bytes" })
        .or("1024")
        .means("Longest SAML request."),
    Argument::kept("persistentLoginAttempts")
        .takes(ENABLED)
        .or("DISABLED")
        .means("Whether failures are remembered over a restart."),
    Argument::kept("loginEncryption")
        .takes(ENABLED)
        .or("DISABLED")
        .means("Whether passwords are encrypted once more in the page."),
    Argument::kept("tokenIntrospectionInterval")
        .takes(Kind::Number { min: 0, max: u32::MAX as u64, unit: "minutes" })
        .or("0")
        .means("How often tokens are asked about again."),
    Argument::kept("enhancedEPA").takes(ENABLED).or("DISABLED").means("Another way of looking at the client's machine."),
    Argument::kept("wafProtection")
        .takes(Kind::List(&Kind::Choice(&["DISABLED", "DEFAULT", "AUTH", "VPN", "PORTAL"]), 5))
        .or("DISABLED")
        .means("Which pages its own firewall guards."),
];

fn parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let aaa = &mut site.model.aaa;
    change_lockout(said, &mut aaa.lockout)?;
    said.put("maxAAAUsers", &mut aaa.users_max, None, |s| s.number("maxAAAUsers").map(Some));
    said.put("pwdExpiryNotificationDays", &mut aaa.password_expiry_notice, None, |s| {
        s.number("pwdExpiryNotificationDays").map(|days: u32| (days > 0).then(|| DAY * days))
    });
    said.put("maxKBQuestions", &mut aaa.questions_max, None, |s| s.number("maxKBQuestions").map(Some));
    said.put("enableEnhancedAuthFeedback", &mut aaa.enhanced_feedback, false, |s| s.flag("enableEnhancedAuthFeedback"));
    let (scan, plain) = (&mut aaa.periodic_scan, PeriodicScan::default());
    let seconds = |name: &'static str| move |s: &Said<'_>| s.number(name).map(Duration::from_secs);
    said.put("periodicEpaMinute", &mut scan.minute, plain.minute, seconds("periodicEpaMinute"));
    said.put("periodicEpaGrace", &mut scan.grace, plain.grace, seconds("periodicEpaGrace"));
    said.put("strictPeriodicEPA", &mut scan.strict, plain.strict, |s| s.flag("strictPeriodicEPA"));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_parameter(model: &Model, out: &mut Writer<'_>) {
    let AaaParameter { users_max, lockout, password_expiry_notice, questions_max, enhanced_feedback, periodic_scan } = &model.aaa;
    let (PeriodicScan { minute, grace, strict }, plain) = (periodic_scan, PeriodicScan::default());
    let seconds = |time: &Duration| time.as_secs().to_string();
    let line = out.line(Op::Set, &PARAMETER, "").keyword_if("maxAAAUsers", *users_max);
    write_lockout(line, *lockout)
        .keyword_if("pwdExpiryNotificationDays", password_expiry_notice.map(|time| time.as_secs() / DAY.as_secs()))
        .keyword_if("maxKBQuestions", *questions_max)
        .keyword_if("enableEnhancedAuthFeedback", enhanced_feedback.then_some("YES"))
        .differs("periodicEpaMinute", minute, &plain.minute, seconds)
        .differs("periodicEpaGrace", grace, &plain.grace, seconds)
        .differs("strictPeriodicEPA", strict, &plain.strict, |on| if *on { "ON" } else { "OFF" }.to_owned())
        .end();
}

/// `set aaa otpparameter`
pub(super) const OTP_PARAMETER: Command = Command {
    group: "aaa",
    object: "otpparameter",
    words: "aaa otpparameter",
    summary: "Settings of one-time passwords.",
    notes: "They hold for devices that are registered or changed from then on; what is in the directory is read either way. A sealed secret is \
            read by gateways with the same key only.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: OTP_KEYWORDS,
            example: "set aaa otpparameter -encryption ON -maxOTPDevices 2",
            apply: otp_parameter,
            print: Some((Rank::AaaOtpParameter, print_otp)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: OTP_KEYWORDS,
            example: "unset aaa otpparameter -maxOTPDevices",
            apply: otp_parameter,
            print: None,
        },
    ],
};

const OTP_KEYWORDS: &[Argument] = &[
    Argument::optional("encryption", ON_OFF, "Whether secrets of devices are written sealed, with the key of this gateway.")
        .or("OFF"),
    Argument::optional("maxOTPDevices", Kind::Number { min: 0, max: DEVICES_MAX, unit: "devices" }, "How many a user may have.")
        .or("4"),
];

fn otp_parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = OtpParameter::default();
    let otp = &mut site.model.otp;
    said.put("encryption", &mut otp.encryption, default.encryption, |s| s.flag("encryption"));
    said.put("maxOTPDevices", &mut otp.devices_max, default.devices_max, |s| s.number("maxOTPDevices"));
    Ok(())
}

fn print_otp(model: &Model, out: &mut Writer<'_>) {
    let default = OtpParameter::default();
    out.line(Op::Set, &OTP_PARAMETER, "")
        .differs("encryption", &model.otp.encryption, &default.encryption, |on| if *on { "ON" } else { "OFF" }.to_owned())
        .differs("maxOTPDevices", &model.otp.devices_max, &default.devices_max, u8::to_string)
        .end();
}
