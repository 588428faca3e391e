//! Keeps apart what touches the same blocks, in the order in which it was asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use tokio::sync::Notify;

/// How a range is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Beside others that only look.
    Shared,
    Alone,
}

/// Those that use a range, and those that wait for one.
#[derive(Default)]
pub(crate) struct Ranges {
    tickets: RefCell<BTreeMap<u64, (Range<u64>, Use)>>,
    next: Cell<u64>,
    changed: Notify,
}

impl Ranges {
    /// Waits until nobody who came before is in the way.
    pub(crate) async fn hold(&self, range: Range<u64>, usage: Use) -> Held<'_> {
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        self.tickets.borrow_mut().insert(ticket, (range, usage));
        let held = Held {
            ranges: self,
            ticket,
        };
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_free(ticket) {
                return held;
            }
            changed.await;
        }
    }

    fn is_free(&self, ticket: u64) -> bool {
        let tickets = self.tickets.borrow();
        let Some((range, usage)) = tickets.get(&ticket) else {
            return true;
        };
        tickets.range(..ticket).all(|(_, (other, others))| {
            let is_apart = other.end <= range.start || range.end <= other.start;
            is_apart || (*usage == Use::Shared && *others == Use::Shared)
        })
    }
}

/// Makes way for others when it is dropped.
pub(crate) struct Held<'a> {
    ranges: &'a Ranges,
    ticket: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.ranges.tickets.borrow_mut().remove(&self.ticket);
        self.ranges.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Holding<'a> = Pin<Box<dyn Future<Output = Held<'a>> + 'a>>;

    fn look<'a>(future: &mut Holding<'a>) -> Option<Held<'a>> {
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(held) => Some(held),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_comes_later_waits_for_who_is_in_the_way_and_for_no_other() {
        let ranges = Ranges::default();
        let mut asked: Vec<Holding<'_>> = vec![
            Box::pin(ranges.hold(0..4, Use::Shared)),
            Box::pin(ranges.hold(2..6, Use::Shared)),
            Box::pin(ranges.hold(3..5, Use::Alone)),
            Box::pin(ranges.hold(4..5, Use::Shared)),
            Box::pin(ranges.hold(6..9, Use::Alone)),
        ];
        let mut held: Vec<_> = asked.iter_mut().map(look).collect();
        let has: Vec<_> = held.iter().map(Option::is_some).collect();
        assert_eq!(has, [true, true, false, false, true]);
        held[0] = None;
        assert!(look(&mut asked[2]).is_none(), "the second one still reads");
        held[1] = None;
        let alone = look(&mut asked[2]);
        assert!(alone.is_some() && look(&mut asked[3]).is_none());
        drop(alone);
        assert!(look(&mut asked[3]).is_some());
    }

    #[test]
    fn who_does_not_wait_any_longer_is_in_nobody_s_way() {
        let ranges = Ranges::default();
        let mut first: Holding<'_> = Box::pin(ranges.hold(0..4, Use::Alone));
        let _held = look(&mut first);
        let mut second: Holding<'_> = Box::pin(ranges.hold(2..8, Use::Alone));
        let mut third: Holding<'_> = Box::pin(ranges.hold(6..8, Use::Shared));
        assert!(look(&mut second).is_none() && look(&mut third).is_none());
        drop(second);
        assert!(look(&mut third).is_some());
    }
}
