//! The testing kit: what a test says is heard, what it hears was said, and the clock is its own.

use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_protocols::{Delimiter, Echo, LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::kit::{
    Side, Split, TestConnection, TestPair, TestServer, assert_same_for_every_split, splits,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

type Hook<A> = Box<dyn FnMut(&mut Transport<'_>, A)>;

/// A protocol of closures, for what no protocol of ours does.
#[derive(Default)]
struct Scene {
    made: Option<Hook<()>>,
    data: Option<Hook<Vec<u8>>>,
    eof: Option<Hook<()>>,
}

impl Scene {
    fn made(act: impl FnMut(&mut Transport<'_>, ()) + 'static) -> Self {
        Self { made: Some(Box::new(act)), ..Self::default() }
    }

    fn data(act: impl FnMut(&mut Transport<'_>, Vec<u8>) + 'static) -> Self {
        Self { data: Some(Box::new(act)), ..Self::default() }
    }

    fn eof(act: impl FnMut(&mut Transport<'_>, ()) + 'static) -> Self {
        Self { eof: Some(Box::new(act)), ..Self::default() }
    }
}

impl Protocol for Scene {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        if let Some(act) = &mut self.made {
            act(transport, ());
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(act) = &mut self.data {
            act(transport, data.to_vec());
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        match &mut self.eof {
            Some(act) => act(transport, ()),
            None => transport.close(),
        }
    }
}

/// Reverses each line, and goes at "bye".
struct Reverse;

impl LineHandler for Reverse {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        lines.send_line(line.chars().rev().collect::<String>());
        if line == "bye" {
            lines.close();
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, _beginning: &str) {
        lines.send_line("too long");
    }
}

/// The message of a panic.
fn panic_of<R>(code: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).err().expect("a panic");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("with a message")
}

/// Notes each callback.
struct Witness(Rc<RefCell<Vec<&'static str>>>);

impl Protocol for Witness {
    fn connection_made(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("connection_made");
    }
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.borrow_mut().push("data_received");
        transport.pause();
        transport.write(data);
    }
    fn eof_noticed(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("eof_noticed");
    }
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("eof_received");
        transport.close();
    }
    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("pause_writing");
    }
    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("resume_writing");
    }
    fn reading_resumed(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("reading_resumed");
    }
    fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
        self.0.borrow_mut().push("connection_lost");
    }
}

#[test]
fn a_protocol_under_test_has_all_its_callbacks() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let noted = heard.clone();
    let mut connection = TestConnection::new(move || Witness(noted.clone()));
    let id = connection.id();
    connection.call(|context| context.set_write_buffer_limits(id, 5, 1));
    connection.stop_reading();
    connection.feed("long enough");
    connection.start_reading();
    connection.feed_eof();
    connection.call(|context| context.resume(id));
    let expected = [
        "connection_made",
        "data_received",
        "pause_writing",
        "resume_writing",
        "eof_noticed",
        "reading_resumed",
        "eof_received",
        "connection_lost",
    ];
    assert_eq!(*heard.borrow(), expected);
    assert_eq!(connection.callbacks()[1..], expected);
}

#[test]
fn what_is_fed_comes_in_one_piece_each_time() {
    let pieces = Rc::new(RefCell::new(Vec::new()));
    let noted = pieces.clone();
    let mut connection = TestConnection::new(move || {
        let noted = noted.clone();
        Scene::data(move |_, data| noted.borrow_mut().push(data.len()))
    });
    connection.feed("a");
    connection.feed([b'b'; 65_536]);
    connection.feed("");
    connection.feed_in(["cc", "", "ddd"]);
    assert_eq!(*pieces.borrow(), [1, 65_536, 2, 3]);
}

#[test]
fn what_was_written_is_seen_once_taken_and_any_time_before() {
    let mut connection = TestConnection::new(|| Echo);
    connection.feed("one");
    assert_eq!(connection.peek_text(), "one");
    connection.feed("two");
    assert_eq!(connection.peek(), b"onetwo");
    assert_eq!(connection.take_text(), "onetwo");
    assert_eq!(connection.take(), b"");
    assert_eq!(
        connection.callbacks(),
        ["build", "connection_made", "data_received", "data_received"]
    );
}

#[test]
fn megabytes_go_both_ways() {
    let mut connection = TestConnection::new(|| Echo);
    let much: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    connection.feed(&much);
    assert!(connection.take() == much);
}

#[test]
fn lines_are_the_same_in_every_split() {
    let input = b"drawer\r\nlive\n\r\nthis is too long for it\nbye\r\nnot heard\r\n";
    let answer = assert_same_for_every_split(input, |split| {
        let protocol = || LineReceiver::new(Reverse).max_length(12).delimiter(Delimiter::NEWLINE);
        let mut connection = TestConnection::new(protocol);
        connection.feed_in(split);
        (connection.take_text(), connection.reason().map(|reason| reason.to_string()))
    });
    let text = "reward\nevil\n\ntoo long\neyb\n".to_owned();
    assert_eq!(answer, (text, Some("closed by us".to_owned())));
}

#[test]
fn a_protocol_to_which_splits_matter_is_found_out() {
    let message = panic_of(|| {
        assert_same_for_every_split(b"abab", |split| {
            // It counts the pieces that hold "ba".
            split.pieces().filter(|piece| piece.windows(2).any(|pair| pair == b"ba")).count()
        })
    });
    assert!(message.contains("split: \"a\" | \"b\" | \"a\" | \"b\""), "{message}");
    assert!(message.contains("outcome: 0\nin one piece: 1"), "{message}");
}

#[test]
fn splits_are_whole_bytes_twos_pairs_and_random() {
    let input = b"0123456789";
    let all: Vec<Split<'_>> = splits(input).collect();
    assert_eq!(all.len(), 2 + 9 + 36 + 100);
    assert_eq!(all[0], Split::whole(input));
    assert_eq!(all[1].pieces().count(), 10);
    assert_eq!(all[2], Split::at(input, [1]));
    assert_eq!(all[11], Split::at(input, [1, 2]));
    assert_eq!(all[46], Split::at(input, [8, 9]));
    assert_eq!(all[50], Split::random(input, 3));
    for split in &all {
        assert_eq!(split.pieces().collect::<Vec<_>>().concat(), input);
        assert!(split.pieces().all(|piece| !piece.is_empty()));
    }
    let lengths: Vec<usize> = all[47..].iter().map(|split| split.pieces().count()).collect();
    assert!(lengths.contains(&1) && lengths.iter().any(|count| *count > 5), "{lengths:?}");

    assert_eq!(splits(b"").map(|split| split.pieces().count()).sum::<usize>(), 0);
    assert_eq!(splits(&[b'x'; 1000]).count(), 2 + 999 + 100);
    assert!(panic_of(|| Split::at(input, [10])).contains("no cuts"));
    assert!(panic_of(|| Split::at(input, [3, 3])).contains("no cuts"));
}

#[test]
fn time_passes_only_when_the_test_says_so() {
    let now = Rc::new(Cell::new(None::<Instant>));
    let noted = now.clone();
    let mut connection = TestConnection::new(move || {
        let noted = noted.clone();
        Scene::made(move |transport, ()| {
            let (noted, id) = (noted.clone(), transport.id());
            noted.set(Some(transport.context().now()));
            transport.context().call_later(60 * SECOND, move |context| {
                context.write(id, b"a minute");
                let since = context.now() - noted.get().unwrap();
                assert_eq!(since, 60 * SECOND);
                context.call_later(SECOND, move |context| context.close(id));
            });
        })
    });
    let begun = now.get().unwrap();
    assert_eq!(connection.call(|context| context.now()), begun);
    connection.feed("x");
    assert_eq!(connection.call(|context| context.now()), begun);
    connection.advance(60 * SECOND - Duration::from_nanos(1));
    assert_eq!(connection.take(), b"");
    connection.advance(Duration::from_nanos(1));
    assert_eq!(connection.take(), b"a minute");
    assert!(connection.reason().is_none());
    connection.advance(3600 * SECOND);
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
    assert_eq!(connection.call(|context| context.now()), begun + 3660 * SECOND);
}

#[test]
fn the_peer_hears_at_its_moment_what_a_long_wait_brings() {
    let ticking = || {
        Scene::made(|transport, ()| {
            fn tick(context: &mut Context, id: Id) {
                context.write(id, &[b'x'; 300_000]);
                context.call_later(SECOND, move |context| {
                    assert_eq!(context.write_buffer_size(id), 0, "the peer reads meanwhile");
                    tick(context, id);
                });
            }
            let id = transport.id();
            tick(transport.context(), id);
        })
    };
    let mut connection = TestConnection::new(ticking);
    connection.advance(10 * SECOND);
    assert_eq!(connection.take().len(), 11 * 300_000);
}

#[test]
fn a_peer_that_does_not_read_is_felt_and_one_that_reads_again_too() {
    let mut connection = TestConnection::new(|| {
        Scene::made(|transport, ()| transport.set_write_buffer_limits(10, 5))
    });
    let id = connection.id();
    connection.stop_reading();
    connection.call(|context| context.write(id, b"0123456789"));
    assert_eq!(connection.callbacks(), ["build", "connection_made"]);
    connection.call(|context| context.write(id, b"!"));
    assert_eq!(connection.callbacks(), ["build", "connection_made", "pause_writing"]);
    assert_eq!(connection.call(|context| context.write_buffer_size(id)), 11);
    assert_eq!(connection.take(), b"");
    connection.start_reading();
    assert_eq!(connection.take(), b"0123456789!");
    assert_eq!(connection.callbacks().last(), Some(&"resume_writing"));
    connection.stop_reading();
    connection.call(|context| {
        context.write(id, b"the rest");
        context.close(id);
    });
    assert!(connection.reason().is_none());
    connection.advance(61 * SECOND);
    assert!(matches!(connection.reason(), Some(Reason::CloseTimeout)));
}

#[test]
fn what_a_paused_protocol_does_not_read_waits_for_it() {
    let mut connection = TestConnection::new(|| Scene::made(|transport, ()| transport.pause()));
    let id = connection.id();
    assert!(connection.is_paused());
    connection.feed(vec![b'x'; 1_000_000]);
    connection.feed_eof();
    assert!(!connection.callbacks().contains(&"data_received"));
    connection.call(|context| context.resume(id));
    assert_eq!(connection.call(|context| context.statistics().received), 1_000_000);
    assert!(matches!(connection.reason(), Some(Reason::ClosedByPeer)));
}

#[test]
fn either_side_ends_before_the_other() {
    let mut connection = TestConnection::new(|| {
        Scene::eof(|transport, ()| {
            transport.write(b"after your end");
            let id = transport.id();
            transport.context().call_later(SECOND, move |context| context.close(id));
        })
    });
    connection.feed_eof();
    assert_eq!(connection.take(), b"after your end");
    assert!(connection.reason().is_none() && !connection.has_ended());
    connection.advance(SECOND);
    assert!(connection.has_ended() && !connection.was_reset());

    let mut connection = TestConnection::new(|| Scene::data(|transport, _| transport.write_eof()));
    connection.feed("x");
    assert!(connection.has_ended() && connection.reason().is_none());
    connection.feed("y");
    assert_eq!(connection.call(|context| context.statistics().received), 2);
    connection.feed_eof();
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
}

#[test]
fn an_abort_is_a_reset_and_a_close_is_not() {
    let abort = || {
        Scene::data(|transport, data| {
            transport.write(&data);
            if data == b"abort" { transport.abort() } else { transport.close() }
        })
    };
    let mut connection = TestConnection::new(abort);
    connection.feed("abort");
    assert!(matches!(connection.reason(), Some(Reason::Aborted)));
    assert!(connection.was_reset());
    assert_eq!(connection.take(), b"");

    let mut connection = TestConnection::new(abort);
    connection.feed("close");
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
    assert!(connection.has_ended() && !connection.was_reset());
    assert_eq!(connection.take(), b"close");
    connection.feed("never heard");
    assert_eq!(connection.callbacks().iter().filter(|name| **name == "data_received").count(), 1);
}

#[test]
fn a_peer_resets_or_hangs_up() {
    let mut connection = TestConnection::new(|| Echo);
    connection.reset();
    assert!(matches!(connection.reason(), Some(Reason::Reset)));

    let mut connection = TestConnection::new(|| Echo);
    connection.hang_up();
    assert!(matches!(connection.reason(), Some(Reason::ClosedByPeer)));

    let mut connection = TestConnection::new(|| Scene::eof(|_, ()| {}));
    let id = connection.id();
    connection.hang_up();
    assert!(connection.reason().is_none());
    connection.call(|context| context.write(id, b"nobody"));
    connection.call(|context| context.write(id, b"is there"));
    assert!(matches!(connection.reason(), Some(Reason::Reset)));
}

/// Notes whom it is asked for, and takes only those of one address.
struct Choosy(Rc<RefCell<Vec<Address>>>);

impl Factory for Choosy {
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        self.0.borrow_mut().push(peer.clone());
        (peer.port() != Some(1)).then(|| Box::new(Echo) as Box<dyn Protocol>)
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
        panic!("{error}");
    }
}

#[test]
fn the_peer_has_the_address_that_it_is_given() {
    let peers = Rc::default();
    let mut server = TestServer::new(Choosy(Rc::clone(&peers)));
    let given = ["203.0.113.9:50000", "[2001:db8::9]:50000", "127.0.0.1:50000", "10.0.0.1:2"];
    for address in given {
        let mut connection = server.connect_from(address);
        connection.feed("hello");
        assert_eq!(connection.take(), b"hello");
        let id = connection.id();
        let peer = connection.call(|context| context.peer(id));
        assert_eq!(peer.unwrap().to_string(), address);
    }
    assert!(server.connect_from("10.0.0.1:1").was_refused());
    let heard: Vec<String> = peers.borrow().iter().map(ToString::to_string).collect();
    assert_eq!(heard[..4], given);

    for address in ["203.0.113.9:80", "[2001:db8::9]:80", "127.0.0.1:80", "[::1]:80"] {
        let peers = Rc::default();
        let mut connection = TestConnection::connecting_to(address, Choosy(Rc::clone(&peers)));
        connection.feed("hello");
        assert_eq!(connection.take(), b"hello");
        assert_eq!(peers.borrow()[0].to_string(), address);
    }
    let mut connection = TestConnection::connecting_to("192.0.2.1:1", Choosy(Rc::default()));
    assert!(connection.was_refused() && connection.has_ended());
    connection.settle();
}

#[test]
fn clients_of_one_server_hear_each_other() {
    let mut server = TestServer::new(ropewalk_chat::Chat::new().factory());
    let mut people: Vec<TestConnection> = (0..5).map(|_| server.connect()).collect();
    for (person, name) in people.iter_mut().zip(["anna", "ben", "cora", "dan", "eve"]) {
        person.feed(format!("{name}\n"));
    }
    people.iter_mut().for_each(|person| drop(person.take()));
    people[2].feed("hello, all\n");
    for (number, person) in people.iter_mut().enumerate() {
        let heard = person.take_text();
        assert_eq!(heard, if number == 2 { "" } else { "<cora> hello, all\n" });
    }
    drop(people.pop());
    people[0].settle();
    assert_eq!(people[0].take_text(), "* eve left\n");
}

#[test]
fn a_client_and_a_server_talk_and_it_is_taken_down() {
    struct Client;
    impl LineHandler for Client {
        type Line = str;
        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            lines.send_line("drawer");
            lines.send_line("live");
            let id = lines.id();
            lines.context().call_later(SECOND / 2, move |context| context.write(id, b"by"));
            lines.context().call_later(SECOND, move |context| context.write(id, b"e\r\n"));
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
    let times: Vec<Duration> = pair.transcript().iter().map(|said| said.at).collect();
    assert_eq!(times, [Duration::ZERO, Duration::ZERO, SECOND / 2, SECOND, SECOND]);
    assert_eq!(pair.now(), SECOND);
    assert!(matches!(pair.reason(Side::Server), Some(Reason::Closed)));
    assert!(matches!(pair.reason(Side::Client), Some(Reason::ClosedByPeer)));
    assert_eq!(pair.callbacks(Side::Client)[..2], ["build", "connection_made"]);
}

#[test]
fn a_panic_wherever_it_is_fails_the_test() {
    let mut connection =
        TestConnection::new(|| Scene::data(|_, data| assert_eq!(data, b"good", "bad data")));
    connection.feed("good");
    assert!(panic_of(|| connection.feed("bad")).contains("bad data"));
    assert!(matches!(connection.reason(), Some(Reason::Panicked)));
    connection.settle(); // It is told once.

    let made = || Scene::made(|_, ()| panic!("at once"));
    assert_eq!(panic_of(|| TestConnection::new(made)), "at once");
    assert_eq!(panic_of(|| TestConnection::connecting(made)), "at once");
    assert_eq!(panic_of(|| TestPair::new(|| Echo, made)), "at once");
    let build = || -> Echo { panic!("in build") };
    assert_eq!(panic_of(|| TestConnection::new(build)), "in build");

    let mut connection = TestConnection::new(|| Echo);
    connection.call(|context| _ = context.call_later(SECOND, |_| panic!("of a timer")));
    let message = panic_of(|| connection.advance(SECOND));
    assert!(message.contains("panic in timer") && message.ends_with("of a timer"), "{message}");
    connection.advance(SECOND);
}

#[test]
fn one_who_never_comes_to_rest_is_stopped() {
    fn again(context: &mut Context) {
        context.call_later(Duration::ZERO, again);
    }
    let mut connection = TestConnection::new(|| Echo);
    let message = panic_of(|| connection.call(again));
    assert!(message.contains("never comes to rest"), "{message}");
}

#[test]
fn a_call_from_a_thread_is_made_when_the_test_settles() {
    let mut connection = TestConnection::new(|| Echo);
    let id = connection.id();
    let handle = connection.call(|context| context.handle());
    let worker = move || handle.call(move |context| context.write(id, b"from a thread")).is_ok();
    assert!(std::thread::spawn(worker).join().unwrap());
    connection.settle();
    assert_eq!(connection.take(), b"from a thread");
}
