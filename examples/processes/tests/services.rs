//! The programs `inetd` and `supervise`.
#![cfg(target_os = "linux")]

mod programs;

use programs::{connect, line, listen, program, start, terminate};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

#[test]
fn inetd_serves_each_client_by_a_process() {
    let script = "read line; echo $line from $$";
    let (mut inetd, _output, address) =
        listen("inetd", &["--most", "1", "127.0.0.1:0", "sh", "-c", script]);
    // The second waits for the first.
    let mut clients = [(); 2].map(|()| TcpStream::connect(&address).unwrap());
    let mut answers = Vec::new();
    for client in &mut clients {
        client.write_all(b"hello\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("hello from "), "{answer}");
        answers.push(answer);
    }
    assert_ne!(answers[0], answers[1]);
    terminate(&mut inetd);
}

#[test]
fn inetd_serves_more_clients_than_may_wait() {
    let limits = ["--most", "1", "--waiting", "1"];
    let (mut inetd, _output, address) =
        listen("inetd", &[&limits[..], &["127.0.0.1:0", "cat"]].concat());
    let clients = [(); 5].map(|()| connect(&address));
    for mut client in clients {
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
    }
    terminate(&mut inetd);
}

#[test]
fn inetd_that_loses_its_program_closes_waiting_clients() {
    let path = std::env::temp_dir().join(format!("ropewalk-inetd-{}", std::process::id()));
    std::os::unix::fs::symlink("/bin/cat", &path).unwrap();
    let program = path.to_str().unwrap();
    let (mut inetd, _output, address) = listen("inetd", &["--most", "1", "127.0.0.1:0", program]);
    let [mut first, mut second, mut third] = [(); 3].map(|()| connect(&address));
    first.write_all(b"hello").unwrap();
    assert_eq!(first.read(&mut [0; 5]).unwrap(), 5);
    std::fs::remove_file(&path).unwrap();
    drop(first);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    assert_eq!(third.read(&mut [0]).unwrap(), 0);
    terminate(&mut inetd);
}

#[test]
fn inetd_without_its_program_closes_clients() {
    let (mut inetd, _output, address) = listen("inetd", &["127.0.0.1:0", "no-such-program"]);
    let mut client = TcpStream::connect(&address).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    terminate(&mut inetd);
}

#[test]
fn supervised_commands_end_with_the_supervisor() {
    let (mut supervise, mut output) = start("supervise", &["echo $$; exec sleep 1000"]);
    let number = line(&mut output).strip_prefix("1: ").unwrap().to_owned();
    terminate(&mut supervise);
    assert_eq!(line(&mut output), "1: ended by signal 15 (SIGTERM)");
    assert!(!PathBuf::from(format!("/proc/{number}")).exists());
}

#[test]
fn demos_end_by_themselves() {
    let end = program("inetd", &["--demo"]).output().unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    assert!(output.contains("client: received 'hello'"), "{output}");
    let end = program("supervise", &["--demo"]).output().unwrap();
    let expected = "1: working\n1: exited with code 1; again in 10ms\n\
                    1: working\n1: exited with code 1; again in 20ms\n\
                    1: working\n1: exited with code 1; not started again\n";
    assert_eq!(String::from_utf8_lossy(&end.stdout), expected);
}
