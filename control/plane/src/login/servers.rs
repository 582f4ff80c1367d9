//! The RADIUS servers that a configuration names, ready to be asked.
//!
//! As with [directories](super::directories), one whose settings have not changed stays as it is over a change of the configuration, and one
//! that cannot be used is said so once, when it comes.

use std::collections::HashMap;
use std::sync::Arc;

use gate_config::model::authentication::{Action, Radius, Served};
use gate_config::model::{ActionName, Model};
use tracing::error;

use super::directories::secret;
use crate::helpers::Helpers;
use crate::reach::radius::Server;
use crate::secrets::Secrets;

/// By name of the action.
#[derive(Default)]
pub(crate) struct Servers(HashMap<ActionName, Arc<Known>>);

struct Known {
    settings: Radius,
    server: Server,
}

impl Servers {
    /// Those of `model`.
    pub(crate) fn of(model: &Model, before: Option<&Self>, secrets: &Secrets, helpers: &Arc<Helpers>) -> Self {
        let mut all = HashMap::new();
        for (name, action) in model.authentication.actions.iter() {
            let Action::Radius(settings) = action else { continue };
            match settings.served() {
                Served::Now => {}
                // The machine asks nobody for it, and says why.
                Served::Later | Served::Never => continue,
            }
            let known = before.and_then(|before| before.0.get(name)).filter(|known| known.settings == **settings).cloned();
            let known = known.map_or_else(|| make(name, settings, action, secrets, helpers).map(Arc::new), Ok);
            match known {
                Ok(known) => drop(all.insert(name.clone(), known)),
                Err(why) => error!(action = %name, %why, "this RADIUS server cannot be asked; logins that need it fail"),
            }
        }
        Self(all)
    }

    /// The server of an action. `None`: there is none, or it cannot be used.
    pub(crate) fn find(&self, action: &ActionName) -> Option<FindServer> {
        self.0.get(action).cloned().map(FindServer)
    }
}

/// One that was found. It lives while somebody asks it.
pub(crate) struct FindServer(Arc<Known>);

impl std::ops::Deref for FindServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0.server
    }
}

fn make(
    name: &ActionName,
    settings: &Radius,
    action: &Action,
    secrets: &Secrets,
    helpers: &Arc<Helpers>,
) -> Result<Known, String> {
    let key = secret(action, secrets)?;
    let server = Server::new(name.as_str(), settings, key, helpers.clone()).map_err(|why| why.to_string())?;
    Ok(Known { settings: settings.clone(), server })
}
