//! A conversation with a gateway that outlives its connections: it is made when it is needed, and made anew after it was lost.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::fault::Fault;
use super::gateway::{Gateway, Greeting, Hear, SOCKET, SOCKET_VARIABLE};

/// A conversation.
#[derive(Debug)]
pub struct Talk {
    path: PathBuf,
    interrupt: Arc<AtomicBool>,
    gateway: Option<Gateway>,
}

/// Where the gateway listens: as said, else as the environment says, else where it usually does.
#[must_use]
pub fn socket(said: Option<&Path>) -> PathBuf {
    choose(said, std::env::var_os(SOCKET_VARIABLE))
}

fn choose(said: Option<&Path>, environment: Option<OsString>) -> PathBuf {
    let environment = environment.filter(|path| !path.is_empty()).map(PathBuf::from);
    said.map(Path::to_owned).or(environment).unwrap_or_else(|| SOCKET.into())
}

impl Talk {
    /// With the gateway at `path`; nothing is connected yet. `interrupt` ends any waiting as soon as it is set.
    #[must_use]
    pub fn new(path: PathBuf, interrupt: Arc<AtomicBool>) -> Self {
        Self { path, interrupt, gateway: None }
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sees to it that there is a connection, and says how the gateway greeted on it.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn greeting(&mut self) -> Result<Greeting, Fault> {
        Ok(self.connected()?.greeting().clone())
    }

    /// [`Gateway::run`].
    ///
    /// # Errors
    /// [`Fault`].
    pub fn run(&mut self, line: &str, hear: Hear<'_>) -> Result<u16, Fault> {
        let said = self.connected()?.run(line, hear);
        self.judge(said)
    }

    /// [`Gateway::batch`].
    ///
    /// # Errors
    /// [`Fault`].
    pub fn batch(&mut self, lines: &str, hear: Hear<'_>) -> Result<u16, Fault> {
        let said = self.connected()?.batch(lines, hear);
        self.judge(said)
    }

    /// [`Gateway::text`].
    ///
    /// # Errors
    /// [`Fault`].
    pub fn text(&mut self, line: &str) -> Result<Result<String, String>, Fault> {
        let said = self.connected()?.text(line);
        self.judge(said)
    }

    /// [`Gateway::small`].
    ///
    /// # Errors
    /// [`Fault`].
    pub fn small(&mut self, line: &str, most: Duration) -> Result<Result<String, String>, Fault> {
        let said = self.connected()?.small(line, most);
        self.judge(said)
    }

    /// The connection. A gateway ends one on which nothing was said for a while, so it is looked at before it is used: after that
    /// nobody could say whether a command that was lost has been carried out.
    fn connected(&mut self) -> Result<&mut Gateway, Fault> {
        let gateway = match self.gateway.take() {
            Some(gateway) if !gateway.is_gone() => gateway,
            Some(_) | None => Gateway::connect(&self.path, &self.interrupt)?,
        };
        Ok(self.gateway.insert(gateway))
    }

    /// A connection on which something went wrong is of no more use.
    fn judge<T>(&mut self, said: Result<T, Fault>) -> Result<T, Fault> {
        if said.is_err() {
            self.gateway = None;
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_wins() {
        let said = Some(Path::new("/a"));
        assert_eq!(choose(said, Some("/b".into())), Path::new("/a"));
        assert_eq!(choose(None, Some("/b".into())), Path::new("/b"));
        assert_eq!(choose(None, Some("".into())), Path::new(SOCKET));
        assert_eq!(choose(None, None), Path::new(SOCKET));
    }
}
