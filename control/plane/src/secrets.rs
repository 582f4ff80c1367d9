//! Secrets of the configuration that must be recovered: sealed when a configuration is put into force, opened when one is presented.
//!
//! ```text
//!   first open secret ─► key file: there? ─no─► 32 random bytes, written beside the configuration ─┐
//!                                  └───yes──────────────────────────────────────────────────────────┴─► vault ─► sealed
//! ```
//!
//! The key is read once and stays. Reading and writing take a disk's time, so this is for the start or for a helper thread.

use std::sync::{Arc, Mutex, PoisonError};

use gate_auth::vault::Vault;
use gate_config::model::{Model, NotOpened, SealFailed, Sealer, Secret};
use zeroize::Zeroizing;

use crate::files::ConfigFile;
use crate::random;

/// Seals and opens under the key beside the configuration.
pub(crate) struct Secrets {
    /// `None`: the gateway has no file of its own. Nothing is ever saved, so nothing need be sealed.
    file: Option<Arc<dyn ConfigFile>>,
    vault: Mutex<Option<Arc<Vault>>>,
}

impl Secrets {
    pub(crate) fn beside(file: Option<Arc<dyn ConfigFile>>) -> Self {
        Self { file, vault: Mutex::new(None) }
    }

    /// Replaces every open secret of `model` by its seal.
    ///
    /// # Errors
    /// If there is neither a key nor a way to make one.
    pub(crate) fn seal(&self, model: &mut Model) -> Result<(), SealFailed> {
        if self.file.is_some() { model.seal_secrets(self) } else { Ok(()) }
    }

    /// The same for a model that is only compared: where no key has been made, none is made for that. What cannot be sealed is shown
    /// as a difference, which it is.
    pub(crate) fn seal_as_before(&self, model: &mut Model) {
        if matches!(self.vault(false), Ok(Some(_))) {
            let _: Result<(), SealFailed> = model.seal_secrets(self);
        }
    }

    /// Actions whose secrets do not open, with the keyword of the secret: they were sealed under another key.
    pub(crate) fn unreadable(&self, model: &Model) -> Vec<(String, &'static str)> {
        let sealed = model.authentication.secrets().filter_map(|(name, keyword, secret)| {
            let gate_config::model::Recoverable::Sealed(sealed) = secret else { return None };
            self.open(keyword, sealed).is_err().then(|| (name.to_string(), keyword))
        });
        sealed.collect()
    }

    /// Reads the key, so that it is at hand; makes one if there is none and `make` says so.
    ///
    /// # Errors
    /// If it cannot be read or made.
    pub(crate) fn load(&self, make: bool) -> Result<(), SealFailed> {
        self.vault(make).map(|_| ())
    }

    /// The vault, with a new key if there is none and one may be made. `None`: there is none.
    fn vault(&self, make: bool) -> Result<Option<Arc<Vault>>, SealFailed> {
        let mut known = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = &*known {
            return Ok(Some(vault.clone()));
        }
        let Some(file) = &self.file else { return Ok(None) };
        let failed = |what: &str, why: &dyn std::fmt::Display| SealFailed { cause: format!("cannot {what} the key file: {why}") };
        let key = match file.key().map_err(|why| failed("read", &why))? {
            Some(key) => key,
            None if !make => return Ok(None),
            None => {
                let key = Zeroizing::new(random::bytes().map_err(|why| failed("make", &why))?);
                file.make_key(&key).map_err(|why| failed("write", &why))?;
                key
            }
        };
        let vault = Arc::new(Vault::new(*key)?);
        *known = Some(vault.clone());
        Ok(Some(vault))
    }
}

impl Sealer for Secrets {
    fn seal(&self, purpose: &str, secret: &Secret) -> Result<String, SealFailed> {
        match self.vault(true)? {
            Some(vault) => vault.seal(purpose, secret),
            None => Err(SealFailed { cause: "this gateway has no file, and so no key".to_owned() }),
        }
    }

    fn open(&self, purpose: &str, sealed: &str) -> Result<Secret, NotOpened> {
        match self.vault(false) {
            Ok(Some(vault)) => vault.open(purpose, sealed),
            Ok(None) | Err(_) => Err(NotOpened),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use gate_config::Strictness;
    use gate_config::files::Files;
    use gate_config::model::Recoverable;

    use super::*;
    use crate::files::Key;

    /// A file that is nowhere, with a key that may be there.
    #[derive(Default)]
    struct Paper {
        key: Mutex<Option<Key>>,
        broken: bool,
    }

    impl ConfigFile for Paper {
        fn path(&self) -> &Path {
            Path::new("ns.conf")
        }

        fn read(&self) -> io::Result<Zeroizing<String>> {
            Ok(Zeroizing::default())
        }

        fn write(&self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn key(&self) -> io::Result<Option<Key>> {
            let key = self.key.lock().map_err(|_| io::ErrorKind::Other)?;
            if self.broken { Err(io::ErrorKind::InvalidData.into()) } else { Ok(key.clone()) }
        }

        fn make_key(&self, key: &Key) -> io::Result<()> {
            let mut there = self.key.lock().map_err(|_| io::ErrorKind::Other)?;
            assert!(there.is_none(), "a key is made once");
            *there = Some(key.clone());
            Ok(())
        }
    }

    const LINES: &str = "\
        add authentication radiusAction one -serverIP 192.0.2.1 -radKey hunter2\n\
        add authentication radiusAction two -serverIP 192.0.2.2 -radKey hunter3\n";

    fn model(text: &str) -> Model {
        let nothing = std::collections::BTreeMap::new();
        let files: &dyn Files = &nothing;
        gate_config::check("ns.conf", text, Strictness::Strict, files).model.unwrap()
    }

    fn opened(secrets: &Secrets, model: &Model) -> Vec<String> {
        let open = |secret: &Recoverable| match secret {
            Recoverable::Sealed(sealed) => secrets.open("radKey", sealed).map_or_else(|no| no.to_string(), |s| s.expose().into()),
            Recoverable::Plain(_) | Recoverable::Unavailable(_) => "not sealed".to_owned(),
        };
        model.authentication.secrets().map(|(_, _, secret)| open(secret)).collect()
    }

    #[test]
    fn a_key_is_made_when_it_is_first_needed_and_found_again() {
        let file = Arc::new(Paper::default());
        let secrets = Secrets::beside(Some(file.clone()));
        secrets.seal(&mut model("")).unwrap();
        secrets.seal_as_before(&mut model(LINES));
        assert!(file.key().unwrap().is_none(), "nothing to seal, nothing to make");
        let mut sealed = model(LINES);
        secrets.seal(&mut sealed).unwrap();
        assert!(!sealed.print().contains("hunter"), "{}", sealed.print());
        // After a restart, from what was saved.
        let again = model(&sealed.print());
        let secrets = Secrets::beside(Some(file));
        assert_eq!(opened(&secrets, &again), ["hunter2", "hunter3"]);
        assert!(secrets.unreadable(&again).is_empty());
        // What was open in the file and is read again has not changed.
        let mut same = model(LINES);
        secrets.seal(&mut same).unwrap();
        assert_eq!(same, again);
    }

    #[test]
    fn without_its_key_a_secret_is_told_of_and_not_made_up() {
        let mut sealed = model(LINES);
        Secrets::beside(Some(Arc::new(Paper::default()))).seal(&mut sealed).unwrap();
        let other = Secrets::beside(Some(Arc::new(Paper { key: Mutex::new(Some(Zeroizing::new([9; 32]))), broken: false })));
        assert_eq!(other.unreadable(&sealed), [("one".to_owned(), "radKey"), ("two".to_owned(), "radKey")]);
        let none = Arc::new(Paper::default());
        assert_eq!(Secrets::beside(Some(none.clone())).unreadable(&sealed).len(), 2);
        assert!(none.key().unwrap().is_none(), "opening makes no key");
        let broken = Secrets::beside(Some(Arc::new(Paper { broken: true, ..Paper::default() })));
        assert!(broken.seal(&mut model(LINES)).unwrap_err().to_string().contains("cannot read the key file"));
    }

    #[test]
    fn a_gateway_without_a_file_keeps_its_secrets_in_memory() {
        let mut open = model(LINES);
        Secrets::beside(None).seal(&mut open).unwrap();
        assert_eq!(open, model(LINES));
    }
}
