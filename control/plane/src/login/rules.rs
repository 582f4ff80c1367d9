//! What a configuration says of logins, as the owner of control state wants it.

use gate_auth::sessions::{IcaPolicy, Times};
use gate_config::model::Model;
use gate_config::model::session::{IcaOnLogout, SessionSettings};

use crate::action::{Rules, VserverRules};

impl Rules {
    /// Those of `model`.
    pub(crate) fn of(model: &Model) -> Self {
        let on_logout = match model.vpn.ica_on_logout {
            IcaOnLogout::Keep => false,
            IcaOnLogout::End => true,
        };
        let vservers = model.vservers.iter().map(|(name, vserver)| {
            let rules = VserverRules { users_max: vserver.admission.users_max, login_once: vserver.admission.login_once };
            (name.as_str().into(), rules)
        });
        Self {
            ica: IcaPolicy { on_timeout: model.vpn.ica_session_timeout, on_logout },
            users_max: model.aaa.users_max,
            vservers: vservers.filter(|(_, rules)| *rules != VserverRules::default()).collect(),
        }
    }
}

/// How long a login with these settings lasts.
pub(crate) fn times(settings: &SessionSettings) -> Times {
    let default = Times::default();
    Times {
        idle: settings.session_timeout.unwrap_or(default.idle),
        absolute: settings.forced_timeout.unwrap_or(default.absolute),
    }
}
