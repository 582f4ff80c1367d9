//! Figures for monitoring: the same numbers as the commands show, and the place where they are fetched.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::info;

use crate::action::Action;
use crate::console::Console;
use crate::door::metrics::{Configuration, Figures, Health, LAUNCH_BOUNDS, Metrics, Observe, UnderWay, Vserver, Worker};
use crate::farm::Bound;
use crate::http::AbortOnDrop;

/// Tells what is asked for.
pub(crate) struct Figured(pub(crate) Arc<Console>);

impl Observe for Figured {
    async fn figures(&self) -> Option<Figures> {
        let live = &self.0.live;
        let world = live.current.now()?;
        let look = live.look().await.ok()?;
        let counts = live.owner.ask(Action::Count).await.ok()?;
        let served: Vec<_> = world.snapshot.listeners.iter().map(|listener| listener.id).collect();
        let times = live.owner.ask(|reply| Action::UpTo { listeners: served, bounds: &LAUNCH_BOUNDS, reply }).await.ok()?;
        let vservers = world.model.vservers.names().map(|name| {
            let place = world.listener(name.as_str());
            let of = |id| look.listeners.iter().find(|(one, _)| *one == id).map(|(_, totals)| totals.clone());
            Vserver {
                name: name.to_string(),
                is_served: place.is_some(),
                totals: place.and_then(|(id, _)| of(id)).unwrap_or_default(),
                times: place
                    .and_then(|(id, _)| times.iter().find(|(one, _)| *one == id))
                    .map(|(_, times)| times.clone())
                    .unwrap_or_default(),
            }
        });
        let vservers = vservers.collect();
        let workers = look.workers.into_iter().map(|worker| Worker {
            is_alive: worker.is_alive,
            engine: worker.report.map(|report| family_of(&report.engine).to_owned()).unwrap_or_default(),
            totals: worker.totals,
            turns: worker.turns,
        });
        let book = live.changes.book();
        Some(Figures {
            workers: workers.collect(),
            vservers,
            stas: world.stas(),
            logins: counts.logins,
            tickets: counts.tickets,
            launches: counts.launches,
            under_way: UnderWay {
                logins: counts.conversations,
                questions: counts.questions,
                questions_waiting: counts.questions_waiting,
            },
            tally: counts.tally,
            draining: look.draining.map(|drain| drain.remaining),
            certificates: world.expiries.clone(),
            configuration: Configuration {
                done: book.done,
                failed: book.failed,
                changed_at: book.changed_at,
                is_saved: *book.saved == *world.model,
            },
            audit_lost: self.0.audit.lost(),
            started: Some(live.started),
            ..Figures::default()
        })
    }

    async fn health(&self) -> Option<Health> {
        let look = self.0.live.look().await.ok()?;
        let alive: Vec<_> = look.workers.iter().filter(|worker| worker.is_alive).collect();
        Some(Health {
            workers: look.workers.len(),
            alive: alive.len(),
            accepting: alive.iter().map(|worker| worker.totals.accepting).sum(),
            is_draining: look.draining.is_some(),
        })
    }
}

/// The engine without the variant that stands behind it in brackets: that is for people, not for a label.
fn family_of(engine: &str) -> &str {
    engine.split(' ').next().unwrap_or(engine)
}

/// The listener for figures, if there is one.
pub(crate) struct Place {
    metrics: Arc<Metrics<Figured>>,
    open: Option<(Bound, AbortOnDrop<()>)>,
}

impl Place {
    pub(crate) fn new(console: Arc<Console>) -> Self {
        Self { metrics: Metrics::new(Figured(console)), open: None }
    }

    /// The one that there is.
    pub(crate) fn bound(&self) -> Option<&Bound> {
        self.open.as_ref().map(|(bound, _)| bound)
    }

    /// Takes all that can fail about `wanted` becoming the place; `None` if there is nothing to do.
    pub(crate) fn ready(&self, wanted: Option<&Bound>) -> io::Result<Option<TcpListener>> {
        let is_there = |wanted: &Bound| self.bound().is_some_and(|bound| Arc::ptr_eq(&bound.listener, &wanted.listener));
        match wanted {
            Some(wanted) if !is_there(wanted) => Ok(Some(TcpListener::from_std(wanted.listener.try_clone()?)?)),
            Some(_) | None => Ok(None),
        }
    }

    /// From now on figures are fetched there.
    pub(crate) fn change(&mut self, wanted: Option<Bound>, fresh: Option<TcpListener>, stopped: &watch::Receiver<bool>) {
        match (wanted, fresh) {
            (None, _) => self.open = None,
            (Some(_), None) => {}
            (Some(bound), Some(listener)) => {
                info!(address = %bound.address, "figures for monitoring");
                let (metrics, stopped) = (self.metrics.clone(), stopped.clone());
                let serving = tokio::spawn(async move { metrics.serve(&listener, stopped).await });
                self.open = Some((bound, AbortOnDrop(serving)));
            }
        }
    }
}
