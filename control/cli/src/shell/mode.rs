//! `set cli mode`: how the conversation shows things.

use std::time::Duration;

use gate_config::order::AskOrder;

/// How long a prompt waits for a command before it gives up, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(900);

/// How the conversation shows things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Long answers by the page.
    pub page: bool,
    /// Colours.
    pub colors: bool,
    /// How long a prompt waits for a command; none: for ever.
    pub timeout: Option<Duration>,
}

impl Mode {
    /// As a conversation begins.
    #[must_use]
    pub const fn new(colors: bool) -> Self {
        Self { page: true, colors, timeout: Some(TIMEOUT) }
    }

    /// Takes over what a `set cli mode` says.
    pub fn order(&mut self, order: &AskOrder) {
        if let Some(page) = order.text("page") {
            self.page = page == "ON";
        }
        if let Some(color) = order.text("color") {
            self.colors = color == "ON";
        }
        if let Some(seconds) = order.number("timeout") {
            self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use gate_config::order::{Order, read};

    use super::*;

    #[test]
    fn modes() {
        let mut mode = Mode::new(true);
        let mut set = |line: &str| {
            let Ok(Order::Ask(order)) = read(line) else { panic!("{line}") };
            mode.order(&order);
            mode
        };
        assert!(!set("set cli mode -page OFF").page);
        assert!(!set("set cli mode -color off").colors);
        assert_eq!(set("set cli mode -timeout 60").timeout, Some(Duration::from_secs(60)));
        assert_eq!(set("set cli mode -timeout 0 -page on"), Mode { page: true, colors: false, timeout: None });
    }
}
