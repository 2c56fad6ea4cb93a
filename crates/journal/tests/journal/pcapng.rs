//! Connections as packets, as tshark(1) reads them.

use crate::support::{Folder, echo};
use ropewalk_journal::reading;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a tool of Wireshark. Returns `None` and says so if it is not installed.
fn run(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).arg(file).output() else {
        println!("{tool} is not installed: skipped");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn capture(folder: &Folder) -> std::path::PathBuf {
    let mut packets = Vec::new();
    reading::write_pcapng(&*echo(false), &mut packets).unwrap();
    let path = folder.file("echo.pcapng");
    fs::write(&path, packets).unwrap();
    path
}

#[test]
fn tshark_reads_both_ends_of_an_echo() {
    let folder = Folder::new();
    let path = capture(&folder);
    let fields =
        ["-Tfields", "-etcp.stream", "-etcp.flags.str", "-etcp.seq", "-etcp.ack", "-etcp.len"];
    let Some(text) = run("tshark", &[&fields[..], &["-r"]].concat(), &path) else { return };
    let mut streams: [Vec<String>; 2] = Default::default();
    for line in text.lines() {
        let (stream, rest) = line.split_once('\t').unwrap();
        let flags: String = rest.chars().filter(|c| c.is_ascii_uppercase()).collect();
        let numbers = rest.rsplitn(4, '\t').take(3).collect::<Vec<_>>();
        let [length, ack, seq] = numbers[..] else { panic!("{line}") };
        streams[stream.parse::<usize>().unwrap()].push(format!("{flags} {seq} {ack} {length}"));
    }
    for packets in streams {
        let expected = [
            "S 0 0 0", "AS 0 1 0", "A 1 1 0", // the handshake
            "AP 1 1 5", "AP 1 6 5", // hello, and its echo
            "AF 6 6 0", "A 6 7 0", "AF 6 7 0", "A 7 7 0", // the ends
        ];
        assert_eq!(packets, expected);
    }
}

#[test]
fn no_packet_is_malformed() {
    let folder = Folder::new();
    let path = capture(&folder);
    let filter = "_ws.malformed || ip.checksum.status == 0 || tcp.analysis.flags";
    let checked = ["-oip.check_checksum:TRUE", "-Y", filter, "-r"];
    let Some(text) = run("tshark", &checked, &path) else { return };
    assert_eq!(text, "");
    let Some(text) = run("capinfos", &["-Tmcl"], &path) else { return };
    assert!(text.trim_end().ends_with(",18"), "{text}");
}

#[test]
fn long_write_is_several_packets() {
    let folder = Folder::new();
    let path = folder.file("long.pcapng");
    let mut packets = Vec::new();
    reading::write_pcapng(&*crate::support::bulk(), &mut packets).unwrap();
    fs::write(&path, packets).unwrap();
    let fields = ["-Tfields", "-etcp.len", "-Y", "tcp.srcport != 0", "-r"];
    let Some(text) = run("tshark", &fields, &path) else { return };
    let sum: u64 = text.lines().map(|line| line.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 4 << 20, "both ends of a megabyte and its echo");
}
