//! The neighbours: a TLS client and a host, each with a script. They look at every byte that they get.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use sluice_proto::proxy::Header;

use crate::chance::{Arrived, Chance};
use crate::net::Wire;
use crate::plan::{Ending, Opening, Plan};

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The answer to its greeting.
    Greeting,
    /// The reply to its request.
    Reply,
    /// Nothing: bytes flow.
    Nothing,
}

/// Bytes in and bytes out, with or without TLS.
struct Pen {
    tls: Option<Connection>,
    /// To be written.
    out: Vec<u8>,
    /// Read and not looked at yet.
    read: Vec<u8>,
    /// The other side said goodbye, or sent FIN where there is no TLS.
    ended: bool,
    broken: bool,
}

impl Pen {
    fn new(tls: Option<Connection>) -> Self {
        Self { tls, out: Vec::new(), read: Vec::new(), ended: false, broken: false }
    }

    /// Moves some bytes both ways. Says whether any moved.
    fn work(&mut self, wire: &mut Wire, chance: &mut Chance, eager: bool) -> bool {
        let most = if !eager && chance.percent(20) { chance.size(3_000) } else { usize::MAX };
        let got = wire.read(most);
        let mut moved = !got.is_empty();
        match &mut self.tls {
            None => self.read.extend(&got),
            Some(tls) => {
                let mut left = &got[..];
                while !left.is_empty() && !self.broken {
                    if tls.read_tls(&mut left).is_err() || tls.process_new_packets().is_err() {
                        self.broken = true;
                    }
                    read_all(tls, &mut self.read);
                }
                if let Ok(state) = tls.process_new_packets() {
                    self.ended |= state.peer_has_closed();
                }
                while tls.wants_write() {
                    tls.write_tls(&mut self.out).unwrap();
                }
            }
        }
        if wire.is_over() {
            self.ended |= self.tls.is_none() && !wire.was_reset();
        }
        let mut n = wire.room().min(self.out.len());
        if !eager && chance.percent(30) {
            n = chance.size(n);
        }
        if n > 0 {
            wire.write(&self.out[..n]);
            self.out.drain(..n);
            moved = true;
        }
        moved
    }

    fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            None => self.out.extend(bytes),
            // Who has been sent an alert says no more.
            Some(_) if self.broken => {}
            Some(tls) => {
                tls.writer().write_all(bytes).unwrap();
                while tls.wants_write() {
                    tls.write_tls(&mut self.out).unwrap();
                }
            }
        }
    }

    /// Changes its own key and asks for a change of the other side's.
    fn change_key(&mut self) {
        if let Some(tls) = self.tls.as_mut().filter(|_| !self.broken) {
            tls.refresh_traffic_keys().unwrap();
            while tls.wants_write() {
                tls.write_tls(&mut self.out).unwrap();
            }
        }
    }

    fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.out).unwrap();
            }
        }
    }
}

fn read_all(tls: &mut Connection, to: &mut Vec<u8>) {
    let mut piece = [0; 4096];
    while let Ok(n) = tls.reader().read(&mut piece) {
        if n == 0 {
            break;
        }
        to.extend_from_slice(&piece[..n]);
    }
}

/// How far a neighbour is with its own direction.
struct Voice {
    said: usize,
    finished: bool,
}

/// A client.
pub(crate) struct Client {
    plan: Plan,
    pen: Pen,
    wait: Wait,
    voice: Voice,
    begun: bool,
    steps: usize,
    gone: bool,
    key_updates: usize,
    forged: bool,
    /// The code of the reply, if one came.
    pub(crate) reply: Option<u8>,
    pub(crate) down: Arrived,
}

impl Client {
    pub(crate) fn new(plan: &Plan, config: &Arc<ClientConfig>) -> Self {
        let tls = (plan.opening != Opening::Plaintext).then(|| {
            let name = ServerName::try_from("gw.example.test").unwrap();
            Connection::Client(ClientConnection::new(Arc::clone(config), name).unwrap())
        });
        Self {
            plan: plan.clone(),
            pen: Pen::new(tls),
            wait: Wait::Nothing,
            voice: Voice { said: 0, finished: false },
            begun: false,
            steps: 0,
            gone: false,
            key_updates: plan.key_updates,
            forged: false,
            reply: None,
            down: Arrived::new(plan.down.clone()),
        }
    }

    /// The client was told that nothing more will come, after all that came.
    pub(crate) fn was_told_goodbye(&self) -> bool {
        self.pen.ended
    }

    /// Does something, if there is something to do; all of it, if eager.
    pub(crate) fn step(&mut self, wire: &mut Wire, chance: &mut Chance, eager: bool) -> bool {
        if self.gone {
            return false;
        }
        match self.plan.client {
            Ending::Cut(at) if self.steps >= at => {
                self.gone = true;
                wire.finish();
                return true;
            }
            Ending::Reset(at) if self.steps >= at => {
                self.gone = true;
                wire.reset();
                return true;
            }
            Ending::Silent(at) if self.steps >= at => return false,
            Ending::Forged(at) if self.steps >= at => {
                if let Some(last) = self.pen.out.last_mut().filter(|_| self.begun && !self.forged) {
                    *last ^= 1;
                    self.forged = true;
                }
            }
            Ending::First | Ending::Second | Ending::Cut(_) | Ending::Reset(_) | Ending::Silent(_) | Ending::Forged(_) => {}
        }
        let mut moved = self.pen.work(wire, chance, eager);
        self.listen();
        moved |= self.talk(chance);
        // Everything is said and heard: the socket is closed.
        if self.voice.finished && self.pen.out.is_empty() && (self.pen.ended || wire.is_over()) {
            wire.finish();
            self.gone = true;
        }
        self.steps += usize::from(moved);
        moved
    }

    fn listen(&mut self) {
        loop {
            let needed = match self.wait {
                Wait::Greeting => 2,
                Wait::Reply => 10,
                Wait::Nothing => {
                    if self.plan.opening == Opening::Http && !self.plan.is_clean() && self.pen.read.starts_with(b"HTTP/1.1 503 ")
                    {
                        self.reply = Some(1);
                    }
                    if self.reply.is_some_and(|code| code != 0) {
                        return;
                    }
                    self.down.add("client", &self.pen.read);
                    self.pen.read.clear();
                    return;
                }
            };
            if self.pen.read.len() < needed {
                return;
            }
            let head: Vec<u8> = self.pen.read.drain(..needed).collect();
            if self.wait == Wait::Greeting {
                assert_eq!(head, [5, 0], "the answer to a greeting");
                self.wait = Wait::Reply;
                if self.plan.opening == Opening::Negotiated {
                    self.pen.write(&self.plan.request());
                }
            } else {
                assert_eq!(head[2..], [0, 1, 0, 0, 0, 0, 0, 0]);
                self.reply = Some(head[1]);
                self.wait = Wait::Nothing;
            }
        }
    }

    fn talk(&mut self, chance: &mut Chance) -> bool {
        if !self.pen.is_ready() || self.voice.finished {
            return false;
        }
        if !self.begun {
            self.begun = true;
            match self.plan.opening {
                Opening::Negotiated => {
                    self.pen.write(&[5, 1, 0]);
                    self.wait = Wait::Greeting;
                }
                Opening::Pipelined => {
                    self.write_request(chance);
                    self.wait = Wait::Greeting;
                }
                Opening::Bare | Opening::Address => {
                    self.write_request(chance);
                    self.wait = Wait::Reply;
                }
                Opening::Noise | Opening::Plaintext | Opening::Cgp | Opening::Http => self.write_request(chance),
            }
            return true;
        }
        // Most clients wait for the reply before they talk on; some do not.
        let may_talk = self.reply == Some(0) || (self.wait != Wait::Greeting && self.plan.id.is_multiple_of(3));
        let no_reply = matches!(self.plan.opening, Opening::Cgp | Opening::Http);
        if !may_talk && !no_reply {
            if self.pen.ended || self.reply.is_some_and(|code| code != 0) {
                self.voice.finished = true;
                self.pen.say_goodbye();
                return true;
            }
            return false;
        }
        if self.pen.out.len() > 100_000 {
            return false;
        }
        if self.key_updates > 0 && chance.percent(30) {
            self.key_updates -= 1;
            self.pen.change_key();
            return true;
        }
        let stream = &self.plan.up;
        if self.voice.said < stream.len {
            let n = 1 + chance.size(self.plan.write_max);
            let to = stream.len.min(self.voice.said + n);
            self.pen.write(&stream.slice(self.voice.said, to));
            self.voice.said = to;
            return true;
        }
        if self.plan.client == Ending::First || self.pen.ended {
            self.voice.finished = true;
            self.pen.say_goodbye();
            self.pen.out.extend(self.plan.babble);
            return true;
        }
        false
    }

    fn write_request(&mut self, chance: &mut Chance) {
        let request = self.plan.request();
        let size = chance.pick(&[1, 5, usize::MAX]);
        request.chunks(size.min(request.len()).max(1)).for_each(|piece| self.pen.write(piece));
    }
}

/// A host, or the portal's inner listener.
pub(crate) struct Host {
    plan: Plan,
    pen: Pen,
    voice: Voice,
    steps: usize,
    gone: bool,
    headed: bool,
    pub(crate) up: Arrived,
}

impl Host {
    pub(crate) fn new(plan: &Plan, config: &Arc<ServerConfig>) -> Self {
        let tls = plan.host_tls.then(|| Connection::Server(ServerConnection::new(Arc::clone(config)).unwrap()));
        Self {
            plan: plan.clone(),
            pen: Pen::new(tls),
            voice: Voice { said: 0, finished: false },
            steps: 0,
            gone: false,
            headed: plan.opening != Opening::Http,
            up: Arrived::new(plan.up.clone()),
        }
    }

    /// The host was told that nothing more will come, after all that came.
    pub(crate) fn was_told_goodbye(&self) -> bool {
        self.pen.ended
    }

    pub(crate) fn step(&mut self, wire: &mut Wire, chance: &mut Chance, eager: bool) -> bool {
        if self.gone {
            return false;
        }
        match self.plan.host {
            Ending::Cut(at) if self.steps >= at => {
                self.gone = true;
                wire.finish();
                return true;
            }
            Ending::Reset(at) if self.steps >= at => {
                self.gone = true;
                wire.reset();
                return true;
            }
            Ending::Silent(at) if self.steps >= at => return false,
            Ending::First | Ending::Second | Ending::Cut(_) | Ending::Reset(_) | Ending::Silent(_) | Ending::Forged(_) => {}
        }
        let moved = self.pen.work(wire, chance, eager) | self.talk(wire, chance);
        if !self.headed
            && let Ok((header, n)) = Header::read(&self.pen.read)
        {
            assert_eq!(header.source.port(), 1024 + u16::try_from(self.plan.id % 60_000).unwrap(), "somebody else's client");
            self.pen.read.drain(..n);
            self.headed = true;
        }
        if self.headed {
            self.up.add("host", &self.pen.read);
            self.pen.read.clear();
        }
        self.steps += usize::from(moved);
        moved
    }

    fn talk(&mut self, wire: &mut Wire, chance: &mut Chance) -> bool {
        if !self.pen.is_ready() || self.pen.out.len() > 100_000 {
            return false;
        }
        if self.voice.finished {
            // FIN stands behind the bytes.
            if self.pen.out.is_empty() && wire.room() > 0 {
                wire.finish();
                return true;
            }
            return false;
        }
        let stream = &self.plan.down;
        if self.voice.said < stream.len {
            let n = 1 + chance.size(self.plan.write_max);
            let to = stream.len.min(self.voice.said + n);
            self.pen.write(&stream.slice(self.voice.said, to));
            self.voice.said = to;
            return true;
        }
        if self.plan.host == Ending::First || self.pen.ended {
            self.voice.finished = true;
            self.pen.say_goodbye();
            return true;
        }
        false
    }
}
