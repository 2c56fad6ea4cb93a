//! What is on the screen.

use crate::scene::Terminal;
use ropewalk::Reactor;
use std::time::Duration;

#[test]
fn printed_lines_do_not_disturb_the_draft() {
    let mut terminal = Terminal::new(20);
    terminal.press("hello\x1b[D\x1b[D");
    terminal.print("<ben> one");
    terminal.print("<ben> two\nthree");
    assert_eq!(terminal.text(), "<ben> one\n<ben> two\nthree\n> hello");
    assert_eq!(terminal.row(), ("> hello".to_owned(), 5));
    terminal.press("!");
    assert_eq!(terminal.draft(), "hel!lo");
}

#[test]
fn long_printed_line_wraps() {
    let mut terminal = Terminal::new(10);
    terminal.press("draft");
    terminal.print("0123456789abc");
    assert_eq!(terminal.text().replace('\n', ""), "0123456789abc> draft");
}

#[test]
fn printed_text_cannot_control_the_terminal() {
    let mut terminal = Terminal::new(40);
    let screen = terminal.screen.clone();
    terminal.connection.call(|context| screen.print(context, "a\x1b[2Jb\rc\u{9b}31md\te"));
    assert!(terminal.show().contains("a\u{fffd}[2Jb\u{fffd}c\u{fffd}31md\te\r\n"));
}

#[test]
fn bold_line_ends_with_its_line() {
    let mut terminal = Terminal::new(40);
    let screen = terminal.screen.clone();
    terminal.connection.call(|context| screen.print_bold(context, "loud"));
    terminal.print("quiet");
    assert!(terminal.is_bold(0, 0) && !terminal.is_bold(1, 0) && !terminal.is_bold(2, 0));
}

#[test]
fn long_line_shows_the_part_at_the_cursor() {
    let mut terminal = Terminal::new(7);
    terminal.press("0123456789");
    assert_eq!(terminal.row(), ("> 6789".to_owned(), 6));
    terminal.press("\x1b[H");
    assert_eq!(terminal.row(), ("> 0123".to_owned(), 2));
    terminal.press("\x0b你好吗");
    assert_eq!(terminal.row(), ("> 好吗".to_owned(), 6));
    terminal.press("\r");
    assert_eq!(terminal.text(), "> 你好\n吗\n>");
}

#[test]
fn wide_characters_place_the_cursor() {
    for (wide, columns) in [("好", 2), ("☕", 2), ("e\u{301}", 1), ("\u{ac00}", 2)] {
        let mut terminal = Terminal::new(40);
        terminal.press(format!("{wide}x"));
        assert_eq!(terminal.row().1, 3 + columns, "{wide}");
        terminal.press("\x1b[D\x1b[D");
        assert_eq!(terminal.row().1, 2, "{wide}");
    }
}

#[test]
fn control_l_clears_the_screen_but_not_the_draft() {
    let mut terminal = Terminal::new(40);
    terminal.print("old");
    terminal.press("draft\x0c");
    assert_eq!(terminal.text(), "> draft");
}

#[test]
fn narrow_window_shows_the_line_without_prompt() {
    let mut terminal = Terminal::with(8, |editor| editor.prompt("question? "));
    terminal.press("0123456789");
    assert_eq!(terminal.text(), "3456789");
    let mut terminal = Terminal::new(1);
    terminal.press("x");
    assert_eq!(terminal.text(), "");
}

#[test]
fn wider_window_shows_more_at_once() {
    let mut terminal = Terminal::new(8);
    terminal.press("0123456789");
    terminal.resize(40);
    assert_eq!(terminal.text(), "> 0123456789");
}

#[test]
fn narrower_window_waits_for_the_report() {
    let mut terminal = Terminal::new(40);
    terminal.print("old");
    terminal.press("abcdefghijklmnopqrstuvwxyz");
    // This terminal neither wraps the row nor moves the cursor up, but it clips the cursor's column.
    terminal.resize(10);
    terminal.print("<ben> held");
    assert!(!terminal.text().contains("ben"));
    terminal.press("\x1b[2;10R");
    assert_eq!(terminal.text(), "old\n<ben> held\n> tuvwxyz");
}

#[test]
fn terminal_without_report_is_drawn_after_a_moment() {
    let mut terminal = Terminal::new(40);
    terminal.press("abcdefghijklmnopqrstuvwxyz");
    terminal.resize(10);
    terminal.print("<ben> held");
    terminal.advance(Duration::from_millis(199));
    assert!(!terminal.text().contains("ben"));
    terminal.advance(Duration::from_millis(1));
    assert_eq!(terminal.text(), "<ben> held\n> tuvwxyz");
}

#[test]
fn wrapped_row_is_cleared_from_its_beginning() {
    let mut terminal = Terminal::new(40);
    terminal.press("abcdefghijklmnopqrstuvwxyz");
    terminal.resize(10);
    terminal.connection.feed("\x1b[7;9R");
    // The cursor was in column 28, which is two rows further down after the resize.
    assert!(terminal.show().starts_with("\x1b[2A\r\x1b[J"));
}

#[test]
fn report_is_not_typed() {
    let mut terminal = Terminal::new(40);
    terminal.press("a\x1b[24;17R\x1b[R\x1b[1;0Rb");
    assert_eq!(terminal.draft(), "ab");
}

#[test]
fn text_printed_before_the_connection_appears() {
    let mut reactor = Reactor::new().unwrap();
    let terminal = Terminal::with(40, |editor| {
        editor.screen().print(reactor.context(), "early");
        editor
    });
    assert_eq!(terminal.text(), "early\n>");
}

#[test]
fn end_keeps_the_unsent_line_and_resets_the_terminal() {
    let mut terminal = Terminal::new(10);
    assert!(terminal.is_pasting_marked());
    terminal.press("longer than the row");
    let screen = terminal.screen.clone();
    terminal.connection.call(|context| screen.close(context));
    terminal.show();
    assert_eq!(terminal.text().replace('\n', ""), "> longer than the row");
    assert!(!terminal.is_pasting_marked() && terminal.connection.has_ended());
    terminal.print("late");
    assert_eq!(terminal.show(), "");
}

#[test]
fn stop_resets_the_terminal() {
    let mut terminal = Terminal::new(40);
    terminal.press("unsent");
    terminal.connection.call(|context| context.stop());
    terminal.show();
    assert_eq!(terminal.text(), "> unsent");
    assert!(!terminal.is_pasting_marked());
}

#[test]
fn timers_of_the_handler_fire() {
    let mut terminal = Terminal::new(40);
    terminal.press("timer\rx");
    terminal.advance(Duration::from_secs(1));
    assert_eq!(terminal.text(), "> timer\nthe timer\n> x");
}
