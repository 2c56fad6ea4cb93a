//! Programs that send datagrams.

use crate::scene::*;
use std::net::UdpSocket;
use std::process::Command;

#[test]
fn udp_echo_returns_datagrams() {
    let (mut server, address) = Program::serve("udp_echo", &["127.0.0.1:0"]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    for data in [&b"hello"[..], b"", &[7; 60_000]] {
        client.send_to(data, &address).unwrap();
        let mut buffer = vec![0; 65_536];
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..length], *data);
    }
    // socat ends half a second after its input.
    if let Some(answer) = socat(&format!("echo hello | socat -t 0.5 - UDP:{address}")) {
        assert_eq!(answer, b"hello\n");
    }
    server.signal("TERM");
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("datagrams in"), "{end:?}");
}

/// The lines with statistics, without their numbers.
fn statistics(output: &str) -> Vec<String> {
    let lines = output.lines().skip_while(|line| !line.starts_with("---"));
    let number = |c: char| c.is_ascii_digit() || c == '.';
    lines.map(|line| line.split(number).filter(|part| !part.is_empty()).collect()).collect()
}

#[test]
fn ping_prints_the_statistics_of_the_systems_ping() {
    for (option, host) in [("-4", "127.0.0.1"), ("-6", "::1")] {
        let arguments = [option, "-c", "3", "-i", "0.2", "-s", "100", host];
        let end = run("ping", &arguments);
        if end.errors.contains("CAP_NET_RAW") {
            return println!("skipped: this system allows no echoes");
        }
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
        let said = format!("PING {host} ({host}) 100(");
        assert!(end.output.starts_with(&said), "{end:?}");
        assert!(end.output.contains(&format!("108 bytes from {host}: icmp_seq=3 ")), "{end:?}");
        assert!(
            end.output.contains("3 packets transmitted, 3 received, 0% packet loss"),
            "{end:?}"
        );
        match Command::new("ping").args(arguments).output() {
            Ok(output) if output.status.success() => {
                let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(statistics(&end.output), statistics(&theirs), "{theirs}");
            }
            _ => println!("skipped: there is no ping(8) here, or it may not"),
        }
    }
    let end = run("ping", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains("3 packets transmitted, 3 received"), "{end:?}");
    // An address for documentation (RFC 5737), which no machine has.
    let end = run("ping", &["-c", "1", "-W", "0.1", "198.51.100.1"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.output.contains("100% packet loss"), "{end:?}");
}
