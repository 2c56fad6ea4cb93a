//! Unix sockets: names, files, and connections over them.

#![cfg(unix)]

#[path = "support/datagrams.rs"]
mod datagrams;
mod support;
#[path = "support/unix.rs"]
mod unix;

use ropewalk::{
    Address, Context, Error, Id, Protocol, Reactor, Transport, UnixAddress, UnixConnectOptions,
    UnixListenOptions,
};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
#[cfg(feature = "signals")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};
use support::*;
use unix::*;

#[test]
fn an_echo_over_a_path_is_told_like_any_other() {
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
fn much_goes_to_and_fro_over_a_unix_socket_in_order() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let mut client = unix_client(&path);
    client.set_nonblocking(true).unwrap();
    let data = pattern(MUCH);
    let (mut sent, mut got, mut buffer) = (0, Vec::new(), vec![0; 65_536]);
    turn_until(&mut reactor, "all of it", |_| {
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
fn a_client_hears_of_its_connection_and_both_know_their_names() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let peers = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&peers);
    let caller = Caller::new(&log, &failures, move |transport, event| {
        if *event == Event::Made {
            told.borrow_mut().push((transport.peer(), transport.local_address()));
        } else if let Event::Data(_) = event {
            transport.close();
        }
    });
    let id = reactor.connect_unix(&path, caller).unwrap();
    reactor.context().write(id, b"written before it was there");
    assert_eq!(log.made(), 0, "nothing is told within the call");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"written before it was there");
    assert_eq!(log.ids(), [id]);
    let unnamed = Some(Address::from(UnixAddress::unnamed()));
    assert_eq!(peers.borrow()[..], [(UnixAddress::from(&path).into(), unnamed)]);
    log.check(true);
}

#[test]
fn an_idle_unix_connection_and_its_listener_let_the_reactor_rest() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let _client = unix_client(&path);
    assert!(is_echoed(&mut reactor, &path));
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn a_peer_that_is_gone_is_noticed_while_writing_and_no_signal_kills() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("talk.sock");
    let mut reactor = up_unix(&path, recorders(&log, only_record));
    drop(unix_client(&path));
    let client = unix_client(&path);
    turn_until(&mut reactor, "both", |_| log.made() == 2);
    let id = log.ids()[1];
    drop(client);
    reactor.context().write(id, b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 2);
    log.check(true);
}

/// The signal that writing to nobody raises is ignored by Rust's programs; ours may be part of another,
/// where it kills.
#[cfg(feature = "signals")]
#[test]
fn writing_to_a_peer_that_is_gone_raises_no_signal() {
    if !is_child() {
        in_child("writing_to_a_peer_that_is_gone_raises_no_signal", &[]);
        return;
    }
    let raised = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, raised.clone()).unwrap();
    let writes: [fn(&mut Context, Id); 3] = [
        |context, id| context.write(id, b"too late"),
        |context, id| (0..100).for_each(|_| context.write(id, &[b'x'; 5_000])), // several pieces
        |context, id| {
            let null = fs::File::open("/dev/null").unwrap();
            context.send_descriptors(id, b"too late", [null]).unwrap();
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
        assert_eq!(log.reasons(), ["Reset"], "it was written");
    }
    assert!(!raised.load(Ordering::Relaxed));
}

#[test]
fn a_peer_that_is_gone_while_reading_is_paused_is_noticed_and_nothing_spins() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("paused.sock");
    let pause = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let mut reactor = up_unix(&path, recorders(&log, pause));
    let client = unix_client(&path);
    (&client).write_all(b"last words").unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(log.lost(), 0);
    reactor.context().resume(log.ids()[0]);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"last words");
    log.check(true);
}

#[test]
fn the_file_goes_when_the_listener_stops_and_its_connections_stay() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, recorders(&log, echo)).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    reactor.context().close(port.id());
    assert!(!path.exists());
    (&client).write_all(b"still there").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"still there");
    // Its name is free, though a connection that was made by it lives.
    reactor.listen_unix(&path, || Echo).unwrap();
    drop(reactor);
    assert_eq!(folder.contents(), [""; 0], "a reactor that is dropped leaves nothing");
}

#[test]
fn a_file_is_kept_where_that_is_asked_for() {
    let folder = Folder::new();
    let path = folder.path("kept.sock");
    let mut reactor = Reactor::new().unwrap();
    let options = UnixListenOptions::new().keep_file(true);
    let port = reactor.context().listen_unix_with(&path, &options, || Echo).unwrap();
    reactor.context().close(port.id());
    assert!(path.exists());
}

#[test]
fn what_another_has_put_in_the_place_of_a_listeners_file_is_left_alone() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, || Echo).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    reactor.context().close(port.id());
    assert!(path.exists(), "it is the other's");
}

#[test]
fn a_file_that_was_left_behind_is_replaced() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
    assert_eq!(folder.contents(), ["echo.sock"], "no lock is left");
}

#[test]
fn what_a_killed_process_has_left_behind_is_replaced_though_its_lock_is_there() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    fs::write(folder.path("echo.sock.ropewalk-lock"), "").unwrap();
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
}

/// PostgreSQL has a file beside each of its sockets, and finds by it who has the port.
#[test]
fn the_lock_file_of_another_program_is_left_alone() {
    let folder = Folder::new();
    let [path, lock] = [".s.PGSQL.5432", ".s.PGSQL.5432.lock"].map(|name| folder.path(name));
    leave_behind(&path);
    let theirs = fs::File::create(&lock).unwrap();
    rustix::fs::flock(&theirs, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::write(&lock, "4711\n").unwrap();
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
    drop(reactor);
    assert_eq!(folder.contents(), [".s.PGSQL.5432.lock"]);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "4711\n");
}

#[test]
fn the_name_of_a_listener_that_lives_is_refused_and_the_listener_does_not_notice() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, recorders(&log, echo));
    let error = listen_error(&path);
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let expected = format!("cannot listen on {}: address already in use", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    turns(&mut reactor, 3);
    assert_eq!(log.made(), 0, "it was not even connected to");
    assert!(is_echoed(&mut reactor, &path));
    assert_eq!(folder.contents(), ["echo.sock"]);
}

#[test]
fn a_socket_that_does_not_listen_yet_and_one_for_datagrams_have_their_names() {
    let folder = Folder::new();
    let (bound, datagram) = (folder.path("bound"), folder.path("datagram"));
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&bound).unwrap()).unwrap();
    let _receiver = UnixDatagram::bind(&datagram).unwrap();
    for path in [&bound, &datagram] {
        assert_eq!(listen_error(path).kind(), ErrorKind::AddrInUse);
        assert!(path.exists());
    }
}

#[test]
fn a_file_that_is_not_a_socket_is_never_removed() {
    let folder = Folder::new();
    let (file, directory, link) = (folder.path("file"), folder.path("dir"), folder.path("link"));
    fs::write(&file, "precious").unwrap();
    fs::create_dir(&directory).unwrap();
    let stale = folder.path("stale");
    leave_behind(&stale);
    std::os::unix::fs::symlink(&stale, &link).unwrap();
    for path in [&file, &directory, &link] {
        let error = listen_error(path);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert!(error.to_string().contains("not a socket"), "{error}");
        assert!(error.to_string().contains("left alone"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(folder.contents(), ["dir", "file", "link", "stale"]);
}

#[test]
fn a_path_that_is_too_long_empty_or_broken_is_refused_with_the_limit() {
    let folder = Folder::new();
    let prefix = folder.path("").as_os_str().len();
    let longest = folder.path(&"x".repeat(107 - prefix));
    let mut reactor = up_unix(&longest, || Echo);
    assert!(is_echoed(&mut reactor, &longest));

    let longer = folder.path(&"x".repeat(108 - prefix));
    let error = listen_error(&longer);
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("the path has 108 bytes, and"), "{error}");
    assert!(error.to_string().contains("107"), "{error}");
    assert!(listen_error(Path::new("")).to_string().contains("the path is empty"));
    let error = listen_error(Path::new("\0name"));
    assert!(error.to_string().contains("zero byte"), "{error}");
}

#[test]
fn a_directory_that_is_not_there_is_told() {
    let folder = Folder::new();
    let error = listen_error(&folder.path("nowhere/echo.sock"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("directory has to be made"), "{error}");
}

#[test]
fn anothers_directory_and_what_another_left_behind_are_refused() {
    const NAME: &str = "anothers_directory_and_what_another_left_behind_are_refused";
    if !is_child() {
        let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        if !rustix::process::geteuid().is_root() {
            println!("skipped: without being root nothing can be made another's");
        } else if works(&wrapper) {
            let folder = Folder::new();
            fs::create_dir(folder.path("closed")).unwrap();
            fs::create_dir(folder.path("open")).unwrap();
            let everybodys = fs::Permissions::from_mode(0o1777); // As /tmp is.
            fs::set_permissions(folder.path("open"), everybodys).unwrap();
            leave_behind(&folder.path("open/stale"));
            let mut child = child(NAME, &wrapper);
            let output = child.env("ROPEWALK_TEST_PATH", folder.path("")).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(folder.path("open/stale").exists());
        }
        return;
    }
    let folder = std::env::var_os("ROPEWALK_TEST_PATH").unwrap();
    for name in ["closed/new", "open/stale"] {
        let error = listen_error(&Path::new(&folder).join(name));
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{name}: {error}");
        assert!(error.to_string().contains("allowed to write to the directory"), "{error}");
    }
    let open = fs::read_dir(Path::new(&folder).join("open")).unwrap();
    assert_eq!(open.count(), 1, "no lock is left");
}

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    let folder = Folder::new();
    for mode in [0o600, 0o660, 0o777] {
        let path = folder.path(&format!("{mode:o}"));
        let mut reactor = Reactor::new().unwrap();
        let options = UnixListenOptions::new().mode(mode);
        reactor.context().listen_unix_with(&path, &options, || Echo).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        assert!(is_echoed(&mut reactor, &path));
    }
}

#[test]
fn abstract_names_have_no_file_and_any_bytes() {
    let name = UnixAddress::abstract_name(format!("ropewalk\0{}", std::process::id()));
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&name, || Echo).unwrap();
    assert_eq!(port.address().unix(), Some(&name));
    let again = reactor.listen_unix(&name, || Echo).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, |transport, event| match event {
        Event::Made => transport.write(b"hello"),
        Event::Data(_) => transport.close(),
        _ => {}
    });
    reactor.connect_unix(&name, caller).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"hello");
    reactor.context().close(port.id());
    reactor.listen_unix(&name, || Echo).expect("the name is free at once");
}

#[test]
fn without_a_name_the_system_makes_one_up() {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(UnixAddress::unnamed(), || Echo).unwrap();
    let name = port.address().unix().and_then(UnixAddress::as_abstract_name).expect("a name");
    assert_eq!(name.len(), 5, "{name:?}");
    let long = UnixAddress::abstract_name([b'x'; 108]);
    let error = reactor.listen_unix(long, || Echo).unwrap_err();
    assert!(error.to_string().contains("107"), "{error}");
}

#[test]
fn who_cannot_be_connected_to_is_told_with_what_to_do() {
    let folder = Folder::new();
    let (stale, file, datagram) = (folder.path("stale"), folder.path("file"), folder.path("d"));
    leave_behind(&stale);
    fs::write(&file, "").unwrap();
    let _receiver = UnixDatagram::bind(&datagram).unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let names: [UnixAddress; 6] = [
        (&folder.path("nowhere")).into(),
        (&stale).into(),
        (&file).into(),
        (&datagram).into(),
        folder.path(&"x".repeat(100)).into(),
        UnixAddress::unnamed(),
    ];
    for name in &names {
        reactor.connect_unix(name, Caller::new(&log, &failures, only_record)).unwrap();
        assert!(failures.borrow().len() < names.len(), "nothing is told within the call");
    }
    turn_until(&mut reactor, "all failed", |_| failures.borrow().len() == names.len());
    let texts: Vec<String> = failures.borrow().iter().map(|(_, error)| error.to_string()).collect();
    for (text, expected) in texts.iter().zip([
        "no such socket; is the server running?",
        "nobody listens there any more",
        "nobody listens there any more",
        "rotocol wrong type for socket",
        "that of a socket may have 107",
        "nobody can be reached without a name",
    ]) {
        assert!(text.contains(expected), "{text}");
        assert!(text.starts_with("cannot connect to "), "{text}");
    }
    assert_eq!(log.made(), 0);
    assert_eq!(reactor.context().connections().count(), 0);
}

/// Fills the queue of a listener that does not accept, and returns who waits in it.
fn fill_queue(path: &Path) -> Vec<socket2::Socket> {
    let name = socket2::SockAddr::unix(path).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&name) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return waiting,
            Err(error) => panic!("{error}"),
        }
    }
}

fn crowded_listener(path: &Path) -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    socket
}

#[test]
fn a_client_waits_for_room_in_the_queue_of_a_listener() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("crowded.sock");
    let listener = crowded_listener(&path);
    let _waiting = fill_queue(&path);
    let mut reactor = Reactor::new().unwrap();
    let id = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().write(id, b"patient");
    turns(&mut reactor, 30);
    assert_eq!((log.made(), failures.borrow().len()), (0, 0), "it waits");
    listener.accept().unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    assert_eq!(log.ids(), [id]);
}

#[test]
fn a_client_that_waits_for_room_gives_up_in_the_end_and_does_not_spin() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("crowded.sock");
    let _listener = crowded_listener(&path);
    let _waiting = fill_queue(&path);
    let mut reactor = Reactor::new().unwrap();
    let options = UnixConnectOptions::new().timeout(Duration::from_millis(300));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = Instant::now();
    reactor.context().connect_unix_with(&path, &options, caller).unwrap();
    let mut turns = 0;
    while failures.borrow().is_empty() {
        reactor.turn(None).unwrap();
        turns += 1;
    }
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(turns < 30, "{turns} turns");
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("timed out (the server's queue was full all the time)"), "{text}");

    // One that is given up asks no more.
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_unix(&path, caller).unwrap();
    reactor.context().close(id);
    turn_until(&mut reactor, "given up", |_| failures.borrow().len() == 2);
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(log.made(), 0);
}

#[test]
fn a_stop_refuses_unix_sockets_and_removes_files() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, || Echo);
    let outcomes: Rc<RefCell<Vec<Error>>> = Rc::default();
    let (noted, other) = (Rc::clone(&outcomes), folder.path("other.sock"));
    reactor.context().call_later(Duration::ZERO, move |context| {
        context.stop();
        let connected = context.connect_unix(&other, || Echo).map(|_| ());
        let listening = context.listen_unix(&other, || Echo).map(|_| ());
        noted.borrow_mut().extend([connected, listening].map(Result::unwrap_err));
    });
    reactor.run().unwrap();
    assert_eq!(outcomes.borrow().len(), 2);
    assert!(outcomes.borrow().iter().all(|error| error.to_string().contains("is stopping")));
    assert_eq!(folder.contents(), [""; 0]);
}

#[test]
fn both_sides_know_who_the_other_is() {
    let folder = Folder::new();
    let path = folder.path("who.sock");
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (log, failures) = (Log::default(), Failures::default());
    let (servers, clients) = (Rc::clone(&heard), Rc::clone(&heard));
    let mut reactor = up_unix(
        &path,
        recorders(&log, move |transport, event| {
            if *event == Event::Made {
                servers.borrow_mut().push(transport.peer_credentials());
            }
        }),
    );
    let caller = Caller::new(&log, &failures, move |transport, event| {
        if *event == Event::Made {
            clients.borrow_mut().push(transport.peer_credentials());
        }
    });
    reactor.connect_unix(&path, caller).unwrap();
    turn_until(&mut reactor, "both", |_| heard.borrow().len() == 2);
    for credentials in heard.borrow().iter().map(|heard| heard.expect("credentials")) {
        assert_eq!(credentials.pid, Some(std::process::id() as i32));
        assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
        assert_eq!(credentials.gid, rustix::process::getegid().as_raw());
    }
    let address = listen(&mut reactor, recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "a TCP client", |_| log.made() == 3);
    let id = log.ids()[2];
    assert_eq!(reactor.context().peer_credentials(id), None, "over TCP nobody knows");
}

/// The system says that the peer's process is number 0 if it has none here.
#[test]
fn a_peer_whose_process_has_no_number_here_has_none() {
    const NAME: &str = "a_peer_whose_process_has_no_number_here_has_none";
    const APART: [&str; 3] = ["unshare", "--pid", "--fork"];
    if !is_child() {
        let mut trial = Command::new(APART[0]);
        let trial = trial.args(&APART[1..]).arg("true").stderr(Stdio::null()).status();
        if !trial.is_ok_and(|status| status.success()) {
            println!("skipped: namespaces cannot be made here");
            return;
        }
        let folder = Folder::new();
        let path = folder.path("who.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let output = child(NAME, &APART).env("ROPEWALK_TEST_PATH", &path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    // In a namespace of its own, and so the listener's process is not to be seen.
    let path = std::env::var_os("ROPEWALK_TEST_PATH").unwrap();
    let (log, failures, heard) = (Log::default(), Failures::default(), Rc::new(Cell::new(None)));
    let noted = Rc::clone(&heard);
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, move |transport, event| {
        if *event == Event::Made {
            noted.set(transport.peer_credentials());
        }
    });
    reactor.connect_unix(Path::new(&path), caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let credentials = heard.get().expect("credentials");
    assert_eq!(credentials.pid, None);
    assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
}

/// A process that listens on a path when it is told to, and says whether it could.
struct Racer(Child, BufReader<std::process::ChildStdout>);

impl Racer {
    fn start(name: &str, path: &Path) -> Self {
        let mut command = child(name, &[]);
        command.env("ROPEWALK_TEST_PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the racer starts");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn say(&mut self, word: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// What it says next, without what the test's frame says.
    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "the racer is gone");
            if let Some(word) = line.trim().split("say ").nth(1) {
                return word.to_owned();
            }
        }
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn who_replaces_a_file_left_behind_has_its_lock_alone() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    let mut reactor = Reactor::new().unwrap();
    let lock = fs::File::create(folder.path("echo.sock.ropewalk-lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).unwrap();
    let error = reactor.listen_unix(path.as_path(), || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(lock);
    reactor.listen_unix(path.as_path(), || Echo).unwrap();
}

#[test]
fn of_several_processes_that_race_for_a_file_left_behind_one_wins() {
    const NAME: &str = "of_several_processes_that_race_for_a_file_left_behind_one_wins";
    if is_child() {
        return race();
    }
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut racers: Vec<Racer> = (0..4).map(|_| Racer::start(NAME, &path)).collect();
    for racer in &mut racers {
        assert_eq!(racer.hear(), "ready");
    }
    for round in 0..50 {
        leave_behind(&path);
        racers.iter_mut().for_each(|racer| racer.say("go"));
        let words: Vec<String> = racers.iter_mut().map(Racer::hear).collect();
        let won = words.iter().filter(|word| *word == "won").count();
        let lost = words.iter().filter(|word| *word == "AddrInUse").count();
        assert_eq!((won, lost), (1, 3), "round {round}: {words:?}");
        UnixStream::connect(&path).expect("who has won can be connected to");
        racers.iter_mut().for_each(|racer| racer.say("stop"));
        racers.iter_mut().for_each(|racer| assert_eq!(racer.hear(), "stopped"));
        assert_eq!(folder.contents(), [""; 0], "round {round}");
    }
}

/// The part of one of those who race.
fn race() {
    let path = std::env::var_os("ROPEWALK_TEST_PATH").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let mut port = None;
    println!("say ready");
    for word in std::io::stdin().lines().map_while(Result::ok) {
        if word == "go" {
            match reactor.listen_unix(Path::new(&path), || Echo) {
                Ok(won) => {
                    port = Some(won);
                    println!("say won");
                }
                Err(error) => println!("say {:?}", error.kind()),
            }
        } else {
            if let Some(port) = port.take() {
                reactor.context().close(port.id());
                turns(&mut reactor, 1);
            }
            println!("say stopped");
        }
    }
}

#[test]
fn a_listener_is_found_and_removed_though_the_working_directory_has_changed() {
    const NAME: &str = "a_listener_is_found_and_removed_though_the_working_directory_has_changed";
    if !is_child() {
        in_child(NAME, &[]);
        return;
    }
    let folder = Folder::new();
    std::env::set_current_dir(folder.path("")).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix("relative.sock", || Echo).unwrap();
    assert_eq!(port.address().to_string(), "relative.sock");
    std::env::set_current_dir("/").unwrap();
    reactor.context().close(port.id());
    assert_eq!(folder.contents(), [""; 0]);
}

#[test]
fn a_listener_that_cannot_be_taken_in_leaves_no_file() {
    const NAME: &str = "a_listener_that_cannot_be_taken_in_leaves_no_file";
    if !is_child() {
        in_child(NAME, &["prlimit", "--nofile=40"]);
        return;
    }
    let folder = Folder::new();
    let mut reactor = Reactor::new().unwrap();
    let mut listening = 0;
    let error = loop {
        match reactor.listen_unix(folder.path(&listening.to_string()), || Echo) {
            Ok(_) => listening += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("ulimit -n"), "{error}");
    drop(reactor);
    assert_eq!(folder.contents(), [""; 0]);
}

#[test]
fn a_protocol_is_told_of_a_pause_over_a_unix_socket_as_over_any() {
    /// Writes until it is told to pause.
    struct Talker(Rc<Cell<bool>>);
    impl Protocol for Talker {
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
    let told = Rc::clone(&paused);
    let mut reactor = up_unix(&path, move || Talker(Rc::clone(&told)));
    let client = unix_client(&path);
    turn_until(&mut reactor, "paused", |_| paused.get());
    client.set_nonblocking(true).unwrap();
    let (mut got, mut end) = (Vec::new(), false);
    turn_until(&mut reactor, "all, and the end", |_| {
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
fn requests_about_a_unix_listener_or_one_that_is_gone_do_nothing() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, || Echo).unwrap();
    let try_all = |context: &mut Context, id: Id| {
        context.write(id, b"nothing");
        context.pause(id);
        assert_eq!(context.peer_credentials(id), None);
        let file = fs::File::open("/dev/null").unwrap();
        context.send_descriptors(id, b"x", [file]).unwrap();
    };
    try_all(reactor.context(), port.id());
    reactor.context().close(port.id());
    try_all(reactor.context(), port.id());
    turns(&mut reactor, 2);
}

#[test]
fn unix_sockets_are_adopted_and_a_listener_that_is_let_go_keeps_its_file() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("handed.sock");
    let mut first = Reactor::new().unwrap();
    let port = first.listen_unix(&path, || Echo).unwrap();
    let listener = first.context().detach_listener(port.id()).expect("a listener");
    drop(first);
    assert!(path.exists(), "it is the next one's");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(listener, || Echo).unwrap();
    assert_eq!(port.address().unix(), Some(&UnixAddress::from(&path)));
    assert!(is_echoed(&mut reactor, &path));

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let id = reactor.context().adopt_connection(ours, Recorder::new(&log, echo)).unwrap();
    theirs.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data() == b"hello");
    // What would go with its bytes cannot go with it.
    theirs.set_nonblocking(true).unwrap();
    reactor.context().write(id, &pattern(MUCH));
    reactor.context().send_descriptors(id, b"x", [fs::File::open("/dev/null").unwrap()]).unwrap();
    turns(&mut reactor, 2);
    let error = reactor.context().detach(id).unwrap_err();
    assert!(error.to_string().contains("descriptors wait to be passed"), "{error}");
    turn_until(&mut reactor, "all sent", |reactor| {
        let _ = theirs.read(&mut vec![0; 1_000_000]);
        reactor.context().write_buffer_size(id) == 0
    });
    let detached = reactor.context().detach(id).unwrap();
    assert_eq!(detached.peer.unix(), Some(&UnixAddress::unnamed()));

    let name = folder.path("datagram");
    let socket = UnixDatagram::bind(&name).unwrap();
    let heards = datagrams::Heards::default();
    let witness = datagrams::Witness::quiet(&heards);
    let options = ropewalk::DatagramOptions::new();
    reactor.context().adopt_datagram(socket, &options, witness).unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"hello", &name).unwrap();
    turn_until(&mut reactor, "heard", |_| heards.data() == [b"hello"]);
}
