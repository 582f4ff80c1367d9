//! The last logins with every decision and its reason, for the operator who is asked "why can I not log in?".

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use gate_auth::Now;
use gate_auth::login::{Code, Conversation, Decision, Why};
use gate_auth::sessions::{End, plain};

/// Logins that are over and remembered.
pub(crate) const TRACES_MAX: usize = 200;

/// A login, as operators see it. No secret is in it, and no name but that of somebody who has proven to have it.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Of the conversation; counted up from 1.
    pub(crate) number: u64,
    /// The virtual server.
    pub(crate) vserver: Arc<str>,
    /// The client.
    pub(crate) client: SocketAddr,
    /// Who it was, as far as somebody has proven that.
    pub(crate) user: Option<Arc<str>>,
    /// When it began.
    pub(crate) began: Now,
    /// When it was over; `None`: it goes on.
    pub(crate) ended: Option<Now>,
    /// What came of it.
    pub(crate) result: TraceResult,
    /// Why the session that came of it ended; `None`: it has not.
    pub(crate) session_end: Option<End>,
    /// Every decision, oldest first.
    pub(crate) decisions: Arc<[Decision]>,
    /// How many are left out before the last.
    pub(crate) left_out: u32,
}

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceResult {
    /// It goes on.
    UnderWay,
    /// A session of that number.
    Granted(u64),
    /// The machine let the user in, but there was no room, or it could not be written down.
    NotEntered,
    /// None, and why.
    Refused(Why, Code),
    /// It took too long.
    Expired,
    /// Others needed the room.
    Displaced,
}

/// Which. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WantedTraces {
    /// Only this one.
    pub(crate) number: Option<u64>,
    /// Of this user, in any spelling of the name.
    pub(crate) user: Option<String>,
    /// Through this virtual server.
    pub(crate) vserver: Option<String>,
}

impl Trace {
    /// One that is `over` or goes on.
    pub(crate) fn of(conversation: &Conversation, over: Option<(TraceResult, Now)>) -> Self {
        let arrival = conversation.arrival();
        Self {
            number: conversation.number(),
            vserver: arrival.vserver.clone(),
            client: arrival.client,
            user: conversation.user().cloned(),
            began: conversation.began(),
            ended: over.map(|(_, ended)| ended),
            result: over.map_or(TraceResult::UnderWay, |(result, _)| result),
            session_end: None,
            decisions: conversation.path().into(),
            left_out: conversation.path_left_out(),
        }
    }

    /// Whether it is one of the wanted.
    pub(crate) fn is_wanted(&self, wanted: &WantedTraces) -> bool {
        let is_of = |user: &str| self.user.as_ref().is_some_and(|own| plain(own) == plain(user));
        wanted.number.is_none_or(|number| number == self.number)
            && wanted.user.as_deref().is_none_or(is_of)
            && wanted.vserver.as_deref().is_none_or(|vserver| *vserver == *self.vserver)
    }
}

/// Those that are over.
#[derive(Debug, Default)]
pub(crate) struct Traces(VecDeque<Trace>);

impl Traces {
    /// One is over.
    pub(crate) fn push(&mut self, trace: Trace) {
        if self.0.len() >= TRACES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(trace);
    }

    /// The session `number` has ended.
    pub(crate) fn session_ended(&mut self, number: u64, end: End) {
        if let Some(trace) = self.0.iter_mut().rev().find(|trace| trace.result == TraceResult::Granted(number)) {
            trace.session_end = Some(end);
        }
    }

    /// All, the last one first.
    pub(crate) fn latest_first(&self) -> impl Iterator<Item = &Trace> {
        self.0.iter().rev()
    }
}
