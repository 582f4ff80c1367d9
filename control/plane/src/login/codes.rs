//! One-time codes against a directory: which device of a user a code is of, and what becomes of his devices.
//!
//! ```text
//!   Ask::Code ─────────► directory: his text ─► open, unseal ─► the devices and steps that the code fits ─► Came::Code ─► owner: used?
//!   Ask::Devices ──────► directory: his text ─► names
//!   Ask::DeviceAdd ────► directory: his text ─► may he, is there room ─► text with one more, sealed if so configured ─► written
//!   Ask::DeviceRemove ─► directory: his text ─► text with one less ─► written
//! ```
//!
//! A seal is good for one name only: a sealed secret that is copied to another user's entry does not open there.

use std::sync::Arc;

use gate_auth::login::{Answer, Code, DeviceSecret, NotCode, NotDone, UserDevices};
use gate_auth::totp::{self, DeviceMark, Step};
use gate_auth::users::canonical;
use gate_config::model::{Model, OtpParameter, Sealer as _, Secret};
use gate_proto::otp::stored::SEALED;
use gate_proto::otp::{BadStored, DeviceName, Devices, Key, NotAdded, base32};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::outside::{Came, answer_of, outage, proven};
use crate::reach::ldap::{Directory, Held, NotWritten, Outcome, Text};
use crate::secrets::Secrets;

/// How devices are kept.
#[derive(Clone)]
pub(crate) struct Keeping {
    settings: OtpParameter,
    secrets: Arc<Secrets>,
}

impl Keeping {
    /// As `model` says. Where secrets are sealed, the key is made or read now, so that nobody waits for a disk later.
    pub(crate) fn of(model: &Model, secrets: &Arc<Secrets>) -> Self {
        if model.authentication.actions.values().any(is_about_codes)
            && let Err(why) = secrets.load(model.otp.encryption)
        {
            warn!(%why, "one-time codes: sealed secrets cannot be opened, and none can be sealed");
        }
        Self { settings: model.otp, secrets: secrets.clone() }
    }

    /// The secret of a device of the user `name`.
    fn open(&self, name: &str, key: &Key) -> Option<Zeroizing<Vec<u8>>> {
        match key {
            Key::Open(secret) => Some(secret.clone()),
            Key::Sealed(seal) => base32::decode(self.secrets.open(&purpose(name), seal).ok()?.expose()),
            Key::Unreadable => None,
        }
    }

    fn seal(&self, name: &str, base32: &str) -> Option<String> {
        gate_config::model::Sealer::seal(&*self.secrets, &purpose(name), &Secret::new(base32)).ok()
    }

    fn seen(&self, devices: &Devices) -> UserDevices {
        UserDevices {
            names: devices.iter().map(|device| device.name().into()).collect(),
            names_max: usize::from(self.settings.devices_max),
        }
    }
}

fn is_about_codes(action: &gate_config::model::authentication::Action) -> bool {
    matches!(action, gate_config::model::authentication::Action::Ldap(ldap) if ldap.codes().is_some())
}

/// What a seal is for: however the user's name is typed, it is the same.
fn purpose(name: &str) -> String {
    let name = canonical(name).map_or_else(|| name.to_lowercase(), |(name, _)| name);
    format!("one-time codes of {name}")
}

/// Whether a code is one of the user's devices'.
pub(super) async fn check(directory: &Directory, keeping: &Keeping, user: &str, code: &SecretString, now: Step) -> Came {
    let Held { found, text } = match directory.devices(user).await {
        Ok(held) => held,
        Err(Outcome::Outage(why)) => return Came::Said(answer_of(Outcome::Outage(why), false)),
        Err(Outcome::Wrong(_) | Outcome::Absent | Outcome::Found(_) | Outcome::MustChange(_)) => {
            return Came::Said(Answer::NotCode(NotCode::NoDevice));
        }
    };
    let devices = match read(&text) {
        Ok(devices) => devices,
        Err(BadStored::Mark) => Devices::default(),
        Err(why) => {
            warn!(user = %found.name, %why, "the devices of a user cannot be read, so no code of his is right");
            return Came::Said(Answer::NotCode(NotCode::Unreadable));
        }
    };
    let secrets: Vec<_> = devices.iter().filter_map(|device| keeping.open(&found.name, device.key())).collect();
    if secrets.len() < devices.iter().len() {
        let count = devices.iter().len() - secrets.len();
        warn!(user = %found.name, count, "secrets of devices do not open: sealed elsewhere, or for another name");
    }
    if secrets.is_empty() {
        let why = if devices.is_empty() { NotCode::NoDevice } else { NotCode::Unreadable };
        return Came::Said(Answer::NotCode(why));
    }
    let fits: Vec<_> = totp::Code::parse(code.expose_secret())
        .into_iter()
        .flat_map(|code| {
            let fits = |secret: &Zeroizing<Vec<u8>>| Some((DeviceMark::of(secret), totp::find(secret, &code, now)?));
            secrets.iter().filter_map(fits).collect::<Vec<_>>()
        })
        .collect();
    if fits.is_empty() {
        return Came::Said(Answer::NotCode(NotCode::Wrong));
    }
    Came::Code { proven: Box::new(proven(found)), fits, now }
}

/// Which devices a user has.
pub(super) async fn list(directory: &Directory, keeping: &Keeping, user: &str) -> Answer {
    match directory.devices(user).await {
        // What stands there otherwise is found when something is to be written.
        Ok(Held { text, .. }) => Answer::Devices(keeping.seen(&read(&text).unwrap_or_default())),
        Err(Outcome::Outage(why)) => answer_of(Outcome::Outage(why), false),
        Err(_nobody) => Answer::Wrong(Code::NoSuchUser),
    }
}

/// Adds a device that a code has confirmed.
pub(super) async fn add(
    directory: &Directory,
    keeping: &Keeping,
    user: &str,
    name: &str,
    secret: &DeviceSecret,
    (used, first_only): (Step, bool),
) -> Came {
    let Ok(name) = DeviceName::parse(name) else { return Came::Said(Answer::NotDone(NotDone::Name)) };
    let text = base32::encode(&secret.0[..]);
    let added = directory.change_devices(user, |user, before| {
        let mut devices = writable(before)?;
        if first_only && !devices.is_empty() {
            return Err(NotDone::Proof);
        }
        let written = if keeping.settings.encryption {
            // What stood open there is sealed with it.
            devices.seal(|secret| keeping.seal(user, secret));
            Zeroizing::new(format!("{SEALED}{}", keeping.seal(user, &text).ok_or(NotDone::Closed)?))
        } else {
            text.clone()
        };
        devices.add(&name, &written, usize::from(keeping.settings.devices_max)).map_err(|why| match why {
            NotAdded::Taken => NotDone::Taken,
            NotAdded::Full => NotDone::Full,
        })?;
        Ok((devices.write(), keeping.seen(&devices)))
    });
    match added.await {
        Ok(devices) => Came::Added { devices, device: DeviceMark::of(&secret.0[..]), used },
        Err(why) => Came::Said(not_written(user, why)),
    }
}

/// Removes a device.
pub(super) async fn remove(directory: &Directory, keeping: &Keeping, user: &str, name: &str) -> Answer {
    let removed = directory.change_devices(user, |_, before| {
        let mut devices = writable(before)?;
        if !devices.remove(name) {
            return Err(NotDone::Gone);
        }
        Ok((devices.write(), keeping.seen(&devices)))
    });
    match removed.await {
        Ok(devices) => Answer::Devices(devices),
        Err(why) => not_written(user, why),
    }
}

fn read(text: &Text) -> Result<Devices, BadStored> {
    match text {
        Text::None => Ok(Devices::default()),
        Text::One(text) => Devices::read(text),
        Text::Other => Err(BadStored::Mark),
    }
}

/// What is not ours is not written over.
fn writable(text: &Text) -> Result<Devices, NotDone> {
    read(text).map_err(|why| {
        warn!(%why, "the attribute for devices holds something else, so nothing is written there");
        NotDone::Closed
    })
}

fn not_written(user: &str, why: NotWritten<NotDone>) -> Answer {
    match why {
        NotWritten::No(why) => Answer::NotDone(why),
        NotWritten::Wrong(_) => Answer::NotDone(NotDone::Gone),
        NotWritten::Clear => {
            warn!("devices are not written to a directory in the clear: set -secType SSL or TLS at its ldapAction");
            Answer::NotDone(NotDone::Closed)
        }
        NotWritten::NotAllowed(code) => {
            warn!(user, code, "the service account may not write the devices of a user");
            Answer::NotDone(NotDone::Closed)
        }
        NotWritten::Outage(why) => outage(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_for_one_name_however_it_is_typed() {
        assert_eq!(purpose("DEMO\\Ann"), purpose("ann"));
        assert_ne!(purpose("ann"), purpose("bob"));
    }
}
