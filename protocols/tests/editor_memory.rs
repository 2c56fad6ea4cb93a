//! The memory of the line editor. It is alone in its program, since it measures the whole process.
#![cfg(target_os = "linux")]

#[path = "../../tests/support/status.rs"]
mod status;
mod support;

use ropewalk::Protocol;
use ropewalk_protocols::{EditorHandler, EditorTransport, LineEditor};
use support::with_transport;

struct Nothing;

impl EditorHandler for Nothing {
    fn line_received(&mut self, _editor: &mut EditorTransport<'_>, _line: &str) {}
}

/// Returns the peak memory of this process, in bytes.
fn peak() -> usize {
    status::memory_of("self", "VmHWM")
}

#[test]
fn endless_line_and_paste_cost_bounded_memory() {
    let grown = with_transport(|transport| {
        let mut editor = LineEditor::new(Nothing);
        editor.connection_made(transport);
        let piece = vec![b'x'; 1 << 16];
        let before = peak();
        for (begin, pieces) in [("", 16), ("\x1b[200~", 64)] {
            editor.data_received(transport, begin.as_bytes());
            for _ in 0..pieces {
                editor.data_received(transport, &piece);
            }
        }
        peak() - before
    });
    assert!(grown < 3 << 20, "{grown} bytes");
}
