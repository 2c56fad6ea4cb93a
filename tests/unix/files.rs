//! Socket files: created, replaced, removed, or left untouched.

use crate::support::*;
use crate::unix::*;
use ropewalk::{ListenOptions, Reactor};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

#[test]
fn closing_listener_removes_file_and_keeps_connections() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, recorders(&log, echo)).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    reactor.context().close(port.id());
    assert!(!path.exists());
    (&client).write_all(b"still open").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"still open");
    // The name is free, although a connection of the listener is open.
    reactor.listen_unix(&path, || Echo).unwrap();
    drop(reactor);
    assert_eq!(folder.contents(), [""; 0], "the dropped reactor left a file");
}

#[test]
fn keep_file_leaves_the_file() {
    let folder = Folder::new();
    let path = folder.path("kept.sock");
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().keep_file(true);
    let port = options.listen_unix(reactor.context(), &path, || Echo).unwrap();
    reactor.context().close(port.id());
    assert!(path.exists());
}

#[test]
fn replaced_socket_file_is_not_removed() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&path, || Echo).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    reactor.context().close(port.id());
    assert!(path.exists(), "the other socket's file was removed");
}

#[test]
fn stale_socket_file_is_replaced() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
    assert_eq!(folder.contents(), ["echo.sock"], "a lock was left");
}

#[test]
fn stale_socket_file_is_replaced_despite_stale_lock() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    fs::write(folder.path("echo.sock.ropewalk-lock"), "").unwrap();
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
}

/// PostgreSQL keeps a lock file beside each of its sockets, which names the owner of the port.
#[test]
fn lock_file_of_another_program_is_untouched() {
    let folder = Folder::new();
    let [path, lock] = [".s.PGSQL.5432", ".s.PGSQL.5432.lock"].map(|name| folder.path(name));
    leave_behind(&path);
    let theirs = fs::File::create(&lock).unwrap();
    theirs.try_lock().unwrap();
    fs::write(&lock, "4711\n").unwrap();
    let mut reactor = up_unix(&path, || Echo);
    assert!(is_echoed(&mut reactor, &path));
    drop(reactor);
    assert_eq!(folder.contents(), [".s.PGSQL.5432.lock"]);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "4711\n");
}

#[test]
fn name_of_live_listener_is_refused_unnoticed() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let mut reactor = up_unix(&path, recorders(&log, echo));
    let error = listen_error(&path);
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let expected = format!("cannot listen on {}: address already in use", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    turns(&mut reactor, 3);
    assert_eq!(log.made(), 0, "the listener accepted a connection");
    assert!(is_echoed(&mut reactor, &path));
    assert_eq!(folder.contents(), ["echo.sock"]);
}

#[test]
fn bound_stream_and_datagram_names_are_refused() {
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
fn non_socket_file_is_never_removed() {
    let folder = Folder::new();
    let (file, directory, link) = (folder.path("file"), folder.path("dir"), folder.path("link"));
    fs::write(&file, "content").unwrap();
    fs::create_dir(&directory).unwrap();
    let stale = folder.path("stale");
    leave_behind(&stale);
    std::os::unix::fs::symlink(&stale, &link).unwrap();
    for path in [&file, &directory, &link] {
        let error = listen_error(path);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert!(error.to_string().contains("not a socket"), "{error}");
        assert!(error.to_string().contains("not replaced"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "content");
    assert_eq!(folder.contents(), ["dir", "file", "link", "stale"]);
}

#[test]
fn invalid_paths_are_refused_with_the_limit() {
    let folder = Folder::new();
    let prefix = folder.path("").as_os_str().len();
    let longest = folder.path(&"x".repeat(107 - prefix));
    let mut reactor = up_unix(&longest, || Echo);
    assert!(is_echoed(&mut reactor, &longest));

    let longer = folder.path(&"x".repeat(108 - prefix));
    let error = listen_error(&longer);
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("the path has 108 bytes; the limit"), "{error}");
    assert!(error.to_string().contains("107"), "{error}");
    assert!(listen_error(Path::new("")).to_string().contains("the path is empty"));
    let error = listen_error(Path::new("\0name"));
    assert!(error.to_string().contains("zero byte"), "{error}");
}

#[test]
fn missing_directory_is_reported() {
    let folder = Folder::new();
    let error = listen_error(&folder.path("nowhere/echo.sock"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("create its directory first"), "{error}");
}

#[test]
fn files_of_another_user_are_refused() {
    if !is_child() {
        let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        if user_and_group().0 != 0 {
            println!("skipped: only root can create files of another user");
        } else if works(&wrapper) {
            let folder = Folder::new();
            fs::create_dir(folder.path("closed")).unwrap();
            fs::create_dir(folder.path("open")).unwrap();
            let shared = fs::Permissions::from_mode(0o1777); // The mode of /tmp.
            fs::set_permissions(folder.path("open"), shared).unwrap();
            leave_behind(&folder.path("open/stale"));
            let mut child = child(this_test!(), &wrapper);
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
        assert!(error.to_string().contains("write permission on the directory"), "{error}");
    }
    let open = fs::read_dir(Path::new(&folder).join("open")).unwrap();
    assert_eq!(open.count(), 1, "a lock was left");
}

#[test]
fn file_mode_ignores_the_umask() {
    let folder = Folder::new();
    for mode in [0o600, 0o660, 0o777] {
        let path = folder.path(&format!("{mode:o}"));
        let mut reactor = Reactor::new().unwrap();
        let options = ListenOptions::new().mode(mode);
        options.listen_unix(reactor.context(), &path, || Echo).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        assert!(is_echoed(&mut reactor, &path));
    }
}

#[test]
fn relative_path_survives_a_directory_change() {
    if !is_child() {
        in_child(this_test!(), &[]);
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
fn failed_registration_leaves_no_file() {
    if !is_child() {
        in_child(this_test!(), &["prlimit", "--nofile=40"]);
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
