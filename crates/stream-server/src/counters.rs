//! What the server counts. Each reactor counts by itself, so that threads do not fight for a cache line; a reader adds up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nbd_proto::Command;

/// Upper bounds of the latency histogram's buckets, in microseconds; one more bucket holds what is longer.
pub const LATENCY_BUCKETS_MICROSECONDS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
const BUCKETS: usize = LATENCY_BUCKETS_MICROSECONDS.len() + 1;

/// Why a client did not get its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginRefusal {
    /// No export of that name, or not with that root.
    UnknownExport,
    /// No ticket where one is needed.
    NoTicket,
    /// A ticket that is no ticket, or is not the farm's.
    BadTicket,
    /// A ticket whose time is over.
    ExpiredTicket,
    /// A ticket for another export or purpose.
    WrongTicket,
    /// The server is draining or stopping.
    Draining,
    /// What came was not NBD, or broke its rules.
    Protocol,
    /// The handshake took too long.
    Timeout,
    /// Too many connections.
    TooMany,
}

macro_rules! counters {
    ($($(#[$documentation:meta])* $name:ident,)*) => {
        /// What one reactor counts.
        #[derive(Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: AtomicU64,)*
            pub(crate) latency: [AtomicU64; BUCKETS],
        }

        /// What the server has counted since its start.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$documentation])* pub $name: u64,)*
            /// Sessions at this moment.
            pub sessions: u64,
            /// The most handshakes that have been under way at once.
            pub most_handshakes: u64,
            /// Answered requests by how long they took, from receipt to the last byte given to the socket: one bucket for
            /// each bound in [`LATENCY_BUCKETS_MICROSECONDS`] and one for longer ones.
            pub latency: [u64; BUCKETS],
        }

        impl Counters {
            /// Every count but the histogram's with its name, for those who pass them on.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)* ("sessions", self.sessions), ("most_handshakes", self.most_handshakes)]
            }

            pub(crate) fn add(&mut self, tally: &Tally) {
                $(self.$name += tally.$name.load(Ordering::Relaxed);)*
                for (sum, count) in self.latency.iter_mut().zip(&tally.latency) {
                    *sum += count.load(Ordering::Relaxed);
                }
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Handshakes that waited for their turn.
    waited_handshakes,
    /// Logins granted.
    logins,
    /// Logins refused: no such export.
    refused_unknown_export,
    /// Logins refused: no ticket.
    refused_no_ticket,
    /// Logins refused: a forged or malformed ticket.
    refused_bad_ticket,
    /// Logins refused: an expired ticket.
    refused_expired_ticket,
    /// Logins refused: a ticket for something else.
    refused_wrong_ticket,
    /// Logins refused: draining or stopping.
    refused_draining,
    /// Connections closed in the handshake for breaking the protocol.
    refused_protocol,
    /// Connections closed because the handshake took too long.
    refused_timeout,
    /// Connections closed because there were too many.
    refused_too_many,
    /// Connections closed in the transmission for breaking the protocol.
    protocol_errors,
    /// Connections closed because the client took nothing for too long.
    stalled,
    /// Connections that were lost without a farewell.
    lost,
    /// Bytes of exports sent.
    bytes,
    /// READ requests.
    reads,
    /// `BLOCK_STATUS` requests.
    block_statuses,
    /// CACHE requests.
    caches,
    /// FLUSH requests.
    flushes,
    /// WRITE requests.
    writes,
    /// Bytes of disks written.
    written_bytes,
    /// TRIM requests.
    trims,
    /// `WRITE_ZEROES` requests.
    zeroings,
    /// Requests that found no space.
    no_space,
    /// Connections to disks that ended because the device came again.
    taken_over,
    /// Requests with an unknown command.
    unknown_commands,
    /// Requests answered with an error that the client made.
    refused_requests,
    /// Requests that failed because bytes could not be had.
    failed_requests,
    /// Reads answered at once from verified chunks in the page cache.
    ready_reads,
    /// Reads that waited for a chunk to be verified, fetched or read from a disk.
    made_ready_reads,
}

pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn count_command(&self, command: Command) {
        let counter = match command {
            // A farewell asks for nothing; sessions that end without one are counted.
            Command::Disconnect => return,
            Command::Read => &self.reads,
            Command::BlockStatus => &self.block_statuses,
            Command::Cache => &self.caches,
            Command::Flush => &self.flushes,
            Command::Write => &self.writes,
            Command::Trim => &self.trims,
            Command::WriteZeroes => &self.zeroings,
            _ => &self.unknown_commands,
        };
        add(counter, 1);
    }

    pub(crate) fn count_refusal(&self, refusal: LoginRefusal) {
        let counter = match refusal {
            LoginRefusal::UnknownExport => &self.refused_unknown_export,
            LoginRefusal::NoTicket => &self.refused_no_ticket,
            LoginRefusal::BadTicket => &self.refused_bad_ticket,
            LoginRefusal::ExpiredTicket => &self.refused_expired_ticket,
            LoginRefusal::WrongTicket => &self.refused_wrong_ticket,
            LoginRefusal::Draining => &self.refused_draining,
            LoginRefusal::Protocol => &self.refused_protocol,
            LoginRefusal::Timeout => &self.refused_timeout,
            LoginRefusal::TooMany => &self.refused_too_many,
        };
        add(counter, 1);
    }

    /// Notes `requests` that all took `duration`.
    pub(crate) fn record_latency(&self, duration: Duration, requests: u64) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BUCKETS_MICROSECONDS.partition_point(|bound| *bound < microseconds);
        if let Some(counter) = self.latency.get(bucket) {
            add(counter, requests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farewell_is_no_unknown_command() {
        let tally = Tally::default();
        tally.count_command(Command::Disconnect);
        tally.count_command(Command::Unknown(99));
        let mut counters = Counters::default();
        counters.add(&tally);
        assert_eq!(counters.unknown_commands, 1);
    }

    #[test]
    fn a_latency_falls_into_the_first_bucket_that_holds_it() {
        let tally = Tally::default();
        for (microseconds, requests) in [(0, 1), (50, 1), (51, 1), (10_000_000, 4), (10_000_001, 8)]
        {
            tally.record_latency(Duration::from_micros(microseconds), requests);
        }
        let mut counters = Counters::default();
        counters.add(&tally);
        assert_eq!(counters.latency[..2], [2, 1]);
        assert_eq!(counters.latency[16..], [4, 8]);
    }
}
