//! What a line costs in memory. Alone in its program, since it looks at the whole of it.
#![cfg(target_os = "linux")]

#[path = "support/recorder.rs"]
mod recorder;
mod support;

use recorder::{Heard, Record, Recorder};
use ropewalk::Protocol;
use ropewalk_protocols::LineReceiver;
use support::with_transport;

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_line_without_end_costs_no_more_memory_than_a_line() {
    let (grown, heard) = with_transport(|transport| {
        let record = Record::default();
        let recorder = Recorder { survives_eof: true, ..Recorder::new(&record) };
        let mut receiver = LineReceiver::new(recorder).max_length(3);
        let piece = vec![b'x'; 1 << 20];
        let before = peak();
        for _ in 0..256 {
            receiver.data_received(transport, &piece);
        }
        receiver.data_received(transport, b"\nok\n");
        (peak() - before, record.take())
    });
    assert_eq!(heard, [Heard::TooLong("xxx".into()), Heard::Line("ok".into())]);
    assert!(grown < 4 << 20, "{grown} bytes");
}
