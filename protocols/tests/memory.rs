//! The memory of a line. It is alone in its program, since it measures the whole process.
#![cfg(target_os = "linux")]

#[path = "support/recorder.rs"]
mod recorder;
#[path = "../../tests/support/status.rs"]
mod status;
mod support;

use recorder::{Event, Record, Recorder};
use ropewalk::Protocol;
use ropewalk_protocols::LineReceiver;
use support::with_transport;

/// Returns the peak memory of this process, in bytes.
fn peak() -> usize {
    status::memory_of("self", "VmHWM")
}

#[test]
fn an_endless_line_costs_bounded_memory() {
    let (grown, events) = with_transport(|transport| {
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
    assert_eq!(events, [Event::TooLong("xxx".into()), Event::Line("ok".into())]);
    assert!(grown < 4 << 20, "{grown} bytes");
}
