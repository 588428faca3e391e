//! The choice of the server that new reads go to.

use std::time::Instant;

use crate::action::{Notice, ServerId};
use crate::failover::Failover;
use crate::link::Link;
use crate::server::Server;

impl Failover {
    /// Chooses where new reads go. Stays where it is unless something forces a move, or a long look says so.
    pub(crate) fn elect(&mut self, now: Instant) {
        let best = self
            .servers
            .iter()
            .filter_map(|server| server.link().map(|link| (server, link)))
            .filter_map(|(server, link)| Some((link.fitness()?, link.is_beaten(), server.id)))
            .enumerate()
            .min_by_key(|(rank, (fitness, is_beaten, _))| (*fitness, *is_beaten, *rank))
            .map(|(_, (fitness, _, id))| (fitness, id));
        let Some((best_fitness, best)) = best else {
            return; // `current` stays: it is where reads went, and will tell whether they move
        };
        let current = self
            .current
            .and_then(|id| self.link_of(id))
            .and_then(|link| Some((link.fitness()?, link)));
        let wanted = self
            .wanted
            .filter(|id| self.link_of(*id).is_some_and(Link::is_good));
        let chosen = match current {
            _ if wanted.is_some() => wanted.unwrap_or(best),
            Some((fitness, link)) if fitness == best_fitness => match self.better_than(link, now) {
                Some(better) => better,
                None => return,
            },
            _ => best,
        };
        if wanted.is_some() {
            self.wanted = None;
        }
        if self.current == Some(chosen) {
            return;
        }
        if self.current.is_some() {
            self.counters.moves += 1;
        }
        self.current = Some(chosen);
        self.current_since = now;
        if let Some(link) = self
            .servers
            .iter_mut()
            .find(|server| server.id == chosen)
            .and_then(Server::link_mut)
        {
            link.forget_defeats();
        }
        self.report(Notice::ReadsGoTo(chosen));
    }

    /// A good server worth an unforced move: this one loses too many reads to hedges, or is clearly farther away.
    fn better_than(&self, current: &Link, now: Instant) -> Option<ServerId> {
        if !current.is_good()
            || now.saturating_duration_since(self.current_since) < self.settings.dwell
        {
            return None;
        }
        self.servers
            .iter()
            .filter_map(|server| server.link().map(|link| (server.id, link)))
            .filter(|(_, link)| {
                link.is_good() && link.connection != current.connection && !link.is_beaten()
            })
            .find(|(_, link)| {
                let is_nearer = match (link.round_trips.distance(), current.round_trips.distance())
                {
                    (Some(there), Some(here)) => {
                        there + there / 3 + self.settings.rtt_margin < here
                    }
                    _ => false,
                };
                current.is_beaten() || is_nearer
            })
            .map(|(id, _)| id)
    }

    fn link_of(&self, id: ServerId) -> Option<&Link> {
        self.servers.iter().find(|server| server.id == id)?.link()
    }
}
