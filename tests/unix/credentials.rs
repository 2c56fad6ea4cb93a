//! Credentials of peers.

use crate::support::*;
use crate::unix::*;
use ropewalk::Reactor;
use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

#[test]
fn both_sides_have_peer_credentials() {
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
        assert_eq!(credentials.uid, user_and_group().0);
        assert_eq!(credentials.gid, user_and_group().1);
    }
    let address = listen(&mut reactor, recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "a TCP client", |_| log.made() == 3);
    let id = log.ids()[2];
    assert_eq!(reactor.context().transport(id).peer_credentials(), None, "TCP has no credentials");
}

/// Linux reports pid 0 for a process outside the own namespace.
#[test]
fn peer_outside_pid_namespace_has_no_pid() {
    const APART: [&str; 3] = ["unshare", "--pid", "--fork"];
    if !is_child() {
        let mut trial = Command::new(APART[0]);
        let trial = trial.args(&APART[1..]).arg("true").stderr(Stdio::null()).status();
        if !trial.is_ok_and(|status| status.success()) {
            println!("skipped: unshare(1) may not create namespaces here");
            return;
        }
        let folder = Folder::new();
        let path = folder.path("who.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let output = child(this_test!(), &APART).env("ROPEWALK_TEST_PATH", &path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    // The child has its own pid namespace, where the listener's process is not visible.
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
    assert_eq!(credentials.uid, user_and_group().0);
}
