//! A user's devices as they stand in one attribute of a directory.
//!
//! ```text
//!   #@  phone=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ  &            ,  tablet=SG1.3f9a…   &  ,
//!   │   │     └ Base32, or SG1. and a seal      └ ends it;   │
//!   │   └ name of a device                        what other │
//!   └ what the filter `userParameters>=#@` finds  products   └ ends a device
//!                                                 put there stays
//! ```
//!
//! What is taken over is written back as it stood, byte for byte. A device whose secret cannot be read is still a device: it can be shown
//! and removed, and has no codes.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::base32;

/// How such a text begins.
pub const MARK: &str = "#@";
/// How a sealed secret begins. The dot is in no Base32. Behind it stands the seal, in lower-case hexadecimal digits.
pub const SEALED: &str = "SG1.";
/// Longest text, in bytes; Active Directory takes twice as much in `userParameters`.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most devices in it: as many as `set aaa otpparameter -maxOTPDevices` allows.
pub const DEVICES_MAX: usize = 255;
/// Longest name of a device that is read, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest name of a new device, in characters.
pub const NEW_NAME_CHARS_MAX: usize = 32;
/// Fewest bytes of a secret. Old apps made so few.
pub const SECRET_BYTES_MIN: usize = 10;
/// Most bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 128;

/// What stands behind a name.
#[derive(Clone)]
pub enum Key {
    /// The secret.
    Open(Zeroizing<Vec<u8>>),
    /// Its seal, in hexadecimal digits.
    Sealed(Box<str>),
    /// Neither: perhaps another product's.
    Unreadable,
}

/// A secret is for nobody's log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open(…)",
            Self::Sealed(_) => "Sealed(…)",
            Self::Unreadable => "Unreadable",
        })
    }
}

/// A device.
#[derive(Clone, Debug)]
pub struct Device {
    name: Box<str>,
    key: Key,
    text: Text,
}

/// How it is written, from its name to its comma.
#[derive(Clone)]
struct Text(Zeroizing<String>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

impl Device {
    /// What its owner calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its secret.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    fn read(text: &str) -> Result<Self, BadStored> {
        let (name, rest) = text.split_once('=').ok_or(BadStored::Device)?;
        let (secret, _) = rest.split_once('&').ok_or(BadStored::Unfinished)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(BadStored::Device);
        }
        Ok(Self { name: name.into(), key: Key::read(secret), text: Text(Zeroizing::new(text.to_owned())) })
    }
}

impl Key {
    fn read(text: &str) -> Self {
        if let Some(seal) = text.strip_prefix(SEALED) {
            let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            return if !seal.is_empty() && seal.bytes().all(is_hex) { Self::Sealed(seal.into()) } else { Self::Unreadable };
        }
        match base32::decode(text) {
            Some(secret) if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) => Self::Open(secret),
            Some(_) | None => Self::Unreadable,
        }
    }
}

/// Why a text is none of ours. Another product's, or of whoever wrote it by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadStored {
    /// It begins otherwise.
    #[error("it does not begin with {MARK}")]
    Mark,
    /// It is a JSON object: NetScaler writes so with `-encryption ON`.
    #[error("it is encrypted by another product")]
    Foreign,
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("it is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`DEVICES_MAX`].
    #[error("it has more than {DEVICES_MAX} devices")]
    TooMany,
    /// A device without a name, or with one that is too long, or nothing between two commas.
    #[error("a device in it has no name")]
    Device,
    /// It ends within a device.
    #[error("it ends within a device")]
    Unfinished,
    /// A control character.
    #[error("it has a control character")]
    Control,
}

/// Why a device is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAdded {
    /// Another one is called so.
    #[error("there is a device of this name")]
    Taken,
    /// There are as many as there may be.
    #[error("there is no room for another device")]
    Full,
}

/// All devices of a user, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<Device>);

impl Devices {
    /// Reads an attribute.
    ///
    /// # Errors
    /// [`BadStored`].
    pub fn read(text: &str) -> Result<Self, BadStored> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(BadStored::TooLong);
        }
        let Some(mut rest) = text.strip_prefix(MARK) else {
            return Err(if text.starts_with('{') { BadStored::Foreign } else { BadStored::Mark });
        };
        if rest.chars().any(char::is_control) {
            return Err(BadStored::Control);
        }
        let mut devices = Vec::new();
        while !rest.is_empty() {
            let (one, behind) = rest.split_once(',').ok_or(BadStored::Unfinished)?;
            if devices.len() >= DEVICES_MAX {
                return Err(BadStored::TooMany);
            }
            devices.push(Device::read(one)?);
            rest = behind;
        }
        Ok(Self(devices))
    }

    /// As it is written; empty if there is no device.
    #[must_use]
    pub fn write(&self) -> Zeroizing<String> {
        if self.0.is_empty() {
            return Zeroizing::default();
        }
        let length = MARK.len() + self.0.iter().map(|device| device.text.0.len() + 1).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(MARK);
        for device in &self.0 {
            text.push_str(&device.text.0);
            text.push(',');
        }
        text
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Device> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is called so, in any case of its letters.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|device| device.name.to_lowercase() == name.to_lowercase())
    }

    /// Adds a device whose key is written as `secret`: Base32, or [`SEALED`] and a seal. There may be `devices_max`.
    ///
    /// # Errors
    /// [`NotAdded`]; then nothing has changed.
    pub fn add(&mut self, name: &DeviceName, secret: &str, devices_max: usize) -> Result<(), NotAdded> {
        if self.has(name.as_str()) {
            return Err(NotAdded::Taken);
        }
        let text = Text(entry(name.as_str(), secret, "&"));
        let length = self.write().len().max(MARK.len()) + text.0.len() + 1;
        if self.0.len() >= devices_max.min(DEVICES_MAX) || length > TEXT_BYTES_MAX {
            return Err(NotAdded::Full);
        }
        self.0.push(Device { name: name.as_str().into(), key: Key::read(secret), text });
        Ok(())
    }

    /// Removes what is called exactly so. Whether there was such a device.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|device| &*device.name != name);
        self.0.len() != before
    }

    /// Writes keys that are open in another way: `seal` is given the secret in Base32, and gives what stands behind [`SEALED`]. Where it
    /// gives nothing, the key stays open.
    pub fn seal(&mut self, mut seal: impl FnMut(&str) -> Option<String>) {
        let length = |devices: &[Device]| devices.iter().map(|device| device.text.0.len() + 1).sum::<usize>() + MARK.len();
        for at in 0..self.0.len() {
            let all = length(&self.0);
            let Some(device) = self.0.get_mut(at) else { continue };
            let Key::Open(secret) = &device.key else { continue };
            let Some(sealed) = seal(&base32::encode(secret)) else { continue };
            let extra = device.text.0.split_once('&').map_or("", |(_, extra)| extra);
            let text = Text(entry(&device.name, &format!("{SEALED}{sealed}"), &format!("&{extra}")));
            if all - device.text.0.len() + text.0.len() <= TEXT_BYTES_MAX {
                device.key = Key::Sealed(sealed.into());
                device.text = text;
            }
        }
    }
}

/// A device as it is written. As large as it gets before anything is put in: it may hold a secret.
fn entry(name: &str, secret: &str, end: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(name.len() + 1 + secret.len() + end.len()));
    [name, "=", secret, end].iter().for_each(|part| text.push_str(part));
    text
}

/// The name of a new device: letters and digits of any script, and `- _ . ( )` and blanks between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName(Box<str>);

/// What cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a device's name is 1 to {NEW_NAME_CHARS_MAX} letters, digits, blanks, and - _ . ( )")]
pub struct BadName;

impl DeviceName {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(typed: &str) -> Result<Self, BadName> {
        let name = typed.trim();
        let fits = |char: char| char.is_alphanumeric() || "-_.() ".contains(char);
        let has_some = name.chars().any(char::is_alphanumeric);
        let is_short = name.chars().take(NEW_NAME_CHARS_MAX + 1).count() <= NEW_NAME_CHARS_MAX && name.len() <= NAME_BYTES_MAX;
        if has_some && is_short && name.chars().all(fits) { Ok(Self(name.into())) } else { Err(BadName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn name(text: &str) -> DeviceName {
        DeviceName::parse(text).unwrap()
    }

    fn names(devices: &Devices) -> Vec<&str> {
        devices.iter().map(Device::name).collect()
    }

    #[test]
    fn what_another_product_wrote_is_read() {
        let devices =
            Devices::read("#@Mobile=NMBIP7SKCPOFSVWUYD36VMJISM&,tablet=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&tag=1&,").unwrap();
        assert_eq!(names(&devices), ["Mobile", "tablet"]);
        let keys: Vec<usize> = devices
            .iter()
            .map(|device| match device.key() {
                Key::Open(secret) => secret.len(),
                Key::Sealed(_) | Key::Unreadable => 0,
            })
            .collect();
        assert_eq!(keys, [16, 20]);
        assert!(devices.has("mobile") && devices.has("TABLET") && !devices.has("phone"));
        assert!(
            matches!(devices.iter().nth(1).unwrap().key(), Key::Open(secret) if secret.as_slice() == b"12345678901234567890")
        );
        let none = Devices::read("#@").unwrap();
        assert!(none.is_empty() && none.write().is_empty());
    }

    #[test]
    fn every_clause_that_is_broken_is_named() {
        for (text, wanted) in [
            ("", BadStored::Mark),
            ("phone=AAAA&,", BadStored::Mark),
            ("#", BadStored::Mark),
            ("\u{1}\u{2}CtxCfgPresent", BadStored::Mark),
            ("{\"otpdata\":{}}", BadStored::Foreign),
            ("#@phone", BadStored::Unfinished),
            ("#@phone,", BadStored::Device),
            ("#@phone=AAAA,", BadStored::Unfinished),
            ("#@phone=AAAA&", BadStored::Unfinished),
            ("#@=AAAA&,", BadStored::Device),
            ("#@,", BadStored::Device),
            ("#@a=B&,,", BadStored::Device),
            ("#@a=B&\n,", BadStored::Control),
            ("#@a\0=B&,", BadStored::Control),
            (&format!("#@{}=A&,", "x".repeat(257)), BadStored::Device),
            (&format!("#@{}", "a=B&,".repeat(256)), BadStored::TooMany),
            (&format!("#@{}", "x".repeat(TEXT_BYTES_MAX)), BadStored::TooLong),
        ] {
            assert_eq!(Devices::read(text).err(), Some(wanted), "{text:?}");
        }
        assert_eq!(Devices::read(&format!("#@{}", "a=B&,".repeat(255))).unwrap().iter().len(), 255);
    }

    #[test]
    fn a_text_that_is_cut_is_known_as_such_or_has_fewer_devices() {
        let whole = format!("#@phone={RFC}&,日本={RFC}&x=y&,t=SG1.00ff&,");
        let ends: Vec<usize> = whole.match_indices(',').map(|(at, _)| at + 1).collect();
        for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let cut = &whole[..end];
            match Devices::read(cut) {
                Ok(devices) => {
                    assert!(end == MARK.len() || ends.contains(&end), "{cut}");
                    assert!(devices.iter().len() < 3);
                }
                Err(why) => assert!(matches!(why, BadStored::Mark | BadStored::Unfinished), "{cut}: {why}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_still_a_device() {
        let text = "#@short=AAAA&,odd=1&,none=&,seal=SG1.&,seal2=SG1.0G&,good=SG1.0a&,";
        let devices = Devices::read(text).unwrap();
        let keys: Vec<String> = devices.iter().map(|device| format!("{:?}", device.key())).collect();
        assert_eq!(keys, ["Unreadable", "Unreadable", "Unreadable", "Unreadable", "Unreadable", "Sealed(…)"]);
        assert_eq!(devices.write().as_str(), text);
    }

    #[test]
    fn devices_are_added_and_removed_and_the_others_stay_as_they_were() {
        let mut devices = Devices::read("#@Mobile=nmbip7skcpofsvwuyd36vmjism&push=1&,").unwrap();
        assert_eq!(devices.add(&name("mobile"), RFC, 4), Err(NotAdded::Taken));
        assert_eq!(devices.add(&name("Ann's".replace('\'', "").as_str()), RFC, 2), Ok(()));
        assert_eq!(devices.add(&name("third"), RFC, 2), Err(NotAdded::Full));
        assert_eq!(devices.write().as_str(), format!("#@Mobile=nmbip7skcpofsvwuyd36vmjism&push=1&,Anns={RFC}&,"));
        assert!(!devices.remove("mobile"), "exactly so");
        assert!(devices.remove("Mobile"));
        assert_eq!(devices.write().as_str(), format!("#@Anns={RFC}&,"));
        assert!(devices.remove("Anns") && devices.write().is_empty());
    }

    #[test]
    fn open_keys_are_sealed_where_that_is_wanted() {
        let mut devices = Devices::read(&format!("#@a={RFC}&x=1&,b=SG1.aa&,c=1&,d={RFC}&,")).unwrap();
        let mut given = 0;
        devices.seal(|secret| {
            assert_eq!(secret, RFC);
            given += 1;
            (given == 1).then(|| "0102".to_owned())
        });
        assert_eq!(devices.write().as_str(), format!("#@a=SG1.0102&x=1&,b=SG1.aa&,c=1&,d={RFC}&,"));
        assert!(matches!(devices.iter().next().unwrap().key(), Key::Sealed(seal) if &**seal == "0102"));
    }

    #[test]
    fn names_are_what_people_call_their_devices() {
        for good in
            ["phone", " Ann's".replace('\'', "").as_str(), "iPhone 15 (work)", "スマートフォン", "Gerät_2.0", &"x".repeat(32)]
        {
            assert_eq!(name(good).as_str(), good.trim());
        }
        for bad in ["", " ", "-", "a=b", "a&b", "a,b", "#@", "a\nb", "<b>", "a\"", &"x".repeat(33), &"日".repeat(33)] {
            assert_eq!(DeviceName::parse(bad), Err(BadName), "{bad:?}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let devices = Devices::read(&format!("#@phone={RFC}&,")).unwrap();
        assert!(!format!("{devices:?}").contains("GEZD"));
    }

    proptest! {
        #[test]
        fn what_reads_is_written_as_it_was(text in "#@([a-z日]{1,3}=[A-Z2-7]{0,40}&[a-z]{0,2},){0,4}") {
            let devices = Devices::read(&text).unwrap();
            let written = devices.write();
            prop_assert_eq!(written.as_str(), if devices.is_empty() { "" } else { &text });
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}", key in "\\PC{0,60}") {
            let _: Result<Devices, BadStored> = Devices::read(&text);
            let _: Result<Devices, BadStored> = Devices::read(&format!("#@a={key}&,"));
            let _: Result<DeviceName, BadName> = DeviceName::parse(&text);
        }

        #[test]
        fn what_is_added_reads_back(typed in "[a-zA-Z0-9 ._()-]{1,32}", secret in proptest::collection::vec(any::<u8>(), 10..40)) {
            if let Ok(name) = DeviceName::parse(&typed) {
                let mut devices = Devices::default();
                devices.add(&name, &base32::encode(&secret), 4).unwrap();
                let read = Devices::read(&devices.write()).unwrap();
                let device = read.iter().next().unwrap();
                prop_assert_eq!(device.name(), name.as_str());
                prop_assert!(matches!(device.key(), Key::Open(key) if key.as_slice() == secret.as_slice()));
            }
        }
    }
}
