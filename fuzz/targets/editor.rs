//! Fuzz target: the line editor. Any bytes in any chunks, with lines printed and windows resized between them, enter the
//! lines that the bytes as a whole do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ropewalk_protocols::{EditorHandler, EditorTransport, LineEditor};
use ropewalk_simulation::kit::TestConnection;
use std::cell::RefCell;
use std::rc::Rc;

/// The limit for a line, small so that the fuzzer reaches it.
const MAX_LENGTH: usize = 24;

type Lines = Rc<RefCell<Vec<String>>>;

/// Records lines.
struct Recorder(Lines);

impl EditorHandler for Recorder {
    fn line_received(&mut self, _editor: &mut EditorTransport<'_>, line: &str) {
        assert!(line.len() <= MAX_LENGTH, "{line:?}");
        assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
        self.0.borrow_mut().push(line.to_owned());
    }

    fn complete(&mut self, before: &str, word: &str) -> Vec<String> {
        let words = ["anna", "anne", "zoë", "你好"].into_iter();
        words.filter(|it| it.starts_with(word)).map(|it| format!("{it}{before}")).collect()
    }
}

/// Returns the lines that are entered. Without chunks, all bytes arrive at once.
fn entered(input: &[u8], chunks: Option<u8>) -> Vec<String> {
    let lines = Lines::default();
    let editor = LineEditor::new(Recorder(Rc::clone(&lines)));
    let editor = editor.max_length(MAX_LENGTH).max_history(3).unconfirmed_lines(2).columns(9);
    let screen = editor.screen();
    let mut editor = Some(editor);
    let mut connection = TestConnection::new(move || editor.take().expect("one connection"));
    let mut rest = input;
    let mut step = usize::from(chunks.unwrap_or_default());
    while !rest.is_empty() && !connection.has_ended() {
        let length = if chunks.is_some() { step % 7 + 1 } else { rest.len() };
        let (chunk, more) = rest.split_at(length.min(rest.len()));
        connection.feed(chunk);
        connection.call(|context| match step % 5 {
            0 => screen.print(context, "\x1b[2Jprinted\nlines"),
            1 => screen.set_columns(context, step % 11),
            _ => {}
        });
        rest = more;
        step = step.wrapping_mul(5).wrapping_add(3);
    }
    lines.take()
}

// The first byte selects the sizes of the chunks.
fuzz_target!(|data: &[u8]| {
    let [chunks, input @ ..] = data else { return };
    assert_eq!(entered(input, Some(*chunks)), entered(input, None));
});
