//! `aaa`: local users and groups.

use crate::code::Code;
use crate::model::{Credential, Foreign, Group, GroupName, Model, User, UserName};
use crate::print::{LineWriter, Writer};

use super::bound::{self, one_binding};
use super::express;
use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};

/// The hash that this gateway verifies.
const ARGON2ID: &str = "ARGON2ID";
/// What stands for the hash of a password that has not been hashed yet.
const UNSEALED: &str = "UNSEALED";

/// `add aaa user`
pub(super) const USER: Command = Command {
    group: "aaa",
    object: "user",
    words: "aaa user",
    summary: "A local user.",
    notes: "A password may be written openly. It is hashed when the gateway starts and is never printed: a saved file has \
            `-password <hash> -encrypted -hashmethod ARGON2ID`. A password that another product has encrypted is kept for printing \
            back; its user cannot log in until a new one is set.",
    origin: Origin::Extended,
    feature: Some(Feature::Aaa),
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[USER_NAME],
            keywords: USER_KEYWORDS,
            example: "add aaa user alice -password \"correct horse\"",
            apply: add_user,
            print: Some((Rank::AaaUser, print_users)),
        },
        Form {
            op: Op::Set,
            positionals: &[USER_NAME],
            keywords: USER_KEYWORDS,
            example: "set aaa user alice -password \"battery staple\"",
            apply: set_user,
            print: None,
        },
        Form { op: Op::Rm, positionals: &[USER_NAME], keywords: &[], example: "rm aaa user alice", apply: rm_user, print: None },
        Form {
            op: Op::Bind,
            positionals: &[USER_NAME],
            keywords: USER_BIND_KEYWORDS,
            example: "bind aaa user alice -policy web_policy -priority 10",
            apply: bind_user,
            print: Some((Rank::AaaUserBind, print_user_policies)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[USER_NAME],
            keywords: USER_BIND_KEYWORDS,
            example: "unbind aaa user alice -policy web_policy",
            apply: unbind_user,
            print: None,
        },
    ],
};

const USER_NAME: Argument = Argument::required("userName", Kind::Name, "Name of the user.");

pub(super) const USER_KEYWORDS: &[Argument] = &[
    Argument::optional("password", Kind::Secret, "The password; without it the user cannot log in with one."),
    Argument::optional("encrypted", Kind::Switch, "The password is not written openly."),
    Argument::optional("hashmethod", Kind::Word(32, "_-"), "How it was hashed: ARGON2ID, a PHC string."),
    Argument::optional("encryptmethod", Kind::Word(32, "_-"), "How another product encrypted it."),
    Argument::optional("kek", Kind::Switch, "Another product used a key-encrypting key."),
    Argument::optional("suffix", Kind::Word(64, "_-"), "Which one."),
];

const USER_BIND_KEYWORDS: &[Argument] =
    &[bound::POLICY, bound::PRIORITY, bound::TYPE, bound::GOTO, INTRANET_APPLICATION, INTRANET_IP, INTRANET_IP6, URL_NAME];

const INTRANET_APPLICATION: Argument = Argument::kept("intranetApplication").takes(Kind::Text).means("What the tunnel reaches.");
const INTRANET_IP: Argument = Argument::kept("intranetIP").means("Addresses in the tunnel, with a mask.");
const INTRANET_IP6: Argument = Argument::kept("intranetIP6").means("Likewise, IPv6, with a number.");
const URL_NAME: Argument = Argument::kept("urlName").takes(Kind::Text).means("A bookmark.");

fn bind_user(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    if !site.model.users.has(name) {
        return Err(no_user(said, "userName", site.model));
    }
    one_binding(said, &["policy"])?;
    let Some(binding) = bound::read(said, "policy")? else {
        site.keep_line(said);
        return Ok(());
    };
    express::judge_goto(said, site, binding.goto.as_ref())?;
    bound::known(said, site, "policy", &binding)?;
    let Some(user) = site.model.users.find_mut(name) else { return Err(incomplete(said)) };
    bound::bind(said, &mut user.policies, binding)
}

fn unbind_user(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    one_binding(said, &["policy"])?;
    let binding = bound::read(said, "policy")?;
    let Some(user) = site.model.users.find_mut(name) else { return Err(no_user(said, "userName", site.model)) };
    match binding {
        Some(binding) => bound::unbind(said, &mut user.policies, &binding),
        None => site.unkeep_line(said),
    }
}

fn print_user_policies(model: &Model, out: &mut Writer<'_>) {
    for (name, user) in model.users.iter() {
        for binding in &user.policies {
            bound::write(out.line(Op::Bind, &USER, name.as_str()).word(name), "policy", binding).end();
        }
    }
}

fn add_user(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<UserName>("userName") else { return Err(incomplete(said)) };
    let credential = credential(said, site)?;
    let added = site.model.users.add(name.clone(), User { credential, policies: Vec::new() });
    added.map_err(|there| taken(said, "userName", Code::UserExists, "user", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_user(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("userName").unwrap_or_default();
    if !site.model.users.has(name) {
        return Err(no_user(said, "userName", site.model));
    }
    if said.has("password") {
        let credential = credential(said, site)?;
        if let Some(user) = site.model.users.find_mut(name) {
            user.credential = credential;
        }
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm_user(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    if site.model.users.remove(name).is_none() {
        return Err(no_user(said, "userName", site.model));
    }
    for (_, group) in site.model.groups.iter_mut() {
        group.users.remove(name);
    }
    for (_, resource) in site.model.farm.resources.iter_mut() {
        resource.access.users.remove(name);
    }
    site.forget_arguments(said, name);
    Ok(())
}

/// What a line says about a password.
///
/// # Errors
/// What belongs to a password is there without one, or the hash is none.
pub(super) fn credential(said: &Said<'_>, site: &mut Site<'_>) -> Result<Credential, Refused> {
    let encrypted = said.has("encrypted");
    let Some(secret) = said.secret("password") else {
        let needless = ["encrypted", "hashmethod", "encryptmethod", "kek", "suffix"].into_iter().find(|name| said.has(name));
        return match needless {
            Some(name) => {
                Err(Note::new(Code::PrerequisiteMissing, said.place(name), format!("-{name}"), "it needs -password").into())
            }
            None => Ok(Credential::None),
        };
    };
    if !encrypted {
        let alone = ["hashmethod", "encryptmethod", "kek", "suffix"].into_iter().find(|name| said.has(name));
        return match alone {
            Some(name) => {
                let note = Note::new(Code::PrerequisiteMissing, said.place(name), format!("-{name}"), "it needs -encrypted");
                Err(note.cure("add -encrypted if the password is not written openly").into())
            }
            None => Ok(Credential::Plain(secret.clone())),
        };
    }
    let hash_method = said.text("hashmethod");
    if hash_method.is_some_and(|method| method.eq_ignore_ascii_case(ARGON2ID)) {
        if !is_argon2id(secret.expose()) {
            let cause = "this is not a PHC string of Argon2id: $argon2id$v=19$m=…,t=…,p=…$salt$hash";
            return Err(Note::new(Code::InvalidValue, said.place("password"), "-password", cause).into());
        }
        return Ok(Credential::Hashed(secret.expose().into()));
    }
    let cause = match hash_method {
        Some(UNSEALED) => "this file was printed before the password had been hashed".to_owned(),
        Some(method) => format!("passwords hashed with {method} cannot be verified here"),
        None => "it was encrypted under a key of another product".to_owned(),
    };
    let note = Note::new(Code::ValueMissing, said.place("password"), "-password", format!("password unavailable: {cause}"));
    site.warn(note.cure("set a new one; until then this user cannot log in with a password"));
    Ok(Credential::Unavailable(Foreign {
        encrypt_method: said.text("encryptmethod").map(Into::into),
        hash_method: hash_method.map(Into::into),
        value: secret.expose().into(),
        kek: said.has("kek"),
        suffix: said.text("suffix").map(Into::into),
    }))
}

/// Whether a text has the shape of a PHC string of Argon2id. The login machine's crate judges the rest.
fn is_argon2id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('$').collect();
    let base64 = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    matches!(parts.as_slice(), ["", "argon2id", "v=19", parameters, salt, hash]
        if parameters.starts_with("m=") && base64(salt) && base64(hash))
}

/// Refuses because there is no such user.
pub(super) fn no_user(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoSuchUser, "user", model.users.names().map(UserName::as_str))
}

/// Refuses because there is no such group.
pub(super) fn no_group(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoSuchGroup, "group", model.groups.names().map(GroupName::as_str))
}

/// Writes a credential as the keywords behind which it is read again.
pub(super) fn write_credential<'w, 'm>(line: LineWriter<'w, 'm>, credential: &Credential) -> LineWriter<'w, 'm> {
    match credential {
        Credential::None => line,
        // Never the password: whoever reads this back learns that it has to be set.
        Credential::Plain(_) => line.keyword("password", "*").switch("encrypted").keyword("hashmethod", UNSEALED),
        Credential::Hashed(phc) => line.keyword("password", phc).switch("encrypted").keyword("hashmethod", ARGON2ID),
        Credential::Unavailable(foreign) => {
            let line = line
                .keyword("password", &foreign.value)
                .switch("encrypted")
                .keyword_if("hashmethod", foreign.hash_method.as_deref())
                .keyword_if("encryptmethod", foreign.encrypt_method.as_deref());
            let line = if foreign.kek { line.switch("kek") } else { line };
            line.keyword_if("suffix", foreign.suffix.as_deref())
        }
    }
}

fn print_users(model: &Model, out: &mut Writer<'_>) {
    for (name, user) in model.users.iter() {
        let line = out.line(Op::Add, &USER, name.as_str()).word(name);
        write_credential(line, &user.credential).end();
    }
}

/// `add aaa group`, `bind aaa group`
pub(super) const GROUP: Command = Command {
    group: "aaa",
    object: "group",
    words: "aaa group",
    summary: "A local group.",
    notes: "",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[GROUP_NAME],
            keywords: &[Argument::held(
                "weight",
                Kind::Number { min: 0, max: 65_535, unit: "place" },
                "Among the groups of a user: the policies of the lowest are looked at first.",
            )
            .or("0")],
            example: "add aaa group staff",
            apply: add_group,
            print: Some((Rank::AaaGroup, print_groups)),
        },
        Form {
            op: Op::Rm,
            positionals: &[GROUP_NAME],
            keywords: &[],
            example: "rm aaa group staff",
            apply: rm_group,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[GROUP_NAME],
            keywords: GROUP_KEYWORDS,
            example: "bind aaa group staff -userName alice",
            apply: bind_group,
            print: Some((Rank::AaaGroupBind, print_members)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[GROUP_NAME],
            keywords: GROUP_KEYWORDS,
            example: "unbind aaa group staff -userName alice",
            apply: unbind_group,
            print: None,
        },
    ],
};

const GROUP_NAME: Argument = Argument::required("groupName", Kind::Name, "Name of the group.");

const GROUP_KEYWORDS: &[Argument] = &[
    Argument::optional("userName", Kind::Name, "A member.").names("aaa user"),
    bound::POLICY,
    bound::PRIORITY,
    bound::TYPE,
    bound::GOTO,
    INTRANET_APPLICATION,
    INTRANET_IP,
    INTRANET_IP6,
    URL_NAME,
];

fn add_group(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<GroupName>("groupName") else { return Err(incomplete(said)) };
    let group = Group { weight: said.number("weight").unwrap_or_default(), ..Group::default() };
    let added = site.model.groups.add(name.clone(), group);
    added.map_err(|there| taken(said, "groupName", Code::GroupExists, "group", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn rm_group(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("groupName").unwrap_or_default();
    if site.model.groups.remove(name).is_none() {
        return Err(no_group(said, "groupName", site.model));
    }
    for (_, resource) in site.model.farm.resources.iter_mut() {
        resource.access.groups.remove(name);
    }
    site.forget_arguments(said, name);
    Ok(())
}

fn bind_group(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("groupName").unwrap_or_default();
    if !site.model.groups.has(name) {
        return Err(no_group(said, "groupName", site.model));
    }
    one_binding(said, &["userName", "policy"])?;
    if let Some(binding) = bound::read(said, "policy")? {
        express::judge_goto(said, site, binding.goto.as_ref())?;
        bound::known(said, site, "policy", &binding)?;
        let Some(group) = site.model.groups.find_mut(name) else { return Err(incomplete(said)) };
        return bound::bind(said, &mut group.policies, binding);
    }
    let Some(user) = said.name::<UserName>("userName") else {
        site.keep_line(said);
        return Ok(());
    };
    if !site.model.users.has(user.as_str()) {
        return Err(no_user(said, "userName", site.model));
    }
    // Whoever is in it would look as if his machine had been looked at.
    if let Some(scan) = site.model.scan_that_gives(name) {
        let cause =
            format!("group {name} says what a client's machine is like, as {scan} finds it: it has no members of its own");
        return Err(Note::new(Code::InvalidArgument, said.place("groupName"), name, cause).cure("give them two names").into());
    }
    let Some(group) = site.model.groups.find_mut(name) else { return Err(incomplete(said)) };
    if group.users.insert(user) {
        return Ok(());
    }
    let user = said.text("userName").unwrap_or_default();
    Err(Note::new(Code::UserInGroup, said.place("userName"), user, "this user is in the group already").into())
}

fn unbind_group(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("groupName").unwrap_or_default();
    one_binding(said, &["userName", "policy"])?;
    let binding = bound::read(said, "policy")?;
    let Some(group) = site.model.groups.find_mut(name) else { return Err(no_group(said, "groupName", site.model)) };
    if let Some(binding) = binding {
        return bound::unbind(said, &mut group.policies, &binding);
    }
    let Some(user) = said.text("userName") else { return site.unkeep_line(said) };
    if group.users.remove(user) {
        return Ok(());
    }
    Err(Note::new(Code::UserNotInGroup, said.place("userName"), user, "this user is not in the group").into())
}

fn print_groups(model: &Model, out: &mut Writer<'_>) {
    for (name, group) in model.groups.iter() {
        out.line(Op::Add, &GROUP, name.as_str()).word(name).differs("weight", &group.weight, &0, u32::to_string).end();
    }
}

fn print_members(model: &Model, out: &mut Writer<'_>) {
    for (name, group) in model.groups.iter() {
        for user in &group.users {
            out.line(Op::Bind, &GROUP, name.as_str()).word(name).keyword("userName", user).end();
        }
        for binding in &group.policies {
            bound::write(out.line(Op::Bind, &GROUP, name.as_str()).word(name), "policy", binding).end();
        }
    }
}
