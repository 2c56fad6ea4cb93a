//! What is shown of a reactor between two steps.

use ropewalk::{Id, Reactor, TimerId};
use std::fmt::Write;

/// The most connections and timers that are listed.
const MOST: usize = 12;

/// Returns the connections, the queues and the timers as text.
pub(crate) fn screen(reactor: &mut Reactor) -> String {
    let mut text = String::new();
    connections(reactor, &mut text);
    let queues = reactor.queues();
    let _ = writeln!(
        text,
        "queues       ready: {}; to flush: {}; held callbacks: {}; calls: {}",
        list(&queues.ready),
        list(&queues.unflushed),
        queues.held,
        queues.calls
    );
    timers(reactor, &mut text);
    text
}

fn connections(reactor: &mut Reactor, text: &mut String) {
    let context = reactor.context();
    let ids: Vec<Id> = context.connections().collect();
    if ids.is_empty() {
        text.push_str("connections  none\n");
    }
    for &id in ids.iter().take(MOST) {
        let transport = context.transport(id);
        let counts = transport.counts();
        let state = match (transport.is_closing(), transport.is_paused()) {
            (true, _) => "closing",
            (false, true) => "paused",
            (false, false) => "open",
        };
        let _ = writeln!(
            text,
            "connection   {:<8} {:<21} {state:<8} received {}, sent {}, queued {}",
            id.to_string(),
            transport.peer().to_string(),
            counts.received,
            counts.sent,
            counts.queued
        );
    }
    if ids.len() > MOST {
        let _ = writeln!(text, "             and {} more", ids.len() - MOST);
    }
}

fn timers(reactor: &mut Reactor, text: &mut String) {
    let context = reactor.context();
    let (now, all) = (context.now(), TimerId::all(context));
    if all.is_empty() {
        text.push_str("timers       none\n");
    }
    for (timer, due) in all.iter().take(MOST) {
        let left = due.saturating_duration_since(now);
        let _ = writeln!(text, "{timer:<12} due in {left:.1?}");
    }
}

fn list(ids: &[Id]) -> String {
    match ids {
        [] => "none".to_owned(),
        ids => ids.iter().map(Id::to_string).collect::<Vec<_>>().join(" "),
    }
}
