//! How a login is decided: a machine that is told what happened and says what is to be done next.

pub use code::Code;
pub use event::{Denial, Event, Shown, Step, Why};
pub use grant::{Attributes, Credentials, Grant, Identity, NumberedAttributes, Periodic};
pub use question::{Answer, Ask, Challenge, Proven, Question};
pub use view::{AGAIN, NEW, OLD, Prefill, ScanView, View, ViewKind};

mod code;
mod event;
mod grant;
mod question;
mod view;
