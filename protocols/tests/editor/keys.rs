//! Keys, and what they do to the line being typed.

use crate::scene::{Terminal, typed};

#[test]
fn backspace_deletes_a_whole_character() {
    assert_eq!(typed("zoë\x7f"), "zo");
    assert_eq!(typed("\x7f\x7f你好\x7f"), "你");
}

#[test]
fn control_keys_delete_words_and_lines() {
    assert_eq!(typed("one two  \x17|"), "one |");
    assert_eq!(typed("one\x17\x17two"), "two");
    assert_eq!(typed("one two\x15three"), "three");
}

#[test]
fn typed_text_is_inserted_at_the_cursor() {
    assert_eq!(typed("bd\x1b[Dc\x1b[Ha\x1b[Fe"), "abcde");
    assert_eq!(typed("abc\x1bOD\x1bOD\x1b[3~"), "ac");
    assert_eq!(typed("abc\x1b[D\x1b[D\x1b[D\x1b[D\x1b[C\x0b"), "a");
}

#[test]
fn unknown_keys_type_nothing() {
    assert_eq!(typed("a\x1b[15;2~b\x1b[1;5Cc\x1bOPd\x1be\0\x1d"), "abcd");
    assert_eq!(typed("a\x1bx\x1b\u{f6}\x1bé\x1b\x1bzc"), "ac");
}

#[test]
fn escape_alone_does_not_swallow_enter() {
    for keys in ["a\x1b\r", "a\x1b[\r"] {
        let mut terminal = Terminal::new(80);
        terminal.press(keys);
        assert_eq!(terminal.lines(), ["a"]);
    }
}

#[test]
fn invalid_utf8_is_ignored() {
    let mut terminal = Terminal::new(80);
    terminal.press(b"a\xff\xc3b\xe4\xbd\x80\x80c");
    assert_eq!(terminal.draft(), "ab\u{4f40}c");
}

#[test]
fn return_and_newline_are_one_enter() {
    let mut terminal = Terminal::new(80);
    terminal.press("one\rtwo\nthree\r\n\nanswer\r");
    assert_eq!(terminal.lines(), ["one", "two", "three", "", "answer"]);
    assert_eq!(terminal.text(), "> one\n> two\n> three\n>\n> answer\nthe answer\n>");
}

#[test]
fn control_d_on_an_empty_line_ends() {
    let mut terminal = Terminal::new(80);
    terminal.press("x\x04");
    assert!(!terminal.connection.has_ended());
    terminal.press("\x15\x04");
    assert!(terminal.connection.has_ended() && terminal.record.has_ended.get());
}

#[test]
fn lines_after_a_close_are_not_delivered() {
    let mut terminal = Terminal::new(80);
    terminal.press("close\rmore\r");
    assert_eq!(terminal.lines(), ["close"]);
    let mut terminal = Terminal::new(80);
    terminal.paste("close\nmore\nend");
    assert_eq!(terminal.lines(), ["close"]);
}

#[test]
fn history_returns_to_the_draft() {
    let mut terminal = Terminal::new(80);
    terminal.press("one\rtwo\rtwo\r\rdraft\x1b[A\x1b[A\x1b[A");
    assert_eq!(terminal.draft(), "one");
    terminal.press("\x1b[B\x1b[B\x1b[B");
    assert_eq!(terminal.draft(), "draft");
}

#[test]
fn history_is_bounded() {
    let mut terminal = Terminal::with(80, |editor| editor.max_history(3));
    terminal.press("one\rtwo\rthree\rfour\r");
    terminal.press("\x1b[A".repeat(9));
    assert_eq!(terminal.draft(), "two");
}

#[test]
fn cursor_moves_by_clusters() {
    for wide in ["✅", "☕", "⭐", "🇩🇪", "👨\u{200d}👩\u{200d}👧", "❤\u{fe0f}", "👍🏽", "好"]
    {
        assert_eq!(typed(&format!("a{wide}\x7f")), "a", "{wide}");
        assert_eq!(typed(&format!("a{wide}b\x1b[D\x1b[D\x1b[3~")), "ab", "{wide}");
    }
    assert_eq!(typed("ae\u{301}\u{323}\x7f"), "a");
}

#[test]
fn cursor_is_never_inside_a_cluster() {
    // Typed text can join the cluster after the cursor.
    assert_eq!(typed("👧x\x1b[H👨\u{200d}\x7f"), "x");
    // Deleting a character can join two halves of a flag.
    assert_eq!(typed("🇩x🇪\x1b[D\x7f\x7f"), "");
}

#[test]
fn alt_and_control_move_and_delete_words() {
    assert_eq!(typed("one two\x1bb|"), "one |two");
    assert_eq!(typed("one, two-\x1bb\x1bb|"), "|one, two-");
    assert_eq!(typed("one two\x1b[1;5D|\x1b[1;3D\x1b[1;3D^"), "^one |two");
    assert_eq!(typed("one two\x01\x1bf|\x1b[1;5C^"), "one| two^");
    assert_eq!(typed("one two\x1b\x7f|"), "one |");
    assert_eq!(typed("one two\x01\x1bd|"), "| two");
}

#[test]
fn tab_completes_a_word() {
    assert_eq!(typed("be\t|"), "ben: |");
    assert_eq!(typed("hello BE\t|"), "hello ben |");
    assert_eq!(typed("be, you\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\t|"), "ben: |, you");
    assert_eq!(typed("hello z\t|"), "hello zo|");
}

#[test]
fn tab_prints_several_candidates() {
    let mut terminal = Terminal::new(80);
    terminal.press("hello an\t");
    assert_eq!(terminal.text(), "anna  Annegret\n> hello an");
}

#[test]
fn tab_without_candidate_rings_the_bell() {
    let mut terminal = Terminal::new(80);
    terminal.connection.feed("x\t");
    assert!(terminal.show().contains('\x07'));
    assert_eq!(terminal.draft(), "x");
}

#[test]
fn too_long_line_rings_the_bell() {
    let mut terminal = Terminal::with(80, |editor| editor.max_length(5));
    terminal.connection.feed("abcdéf");
    assert!(terminal.show().contains('\x07'));
    assert_eq!(terminal.draft(), "abcdf");
    terminal.press("\x7f\x7f\x7f be\t");
    assert_eq!(terminal.draft(), "ab be");
}
