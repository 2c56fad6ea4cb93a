//! Command-line arguments of the programs.

use crate::ports::dead;
use crate::scene::*;
use std::net::TcpListener;

/// All programs.
pub(crate) const PROGRAMS: &[&str] = &[
    "chat",
    "clock",
    "echo",
    "echo_client",
    "fd_passing",
    "finding_bugs",
    "hot_restart",
    "idle_memory",
    "ping",
    "planning",
    "proxy",
    "resolve",
    "run_jobs",
    "send_file",
    "simulation",
    "step",
    #[cfg(feature = "inotify")]
    "tail",
    "udp_echo",
    "unix_echo",
    "worker",
];

#[test]
fn help_lists_the_options() {
    for &name in PROGRAMS {
        let end = run(name, &["--help"]);
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{name}");
        assert!(end.output.contains(&format!("--example {name}")), "{name}: {}", end.output);
        assert!(end.output.contains("Options:"), "{name}: {}", end.output);
    }
}

#[test]
fn unknown_options_are_refused() {
    for &name in PROGRAMS {
        let end = run(name, &["--colour"]);
        assert_eq!((end.code, &*end.output), (Some(2), ""), "{name}");
        assert!(end.errors.contains("--colour"), "{name}: {}", end.errors);
    }
}

/// Faulty arguments, with the exit code and a part of the message.
const FAULTY: &[(&str, &[&str], i32, &str)] = &[
    ("chat", &["--burst", "0"], 2, "at least 1"),
    ("chat", &["--listen"], 2, "--listen"),
    ("chat", &["--max-length", "0"], 2, "at least 1"),
    ("chat", &["--reactors", "2", "--record", "x"], 2, "one reactor"),
    ("chat", &["--reactors", "5000"], 2, "more than 128"),
    ("chat", &["--replay", "no-such-file"], 1, "no-such-file"),
    ("chat", &["--write-limit", "0"], 2, "at least 1"),
    ("clock", &["--every", "0"], 2, "above 0"),
    ("clock", &["--every", "never"], 2, "never"),
    ("echo", &["127.0.0.1:0", "127.0.0.1:1"], 2, "127.0.0.1:1"),
    ("echo", &["nonsense"], 1, "HOST:PORT"),
    ("echo", &["--reactors", "0"], 2, "at least 1"),
    ("echo_client", &["127.0.0.1:0", "127.0.0.1:1"], 2, "127.0.0.1:1"),
    ("echo_client", &["--size", "0"], 2, "at least 1"),
    ("fd_passing", &["/tmp/x", "/tmp/y"], 2, "/tmp/y"),
    ("fd_passing", &["/tmp/x"], 2, "--serve"),
    ("fd_passing", &["--get", "x", "/nowhere"], 1, "no such socket"),
    ("finding_bugs", &["--seed", "18446744073709551615"], 2, "no seeds"),
    ("hot_restart", &["--patience", "long"], 2, "long"),
    ("hot_restart", &["--control", "/nowhere/x.sock"], 1, "create its directory first"),
    ("idle_memory", &["some"], 2, "some"),
    ("ping", &[], 2, "HOST"),
    ("ping", &["--size", "70000", "127.0.0.1"], 2, "65507"),
    ("planning", &["--clients", "1000,0"], 2, "at least 1"),
    ("planning", &["--latency", "99999999999"], 2, "too large"),
    ("planning", &["--kibibyte", "99999999999"], 2, "too large"),
    ("planning", &["--nodes", "10001"], 2, "more than 10000"),
    ("planning", &["--nodes", "0"], 2, "at least 1"),
    ("planning", &["--nodes", "2", "--clients", "60000"], 2, "28000 for each"),
    ("planning", &["--svg", "nowhere/plan.svg"], 1, "nowhere/plan.svg"),
    ("proxy", &[], 2, "--to"),
    ("proxy", &["--half-closed", "0"], 2, "at least 1"),
    ("resolve", &[], 2, "HOST:PORT"),
    ("resolve", &["nonsense"], 1, "HOST:PORT"),
    ("send_file", &[], 2, "FILE"),
    ("send_file", &["/etc"], 1, "/etc: is a directory"),
    ("send_file", &["/dev/zero"], 1, "/dev/zero: not a regular file"),
    ("send_file", &["nowhere/nothing"], 1, "nowhere/nothing"),
    ("simulation", &["--nodes", "10001"], 2, "more than 10000"),
    #[cfg(feature = "inotify")]
    ("tail", &["nowhere/nothing"], 1, "nowhere/nothing"),
    #[cfg(feature = "inotify")]
    ("tail", &["/etc"], 1, "/etc: is a directory"),
    ("udp_echo", &["127.0.0.1:0", "127.0.0.1:1"], 2, "127.0.0.1:1"),
    ("udp_echo", &["nonsense"], 1, "not an address; examples are"),
    ("unix_echo", &[], 2, "PATH"),
    ("unix_echo", &["--mode", "999", "/tmp/x"], 2, "999"),
    ("unix_echo", &["/tmp/x", "/tmp/y"], 2, "/tmp/y"),
    ("unix_echo", &["/nowhere/x.sock"], 1, "create its directory first"),
];

#[test]
fn missing_and_malformed_arguments_are_reported() {
    for &(name, arguments, code, message) in FAULTY {
        let end = run(name, arguments);
        assert_eq!(end.code, Some(code), "{name}: {end:?}");
        assert!(end.errors.contains(message), "{name}: {end:?}");
    }
}

#[test]
fn port_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for &(name, arguments) in SERVERS {
        let arguments = arguments.iter().map(|&word| match word {
            "127.0.0.1:0" => &*address,
            word => word,
        });
        let end = run(name, &arguments.collect::<Vec<_>>());
        assert_eq!((end.code, &*end.output), (Some(1), ""), "{name}: {}", end.errors);
        assert!(end.errors.contains(&format!("cannot listen on {address}")), "{}", end.errors);
    }
}

#[test]
fn client_reports_a_refused_connection() {
    let address = dead().to_string();
    let end = run("echo_client", &[&address]);
    assert_eq!(end.code, Some(1), "{end:?}");
    let message = format!("error: cannot connect to {address}: connection refused");
    assert!(end.errors.contains(&message), "{end:?}");
}

#[test]
fn server_that_cannot_start_prints_only_the_error() {
    let end = run("hot_restart", &["--control", "/nowhere/x.sock"]);
    assert_eq!((end.code, &*end.output), (Some(1), ""), "{end:?}");
    let folder = folder("nonsense");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let end = run("hot_restart", &["--control", &path, "nonsense"]);
    assert_eq!((end.code, &*end.output), (Some(1), ""), "{end:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn server_on_all_addresses_prints_a_reachable_one() {
    for (name, arguments) in [
        ("chat", &["--listen", "0.0.0.0:0"][..]),
        ("clock", &["--listen", "0.0.0.0:0"]),
        ("proxy", &["--listen", "0.0.0.0:0", "--to", "127.0.0.1:1"]),
        ("send_file", &["Cargo.toml", "0.0.0.0:0"]),
        #[cfg(feature = "inotify")]
        ("tail", &["Cargo.toml", "0.0.0.0:0"]),
        ("udp_echo", &["0.0.0.0:0"]),
        ("worker", &["--listen", "0.0.0.0:0"]),
    ] {
        let (mut server, address) = Program::serve(name, arguments);
        let port = address.strip_prefix("0.0.0.0:").unwrap();
        server.read_until(&format!("127.0.0.1:{port}"));
    }
}

#[test]
fn logs_of_a_group_name_the_reactor() {
    let arguments = ["127.0.0.1:0", "--reactors", "2"];
    let (mut server, _) = Program::serve("echo", &arguments);
    server.signal("TERM");
    let end = server.end();
    for reactor in ["ropewalk-0] #0.0 listening", "ropewalk-1] #0.0 listening"] {
        assert!(end.errors.contains(reactor), "{end:?}");
    }
}
