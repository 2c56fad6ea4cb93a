//! A client and a server, and what fails a test.

use crate::support::{Hooks, Reverse, SECOND, panic_message};
use ropewalk::{Context, Reason};
use ropewalk_protocols::{Echo, LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::kit::{Side, TestConnection, TestPair};
use std::time::Duration;

#[test]
fn the_transcript_has_all_data_with_times() {
    struct Client;
    impl LineHandler for Client {
        type Line = str;
        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            lines.send_line("drawer");
            lines.send_line("live");
            let id = lines.id();
            lines
                .context()
                .call_later(SECOND / 2, move |context| context.transport(id).write(b"by"));
            lines
                .context()
                .call_later(SECOND, move |context| context.transport(id).write(b"e\r\n"));
        }
        fn line_received(&mut self, _lines: &mut LineTransport<'_>, _line: &str) {}
    }
    let mut pair = TestPair::new(|| LineReceiver::new(Reverse), || LineReceiver::new(Client));
    let before = "client: drawer\\nlive\\n\nserver: reward\\nevil\\n\n";
    assert_eq!(pair.transcript().to_string(), before);
    pair.advance(SECOND);
    let after = "client: by\nclient: e\\r\\n\nserver: eyb\\n\n";
    assert_eq!(pair.transcript().to_string(), format!("{before}{after}"));
    assert_eq!(pair.transcript().text_of(Side::Client), "drawer\nlive\nbye\r\n");
    let times: Vec<Duration> = pair.transcript().iter().map(|entry| entry.at).collect();
    assert_eq!(times, [Duration::ZERO, Duration::ZERO, SECOND / 2, SECOND, SECOND]);
    assert_eq!(pair.now(), SECOND);
    assert!(matches!(pair.reason(Side::Server), Some(Reason::Closed)));
    assert!(matches!(pair.reason(Side::Client), Some(Reason::ClosedByPeer)));
    assert_eq!(pair.callbacks(Side::Client)[..2], ["build", "connection_made"]);
}

#[test]
fn any_panic_fails_the_test() {
    let mut connection =
        TestConnection::new(|| Hooks::data(|_, data| assert_eq!(data, b"good", "bad data")));
    connection.feed("good");
    assert!(panic_message(|| connection.feed("bad")).contains("bad data"));
    assert!(matches!(connection.reason(), Some(Reason::Panicked)));
    connection.settle(); // The panic is raised once.

    let made = || Hooks::made(|_, ()| panic!("at once"));
    assert_eq!(panic_message(|| TestConnection::new(made)), "at once");
    assert_eq!(panic_message(|| TestConnection::connecting(made)), "at once");
    assert_eq!(panic_message(|| TestPair::new(|| Echo, made)), "at once");
    let build = || -> Echo { panic!("in build") };
    assert_eq!(panic_message(|| TestConnection::new(build)), "in build");

    let mut connection = TestConnection::new(|| Echo);
    connection.call(|context| _ = context.call_later(SECOND, |_| panic!("of a timer")));
    let message = panic_message(|| connection.advance(SECOND));
    assert!(message.contains("panic in timer") && message.ends_with("of a timer"), "{message}");
    connection.advance(SECOND);
}

#[test]
fn endless_events_fail_the_test() {
    fn again(context: &mut Context) {
        context.call_later(Duration::ZERO, again);
    }
    let mut connection = TestConnection::new(|| Echo);
    let message = panic_message(|| connection.call(again));
    assert!(message.contains("events never end"), "{message}");
}

#[test]
fn settle_makes_calls_from_other_threads() {
    let mut connection = TestConnection::new(|| Echo);
    let id = connection.id();
    let handle = connection.call(|context| context.handle());
    let worker =
        move || handle.call(move |context| context.transport(id).write(b"from a thread")).is_ok();
    assert!(std::thread::spawn(worker).join().unwrap());
    connection.settle();
    assert_eq!(connection.take(), b"from a thread");
}
