//! The directories that a configuration names, ready to be asked.
//!
//! One whose settings have not changed stays as it is over a change of the configuration, with the bounds on what it is asked at the same
//! time. One that cannot be used is said so once, when it comes, and its logins fail as if it were away.

use std::collections::HashMap;
use std::sync::Arc;

use gate_config::files::Loaded;
use gate_config::model::authentication::{Action, Ldap};
use gate_config::model::{ActionName, Model, Recoverable, Sealer as _};
use secrecy::SecretString;
use tracing::error;

use super::codes::Keeping;
use crate::helpers::Helpers;
use crate::reach::ldap::Directory;
use crate::secrets::Secrets;

/// By name of the action.
#[derive(Default)]
pub(crate) struct Directories {
    known: HashMap<ActionName, Arc<Known>>,
    /// How devices for codes are kept in them. `None`: there is no directory.
    keeping: Option<Keeping>,
}

struct Known {
    settings: Ldap,
    roots: Option<Arc<[u8]>>,
    directory: Directory,
}

impl Directories {
    /// Those of `model`, which came with `files`. Reads the system's authorities: for the start or a helper thread.
    pub(crate) fn of(
        model: &Model,
        files: &Loaded,
        before: Option<&Self>,
        secrets: &Arc<Secrets>,
        helpers: &Arc<Helpers>,
    ) -> Self {
        let mut all = HashMap::new();
        for (name, action) in model.authentication.actions.iter() {
            let Action::Ldap(settings) = action else { continue };
            let known = before.and_then(|before| before.known.get(name)).filter(|known| {
                // The file may have been replaced under its name.
                known.settings == **settings && known.roots.as_deref() == roots(files, settings).map(|roots| &**roots)
            });
            let known = match known {
                Some(known) => known.clone(),
                None => match make(name, settings, action, files, secrets, helpers) {
                    Ok(known) => Arc::new(known),
                    Err(why) => {
                        error!(action = %name, %why, "this directory cannot be asked; logins that need it fail");
                        continue;
                    }
                },
            };
            all.insert(name.clone(), known);
        }
        Self { known: all, keeping: Some(Keeping::of(model, secrets)) }
    }

    /// The directory of an action. `None`: there is none, or it cannot be used.
    pub(crate) fn find(&self, action: &ActionName) -> Option<Find> {
        Some(Find { known: self.known.get(action)?.clone(), keeping: self.keeping.clone()? })
    }
}

/// One that was found. It lives while somebody asks it.
pub(crate) struct Find {
    known: Arc<Known>,
    /// How devices for codes are kept there.
    pub(super) keeping: Keeping,
}

impl std::ops::Deref for Find {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.known.directory
    }
}

fn make(
    name: &ActionName,
    settings: &Ldap,
    action: &Action,
    files: &Loaded,
    secrets: &Secrets,
    helpers: &Arc<Helpers>,
) -> Result<Known, String> {
    let password = secret(action, secrets)?;
    let roots = roots(files, settings).cloned();
    if let (Some(path), None) = (&settings.roots, &roots) {
        return Err(format!("{} was not loaded", path.display()));
    }
    let directory = Directory::new(name.as_str(), settings, password, roots.as_deref(), helpers.clone());
    Ok(Known { settings: settings.clone(), roots, directory: directory.map_err(|why| why.to_string())? })
}

/// The secret with which a server is asked for an action, if there is one.
pub(super) fn secret(action: &Action, secrets: &Secrets) -> Result<Option<SecretString>, String> {
    Ok(match action.secret() {
        None => None,
        Some((_, Recoverable::Plain(secret))) => Some(secret.expose().to_owned().into()),
        Some((purpose, Recoverable::Sealed(sealed))) => {
            let secret = secrets.open(purpose, sealed).map_err(|_| "its secret was sealed under another key".to_owned())?;
            Some(secret.expose().to_owned().into())
        }
        Some((_, Recoverable::Unavailable(_))) => return Err("its secret was encrypted by another product".to_owned()),
    })
}

/// The authorities of an action, where it names a file with them.
fn roots<'f>(files: &'f Loaded, settings: &Ldap) -> Option<&'f Arc<[u8]>> {
    settings.roots.as_deref().and_then(|path| files.certificate(path))
}
