//! Streams through a cipher: writes, ends, pauses, producers and files.

use super::*;
use ropewalk::{FileSender, Producer, SlowReader};
use std::fs::File;
use std::io::Write;

#[test]
fn echo_through_a_cipher_returns_every_byte() {
    let mut scene = Scene::ciphered(echo);
    let data = pattern(1_000_000);
    let sent = data.clone();
    scene.connect(&ciphered(), on_made(move |transport| transport.write(&sent)));
    scene.turn_until("all is back", |scene| scene.client.data().len() == data.len());
    assert!(scene.client.data() == data);
    assert!(becomes_idle(&mut scene.reactor));
}

#[test]
fn small_writes_of_a_callback_share_one_piece() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(
        &ciphered(),
        on_made(|transport| {
            for _ in 0..100 {
                transport.write(b"line\n");
            }
        }),
    );
    scene.turn_until("all arrived", |scene| scene.server.data().len() == 500);
    let pieces = scene.server.count(|event| matches!(event, Event::Data(_)));
    assert_eq!(pieces, 1, "one frame, delivered at once");
}

#[test]
fn close_sends_queued_data_and_a_goodbye() {
    let mut scene = Scene::ciphered(only_record);
    let data = pattern(3_000_000);
    let sent = data.clone();
    scene.connect(
        &ciphered(),
        on_made(move |transport| {
            transport.write(&sent);
            transport.close();
        }),
    );
    let reasons = scene.reasons();
    assert_eq!(reasons, (vec!["ClosedByPeer".to_owned()], vec!["Closed".to_owned()]));
    assert!(scene.server.data() == data);
}

#[test]
fn end_without_goodbye_is_reported_as_truncated() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(&ciphered(), on_made(|transport| transport.write(b"half a mess")));
    scene.turn_until("it arrived", |scene| !scene.server.data().is_empty());
    // A client that completes the handshake, and then ends without a goodbye.
    let mut cut = Scene::ciphered(only_record);
    cut.connect(&ConnectOptions::new(), |transport, event| match event {
        Event::Made => transport.write(&hello()),
        Event::Data(_) => transport.write_eof(),
        _ => {}
    });
    cut.turn_until("it is lost", |cut| cut.server.lost() == 1);
    assert_eq!(cut.server.reasons(), ["Truncated"]);
    assert_eq!(cut.server.count(|event| *event == Event::Eof), 0, "it is no clean end");
}

/// The first message of a client.
pub(crate) fn hello() -> Vec<u8> {
    struct Capture;
    impl Protocol for Capture {
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let address = support::listen(&mut reactor, recorders(&log, only_record));
    ciphered().connect_tcp(reactor.context(), address, || Capture).unwrap();
    turn_until(&mut reactor, "the hello", |_| !log.data().is_empty());
    log.data()
}

#[test]
fn abort_drops_queued_data() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(
        &ciphered(),
        on_made(|transport| {
            transport.write(&pattern(5_000_000));
            transport.abort();
        }),
    );
    let (server, client) = scene.reasons();
    assert_eq!(client, ["Aborted"]);
    assert!(["Reset".to_owned(), "Truncated".to_owned()].contains(&server[0]), "{server:?}");
}

#[test]
fn half_close_ends_one_direction_only() {
    let mut scene = Scene::with(&listen(), true, |log, _| {
        Recorder::new(log, |transport, event| {
            if *event == Event::Eof {
                transport.write(&pattern(300_000));
                transport.close();
            }
        })
        .keeping_open()
    });
    scene.connect(
        &ciphered(),
        on_made(|transport| {
            transport.write(b"question");
            transport.write_eof();
        }),
    );
    scene.reasons();
    assert_eq!(scene.server.data(), b"question");
    assert!(scene.client.data() == pattern(300_000));
}

#[test]
fn pause_holds_plaintext_and_resume_delivers_it() {
    let mut scene = Scene::ciphered(on_made(|transport| transport.pause()));
    let data = pattern(2_000_000);
    let sent = data.clone();
    scene.connect(&ciphered(), on_made(move |transport| transport.write(&sent)));
    scene.turn_until("the server is made", |scene| scene.server.made() == 1);
    turns(&mut scene.reactor, 30);
    assert!(becomes_idle(&mut scene.reactor), "a pause does not spin");
    assert_eq!(scene.server.data().len(), 0);
    let id = scene.server.ids()[0];
    scene.reactor.context().transport(id).resume();
    scene.turn_until("all arrived", |scene| scene.server.data().len() == data.len());
    assert!(scene.server.data() == data);
}

#[test]
fn pause_in_mid_delivery_holds_the_rest() {
    let mut scene = Scene::ciphered(|transport, event| {
        if let Event::Data(_) = event {
            transport.pause();
        }
    });
    scene.connect(&ciphered(), on_made(|transport| transport.write(&pattern(20_000))));
    let mut before = 0;
    while before < 20_000 {
        scene.turn_until("some more arrives", |scene| scene.server.data().len() > before);
        before = scene.server.data().len();
        turns(&mut scene.reactor, 5);
        assert_eq!(scene.server.data().len(), before, "it is paused");
        let id = scene.server.ids()[0];
        scene.reactor.context().transport(id).resume();
    }
    assert!(scene.server.data() == pattern(20_000));
}

/// A pull producer of a number of pieces.
struct Pieces(usize);

impl Producer for Pieces {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        transport.write(&[b'p'; 10_000]);
        self.0 -= 1;
        if self.0 == 0 {
            transport.unregister_producer();
        }
    }
}

#[test]
fn pull_producer_is_asked_for_every_piece() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(
        &ciphered(),
        on_made(|transport| {
            transport.register_pull_producer(Pieces(100)).unwrap();
            transport.close();
        }),
    );
    scene.reasons();
    assert_eq!(scene.server.data().len(), 1_000_000);
}

#[test]
fn file_sender_sends_a_whole_file() {
    let path = std::env::temp_dir().join(format!("ropewalk-filters-{}", std::process::id()));
    File::create(&path).unwrap().write_all(&pattern(2_000_000)).unwrap();
    let mut scene = Scene::ciphered(only_record);
    let file = path.clone();
    scene.connect(
        &ciphered(),
        on_made(move |transport| {
            let sender = FileSender::new(File::open(&file).unwrap());
            transport.register_pull_producer(sender).unwrap();
            transport.close();
        }),
    );
    scene.reasons();
    std::fs::remove_file(path).unwrap();
    assert!(scene.server.data() == pattern(2_000_000));
}

#[test]
fn drop_oldest_drops_whole_pieces_only() {
    let options = listen().slow_reader(SlowReader::DropOldest(20_000));
    let mut scene = Scene::new(&options, only_record);
    scene.connect(&ciphered(), on_made(|transport| transport.pause()));
    scene.turn_until("both are made", |scene| scene.server.made() + scene.client.made() == 2);
    let id = scene.server.ids()[0];
    for number in 0..20_000_u32 {
        let mut piece = number.to_be_bytes().to_vec();
        piece.resize(1000, 0);
        scene.reactor.context().transport(id).write(&piece);
        if number.is_multiple_of(10) {
            turns(&mut scene.reactor, 1);
        }
    }
    let counts = scene.reactor.context().transport(id).counts();
    assert!(counts.dropped > 0, "{counts:?}");
    let client = scene.client.ids()[0];
    scene.reactor.context().transport(client).resume();
    scene.reactor.context().close(id);
    let (server, client) = scene.reasons();
    assert_eq!((server, client), (vec!["Closed".to_owned()], vec!["ClosedByPeer".to_owned()]));
    let numbers: Vec<u32> = scene
        .client
        .data()
        .chunks(1000)
        .map(|piece| u32::from_be_bytes(piece[..4].try_into().unwrap()))
        .collect();
    assert_eq!(scene.client.data().len() % 1000, 0);
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(numbers.last(), Some(&19_999));
}

#[cfg(unix)]
#[test]
fn detach_and_descriptors_are_refused() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(&ciphered(), only_record);
    scene.turn_until("both are made", |scene| scene.server.made() + scene.client.made() == 2);
    let id = scene.server.ids()[0];
    let error = scene.reactor.context().transport(id).detach().unwrap_err().to_string();
    assert!(error.contains("filter"), "{error}");
    let descriptor = File::open("/dev/null").unwrap();
    let passed = scene.reactor.context().transport(id).send_descriptors(b"x", [descriptor]);
    let error = passed.unwrap_err().to_string();
    assert!(error.contains("Unix") || error.contains("filter"), "{error}");
    assert_eq!(scene.server.lost(), 0);
}

#[test]
fn stop_says_goodbye_to_filtered_connections() {
    let mut scene = Scene::ciphered(only_record);
    scene.connect(&ciphered(), on_made(|transport| transport.write(&pattern(100_000))));
    scene.turn_until("it arrived", |scene| scene.server.data().len() == 100_000);
    scene.reactor.context().stop();
    scene.reactor.run().unwrap();
    assert_eq!(scene.server.reasons(), ["Stopped"]);
    assert_eq!(scene.client.reasons(), ["Stopped"]);
}

#[test]
fn broadcast_reaches_many_connections_in_one_turn() {
    let count = 300;
    let mut scene = Scene::ciphered(only_record);
    for _ in 0..count {
        scene.connect(&ciphered(), only_record);
        turns(&mut scene.reactor, 1);
    }
    scene.turn_until("all are made", |scene| scene.server.made() + scene.client.made() == 600);
    for id in scene.server.ids() {
        scene.reactor.context().transport(id).write(b"hello, all of you");
    }
    scene.reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    for id in scene.server.ids() {
        assert_eq!(scene.reactor.context().transport(id).write_buffer_size(), 0);
    }
    let all = count * b"hello, all of you".len();
    scene.turn_until("all arrived", |scene| scene.client.data().len() == all);
}

#[cfg(unix)]
#[test]
fn cipher_works_over_unix_sockets() {
    let path = std::env::temp_dir().join(format!("ropewalk-cipher-{}.sock", std::process::id()));
    let mut scene = Scene::ciphered(only_record);
    let server = recorders(&scene.server, echo);
    listen().listen_unix(scene.reactor.context(), path.as_path(), server).unwrap();
    let sent = pattern(300_000);
    let caller = Caller::new(
        &scene.client,
        &scene.failures,
        on_made(move |transport| transport.write(&sent)),
    );
    ciphered().connect_unix(scene.reactor.context(), path.as_path(), caller).unwrap();
    scene.turn_until("all is back", |scene| scene.client.data().len() == 300_000);
    assert!(scene.client.data() == pattern(300_000));
    let error = {
        let id = scene.client.ids()[0];
        let descriptor = File::open("/dev/null").unwrap();
        scene.reactor.context().transport(id).send_descriptors(b"x", [descriptor]).unwrap_err()
    };
    assert!(error.to_string().contains("filter"), "{error}");
}
