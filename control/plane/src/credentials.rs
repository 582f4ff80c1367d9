//! Is it the password? The owner's tables before and after, the slow check in between on a helper thread.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::action::{Action, Claim, NoOwner, Owned, Person, Trial};
use crate::helpers::{Busy, Helpers};

/// Why a claim was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotProven {
    /// Wrong user, wrong password: nobody is told which.
    #[error("wrong user name or password")]
    Wrong,
    /// Too many failures lately.
    #[error("too many failures lately")]
    Wait(Duration),
    /// Too many passwords wait to be checked.
    #[error("too many logins at once")]
    Busy,
    /// We are broken.
    #[error(transparent)]
    NoOwner(#[from] NoOwner),
}

impl From<Busy> for NotProven {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// Checks `claim`.
pub(crate) async fn prove(owner: &Owned, helpers: &Arc<Helpers>, claim: Claim) -> Result<Person, NotProven> {
    let asked = claim.clone();
    let check = match owner.ask(|reply| Action::Try(asked, reply)).await? {
        Trial::Known(person) => return Ok(person),
        Trial::Wait(wait) => return Err(NotProven::Wait(wait.time)),
        Trial::Work(check) => check,
    };
    let (work, password) = (check.clone(), claim.password.clone());
    let right = helpers.password(move || work.run(&password)).await?;
    owner.ask(|reply| Action::Tried { claim, check, right, reply }).await?.ok_or(NotProven::Wrong)
}
