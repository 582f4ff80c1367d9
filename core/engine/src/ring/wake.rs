//! The wake descriptor: a read of it is always under way.

use std::os::fd::{AsFd as _, OwnedFd};

use sluice_flow::port::{EngineFault, Happening};

use super::RingEngine;
use super::op::Op;
use crate::sock::{self, Mode};

impl RingEngine {
    pub(super) fn arm_wake(&mut self, eventfd: OwnedFd) -> Result<(), EngineFault> {
        sock::set_mode(eventfd.as_fd(), Mode::Blocking).map_err(|source| EngineFault::System { call: "fcntl", source })?;
        assert!(self.wake.is_none(), "an engine has one wake descriptor");
        self.wake = Some(eventfd);
        self.read_wake();
        Ok(())
    }

    fn read_wake(&mut self) {
        if let Some(eventfd) = &self.wake {
            self.queue.start(eventfd.as_fd(), Op::Wake { count: Box::new([0; 8]) });
        }
    }

    /// Somebody wrote, or the read was disturbed; either way it is read again, and looking into the mailbox once too often does no
    /// harm.
    pub(super) fn woken(&mut self, result: i32) -> Option<Happening> {
        if result == -libc::ECANCELED {
            return None;
        }
        self.read_wake();
        Some(Happening::Woken)
    }
}
