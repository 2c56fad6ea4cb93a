//! Connections over Unix sockets.

use crate::datagrams;
use crate::support::*;
use crate::unix::*;
use ropewalk::{Address, Context, Error, Id, Protocol, Reactor, Transport, UnixAddress};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::rc::Rc;
#[cfg(feature = "signals")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[test]
fn echo_over_a_path_calls_every_callback() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, recorders(&log, echo)).unwrap();
    assert_eq!(port.address(), &Address::from(UnixAddress::from(&path)));
    let client = unix_client(&path);
    (&client).write_all(b"hello").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let mut answer = String::new();
    (&client).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello");
    assert_eq!((log.data(), log.reasons()), (b"hello".to_vec(), vec!["ClosedByPeer".to_owned()]));
    log.check(true);
}

#[test]
fn large_echo_keeps_its_order() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let mut client = unix_client(&path);
    client.set_nonblocking(true).unwrap();
    let data = pattern(MUCH);
    let (mut sent, mut got, mut buffer) = (0, Vec::new(), vec![0; 65_536]);
    turn_until(&mut reactor, "all data", |_| {
        while let Ok(count) = client.write(&data[sent..])
            && count > 0
        {
            sent += count;
        }
        while let Ok(count) = client.read(&mut buffer) {
            assert!(count > 0, "the end came after {}", got.len());
            got.extend_from_slice(&buffer[..count]);
        }
        got.len() == data.len()
    });
    assert!(got == data);
}

#[test]
fn client_and_server_know_their_addresses() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let peers = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&peers);
    let caller = Caller::new(&log, &failures, move |transport, event| {
        if *event == Event::Made {
            noted.borrow_mut().push((transport.peer(), transport.local_address()));
        } else if let Event::Data(_) = event {
            transport.close();
        }
    });
    let id = reactor.connect_unix(&path, caller).unwrap();
    reactor.context().transport(id).write(b"written early");
    assert_eq!(log.made(), 0, "a callback within the call");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"written early");
    assert_eq!(log.ids(), [id]);
    let unnamed = Address::from(UnixAddress::unnamed());
    assert_eq!(peers.borrow()[..], [(UnixAddress::from(&path).into(), unnamed)]);
    log.check(true);
}

#[test]
fn idle_connection_and_listener_do_not_spin() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let _client = unix_client(&path);
    assert!(is_echoed(&mut reactor, &path));
    assert!(becomes_idle(&mut reactor));
}

#[test]
fn write_to_closed_peer_ends_the_connection() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("talk.sock");
    let mut reactor = up_unix(&path, recorders(&log, only_record));
    drop(unix_client(&path));
    let client = unix_client(&path);
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    let id = log.ids()[1];
    drop(client);
    reactor.context().transport(id).write(b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 2);
    log.check(true);
}

/// Rust programs ignore SIGPIPE, but the library may be part of another program, which it would
/// kill.
#[cfg(feature = "signals")]
#[test]
fn write_to_closed_peer_raises_no_signal() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let raised = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, raised.clone()).unwrap();
    let writes: [fn(&mut Context, Id); 3] = [
        |context, id| context.transport(id).write(b"too late"),
        |context, id| (0..100).for_each(|_| context.transport(id).write(&[b'x'; 5_000])), // several chunks
        |context, id| {
            let null = fs::File::open("/dev/null").unwrap();
            context.transport(id).send_descriptors(b"too late", [null]).unwrap();
        },
    ];
    for write in writes {
        let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
        let (ours, theirs) = UnixStream::pair().unwrap();
        let recorder = Recorder::new(&log, only_record);
        let id = reactor.context().adopt_connection(ours, recorder).unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        drop(theirs);
        write(reactor.context(), id);
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["Reset"], "the write failed");
    }
    assert!(!raised.load(Ordering::Relaxed));
}

#[test]
fn closed_peer_is_noticed_while_paused() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("paused.sock");
    let pause = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let mut reactor = up_unix(&path, recorders(&log, pause));
    let client = unix_client(&path);
    (&client).write_all(b"final data").unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(becomes_idle(&mut reactor));
    assert_eq!(log.lost(), 0);
    reactor.context().transport(log.ids()[0]).resume();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"final data");
    log.check(true);
}

#[test]
fn stop_refuses_new_sockets_and_removes_files() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let other = folder.path("other.sock");
    let errors: [Error; 2] = in_shutdown(&mut reactor, move |context| {
        let connected = context.connect_unix(&other, || Echo).map(drop);
        let listening = context.listen_unix(&other, || Echo).map(drop);
        [connected, listening].map(Result::unwrap_err)
    });
    assert!(errors.iter().all(|error| error.to_string().contains("is stopping")));
    assert_eq!(folder.contents(), [""; 0]);
}

#[test]
fn pause_writing_is_called_over_unix_sockets() {
    /// Writes until `pause_writing`.
    struct Writing(Rc<Cell<bool>>);
    impl Protocol for Writing {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            transport.write(&pattern(MUCH));
        }
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
        fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
            self.0.set(true);
        }
        fn resume_writing(&mut self, transport: &mut Transport<'_>) {
            transport.close();
        }
    }
    let folder = Folder::new();
    let path = folder.path("talk.sock");
    let paused = Rc::new(Cell::new(false));
    let noted = Rc::clone(&paused);
    let mut reactor = up_unix(&path, move || Writing(Rc::clone(&noted)));
    let client = unix_client(&path);
    turn_until(&mut reactor, "paused", |_| paused.get());
    client.set_nonblocking(true).unwrap();
    let (mut got, mut end) = (Vec::new(), false);
    turn_until(&mut reactor, "all data and the end", |_| {
        let mut buffer = [0; 65_536];
        while let Ok(count) = (&client).read(&mut buffer) {
            end = count == 0;
            if end {
                break;
            }
            got.extend_from_slice(&buffer[..count]);
        }
        end
    });
    assert!(got == pattern(MUCH));
}

#[test]
fn requests_on_listener_or_closed_socket_do_nothing() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, || Echo).unwrap();
    let try_all = |context: &mut Context, id: Id| {
        context.transport(id).write(b"nothing");
        context.transport(id).pause();
        #[cfg(feature = "credentials")]
        assert_eq!(context.transport(id).peer_credentials(), None);
        let file = fs::File::open("/dev/null").unwrap();
        context.transport(id).send_descriptors(b"x", [file]).unwrap();
    };
    try_all(reactor.context(), port.id());
    reactor.context().close(port.id());
    try_all(reactor.context(), port.id());
    turns(&mut reactor, 2);
}

#[test]
fn unix_sockets_can_be_detached_and_adopted() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("handed.sock");
    let mut first = Reactor::new().unwrap();
    let port = first.listen_unix(&path, || Echo).unwrap();
    let listener = first.context().detach_listener(port.id()).expect("a listener");
    drop(first);
    assert!(path.exists(), "the file was removed");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(listener, || Echo).unwrap();
    assert_eq!(port.address().unix(), Some(&UnixAddress::from(&path)));
    assert!(is_echoed(&mut reactor, &path));

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let id = reactor.context().adopt_connection(ours, Recorder::new(&log, echo)).unwrap();
    theirs.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "received", |_| log.data() == b"hello");
    // Queued descriptors cannot be detached with the bytes.
    theirs.set_nonblocking(true).unwrap();
    reactor.context().transport(id).write(&pattern(MUCH));
    reactor
        .context()
        .transport(id)
        .send_descriptors(b"x", [fs::File::open("/dev/null").unwrap()])
        .unwrap();
    turns(&mut reactor, 2);
    let error = reactor.context().transport(id).detach().unwrap_err();
    assert!(error.to_string().contains("descriptors are queued"), "{error}");
    turn_until(&mut reactor, "all sent", |reactor| {
        let _ = theirs.read(&mut vec![0; 1_000_000]);
        reactor.context().transport(id).write_buffer_size() == 0
    });
    let detached = reactor.context().transport(id).detach().unwrap();
    assert_eq!(detached.peer.unix(), Some(&UnixAddress::unnamed()));

    let name = folder.path("datagram");
    let socket = UnixDatagram::bind(&name).unwrap();
    let events = datagrams::DatagramLog::default();
    let recorder = datagrams::DatagramRecorder::quiet(&events);
    let options = ropewalk::DatagramOptions::new();
    options.adopt_datagram(reactor.context(), socket, recorder).unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"hello", &name).unwrap();
    turn_until(&mut reactor, "received", |_| events.data() == [b"hello"]);
}
