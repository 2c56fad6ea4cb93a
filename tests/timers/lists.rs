//! Lists of timers.

use crate::support::*;
use ropewalk::{Reactor, TimerId};
use std::time::Duration;

#[test]
fn list_has_users_timers_in_order() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let address = reactor.listen_tcp("127.0.0.1:0", recorders(&log, only_record)).unwrap();
    let _client = client(address.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let context = reactor.context();
    let now = context.now();
    let second = context.call_at(now + Duration::from_secs(60), |_| {});
    let third = context.call_at(now + Duration::from_secs(60), |_| {});
    let first = context.set_timer(log.ids()[0], Duration::from_secs(1));
    let cancelled = context.call_later(Duration::from_secs(1), |_| {});
    context.cancel(cancelled);
    let listed =
        |context: &_| TimerId::all(context).into_iter().map(|(timer, _)| timer).collect::<Vec<_>>();
    assert_eq!(listed(context), [first, second, third]);
    assert_eq!(TimerId::all(context)[1].1, now + Duration::from_secs(60));
    assert_eq!(second.due(context), Some(now + Duration::from_secs(60)));
    assert_eq!(cancelled.due(context), None);
    // A reset gives a new place, behind equal ones.
    context.reset(second, Duration::from_secs(30));
    context.reset(second, third.due(context).unwrap() - context.now());
    assert_eq!(listed(context)[2], second);
    context.transport(log.ids()[0]).close();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(listed(reactor.context()), [third, second]);
}
