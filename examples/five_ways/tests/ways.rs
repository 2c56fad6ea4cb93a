//! The five servers give the same answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const WAYS: [&str; 5] = [
    env!("CARGO_BIN_EXE_way1_threads"),
    env!("CARGO_BIN_EXE_way2_processes"),
    env!("CARGO_BIN_EXE_way3_poll"),
    env!("CARGO_BIN_EXE_way4_callbacks"),
    env!("CARGO_BIN_EXE_way5_pool"),
];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_way_answers_every_line_in_order() {
    for way in WAYS {
        let mut child = Command::new(way).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let _server = Server(child);
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        let mut client = TcpStream::connect(address.trim()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.set_nodelay(true).unwrap();
        for piece in ["one\ntwo\nth", "ree\n"] {
            client.write_all(piece.as_bytes()).unwrap();
        }
        let mut answers = vec![0; 3 * service::answer("one").len()];
        client.read_exact(&mut answers).unwrap();
        let expected: String = ["one", "two", "three"].map(service::answer).concat();
        assert_eq!(String::from_utf8_lossy(&answers), expected, "{way}");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "{way}");
    }
}

#[test]
fn demo_measures_each_way() {
    let end = Command::new(env!("CARGO_BIN_EXE_five_ways")).arg("--demo").output().unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    assert!(end.status.success(), "{output}");
    assert_eq!(output.lines().filter(|line| line.starts_with("| `way")).count(), 10, "{output}");
}
