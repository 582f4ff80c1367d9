//! Listening sockets: one for each worker and virtual server, so that the kernel spreads connections and no worker waits for
//! another.
//!
//! ```text
//!   snapshot ─► Doors::change ─► Change { close, open: sockets[worker] } ─► every worker ─► Doors::commit
//!                    └─► PublishProblem: nothing has changed
//! ```
//!
//! Everything new is bound for all workers before the first of them hears of it. Port 0 is resolved once and then shared.

use std::net::{SocketAddr, TcpListener};

use sluice_link::id::ListenerId;
use sluice_link::port::PublishProblem;
use sluice_link::snapshot::Snapshot;

/// A virtual server that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Door {
    id: ListenerId,
    /// As configured; the port may be 0.
    wanted: SocketAddr,
    /// As bound.
    bound: SocketAddr,
}

/// All virtual servers that listen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Vec<Door>);

/// What a snapshot changes.
#[derive(Debug)]
pub(crate) struct Change {
    doors: Vec<Door>,
    /// Virtual servers that are gone or listen elsewhere now.
    pub(crate) close: Vec<ListenerId>,
    /// For each worker its sockets.
    pub(crate) open: Vec<Vec<(ListenerId, TcpListener)>>,
}

impl Doors {
    /// Binds what is new in `snapshot`, for `workers` workers. Nothing is in force before [`Doors::commit`]; if the change is
    /// dropped instead, the new sockets are closed.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the virtual server.
    pub(crate) fn change(&self, snapshot: &Snapshot, workers: usize) -> Result<Change, PublishProblem> {
        let mut change = Change { doors: Vec::new(), close: Vec::new(), open: (0..workers).map(|_| Vec::new()).collect() };
        for (at, listener) in snapshot.listeners.iter().enumerate() {
            // SO_REUSEPORT would let two of them share an address and split its connections by chance.
            let twin = |other: &&sluice_link::snapshot::Listener| {
                other.id == listener.id || (other.address == listener.address && listener.address.port() != 0)
            };
            if let Some(other) = snapshot.listeners[..at].iter().find(twin) {
                let detail = format!("has the address or id of virtual server {}", other.name);
                return Err(PublishProblem::Listener { listener: listener.name.clone(), detail });
            }
            if let Some(door) = self.0.iter().find(|door| door.id == listener.id && door.wanted == listener.address) {
                change.doors.push(door.clone());
                continue;
            }
            let problem = |address, source| PublishProblem::Bind { listener: listener.name.clone(), address, source };
            let mut bound = listener.address;
            for sockets in &mut change.open {
                let socket = sluice_engine::bind(bound).map_err(|source| problem(bound, source))?;
                bound = socket.local_addr().map_err(|source| problem(bound, source))?;
                sockets.push((listener.id, socket));
            }
            change.doors.push(Door { id: listener.id, wanted: listener.address, bound });
        }
        change.close = self.0.iter().filter(|door| !change.doors.contains(door)).map(|door| door.id).collect();
        Ok(change)
    }

    /// Binds all of `snapshot` once more, where it listened before: for workers that have closed theirs. An address may be in use by
    /// somebody else by now.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the virtual server.
    pub(crate) fn anew(&self, snapshot: &Snapshot, workers: usize) -> Result<Change, PublishProblem> {
        let mut open: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        for door in &self.0 {
            let name = snapshot.listeners.iter().find(|listener| listener.id == door.id).map(|listener| listener.name.clone());
            for sockets in &mut open {
                let refused =
                    |source| PublishProblem::Bind { listener: name.clone().unwrap_or_default(), address: door.bound, source };
                sockets.push((door.id, sluice_engine::bind(door.bound).map_err(refused)?));
            }
        }
        Ok(Change { doors: self.0.clone(), close: Vec::new(), open })
    }

    /// Takes a change for true, and gives back which worker has to do what.
    pub(crate) fn commit(&mut self, change: Change) -> (Vec<ListenerId>, Vec<Vec<(ListenerId, TcpListener)>>) {
        self.0 = change.doors;
        (change.close, change.open)
    }

    /// Where each virtual server really listens.
    pub(crate) fn addresses(&self) -> Vec<(ListenerId, SocketAddr)> {
        self.0.iter().map(|door| (door.id, door.bound)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sluice_link::id::SnapshotId;
    use sluice_link::snapshot::{Cgp, Limits, Listener, Rates, Tls};

    use super::*;

    fn snapshot(listeners: &[(u32, SocketAddr)]) -> Arc<Snapshot> {
        let tls = Tls { certificates: vec![], tls12: true, tls13: true, post_quantum: true, resumption: true, ..Tls::default() };
        let listeners = listeners.iter().map(|&(id, address)| Listener {
            id: ListenerId(id),
            name: format!("vs{id}"),
            address,
            tls: tls.clone(),
            cgp: Cgp::Reject,
            rates: Rates::default(),
        });
        Arc::new(Snapshot {
            id: SnapshotId(1),
            listeners: listeners.collect(),
            inner: "/nowhere".into(),
            host_tls: vec![],
            limits: Limits::default(),
        })
    }

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn all_workers_share_the_port_that_the_system_chose() {
        let mut doors = Doors::default();
        let change = doors.change(&snapshot(&[(1, any())]), 3).unwrap();
        let (close, open) = doors.commit(change);
        assert!(close.is_empty());
        let ports: Vec<u16> = open.iter().map(|sockets| sockets[0].1.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [doors.addresses()[0].1.port(); 3]);
        assert_ne!(ports[0], 0);
    }

    #[test]
    fn what_stays_is_left_alone_and_what_goes_is_named() {
        let mut doors = Doors::default();
        let change = doors.change(&snapshot(&[(1, any()), (2, any())]), 1).unwrap();
        let (_, _kept) = doors.commit(change);
        let before = doors.addresses();
        let change = doors.change(&snapshot(&[(2, any()), (3, any())]), 1).unwrap();
        assert_eq!(change.close, [ListenerId(1)]);
        assert_eq!(change.open[0].iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ListenerId(3)]);
        doors.commit(change);
        assert_eq!(doors.addresses()[0], before[1]);
    }

    #[test]
    fn a_taken_address_and_a_double_one_are_named() {
        let doors = Doors::default();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let problem = doors.change(&snapshot(&[(7, address)]), 2).unwrap_err();
        assert!(matches!(problem, PublishProblem::Bind { listener, address: a, .. } if listener == "vs7" && a == address));
        let free: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let problem = doors.change(&snapshot(&[(1, any()), (2, free), (3, free)]), 1).unwrap_err();
        assert!(matches!(problem, PublishProblem::Listener { listener, .. } if listener == "vs3"));
    }
}
