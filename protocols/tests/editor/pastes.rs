//! Pasted text.

use crate::scene::Terminal;
use std::time::Duration;

fn numbered(count: usize) -> String {
    (1..=count).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn pasted_text_is_inserted_without_control_characters() {
    let mut terminal = Terminal::new(40);
    terminal.press("ad\x1b[D");
    terminal.paste("b\x1b[A\x03\x08\u{85}c");
    assert_eq!(terminal.draft(), "ab[Acd");
    assert!(terminal.lines().is_empty());
}

#[test]
fn pasted_lines_are_entered_and_the_rest_is_typed() {
    let mut terminal = Terminal::new(40);
    terminal.press("zero ");
    terminal.paste("one\r\ntwo\rthree\n\n\tfour");
    assert_eq!(terminal.lines(), ["zero one", "two", "three", ""]);
    terminal.press("!\r");
    assert_eq!(terminal.lines().last().unwrap(), "\tfour!");
}

#[test]
fn long_paste_asks_first() {
    for (answer, count) in [("y", 21), ("Y", 21), ("n", 0), ("\r", 0), ("\x04", 0), ("\x1b[A", 0)] {
        let mut terminal = Terminal::new(80);
        terminal.press("kept\x1b[D");
        terminal.paste(&format!("{}rest", numbered(21)));
        assert_eq!(
            terminal.text(),
            "(22 lines were pasted: y enters them all, any other key none)\nenter them all? y/n"
        );
        assert!(terminal.lines().is_empty());
        terminal.print("<ben> hello");
        terminal.press("\x1b[2;3R");
        assert!(terminal.lines().is_empty());
        assert_eq!(
            terminal.text(),
            "(22 lines were pasted: y enters them all, any other key none)\n<ben> hello\nenter them all? y/n"
        );
        terminal.press(answer);
        assert_eq!(terminal.lines().len(), count, "{answer:?}");
        if count == 0 {
            let said = "(the answer was no: nothing was entered)\n> kept";
            assert!(terminal.text().ends_with(said), "{}", terminal.text());
            assert_eq!(terminal.row().1, 5);
        } else {
            assert_eq!(terminal.draft(), "rest");
            assert_eq!(terminal.lines()[0], "kepline 1t");
        }
    }
}

#[test]
fn twenty_lines_are_entered_without_a_question() {
    let mut terminal = Terminal::new(40);
    terminal.paste(&numbered(20));
    assert_eq!(terminal.lines().len(), 20);
    let mut terminal = Terminal::with(40, |editor| editor.unconfirmed_lines(0));
    terminal.paste("word");
    assert_eq!(terminal.row().0, "enter them all? y/n");
    terminal.press("y");
    assert_eq!(terminal.draft(), "word");
}

#[test]
fn second_paste_is_no_answer() {
    let mut terminal = Terminal::new(60);
    terminal.paste(&numbered(21));
    terminal.paste("y");
    assert!(terminal.lines().is_empty());
    let said = "(there was no answer: nothing was entered)\n>";
    assert!(terminal.text().ends_with(said), "{}", terminal.text());
}

#[test]
fn question_fits_into_a_narrow_window() {
    let mut terminal = Terminal::new(8);
    terminal.paste(&numbered(21));
    assert_eq!(terminal.row(), ("y/n".to_owned(), 3));
}

#[test]
fn paste_with_a_too_long_line_is_discarded() {
    let mut terminal = Terminal::with(60, |editor| editor.max_length(10));
    terminal.press("kept");
    terminal.paste("short\nlonger\nx");
    assert!(terminal.lines().is_empty() || terminal.lines() == ["keptshort", "longer"]);
    terminal.paste("ok\n01234567890\n");
    assert!(terminal.text().contains("(a pasted line is too long: nothing was entered)"));
    assert!(!terminal.lines().contains(&"xok".to_owned()));
}

#[test]
fn endless_paste_is_discarded_after_a_while() {
    let mut terminal = Terminal::new(60);
    terminal.press("kept\x1b[200~lost\r");
    terminal.advance(Duration::from_secs(9));
    terminal.press("more");
    terminal.advance(Duration::from_secs(9));
    assert_eq!(terminal.draft(), "kept");
    terminal.advance(Duration::from_secs(1));
    assert_eq!(terminal.text(), "(the paste has no end: nothing was entered)\n> kept");
    terminal.press("!");
    assert_eq!(terminal.draft(), "kept!");
}

#[test]
fn too_long_paste_is_discarded_up_to_its_end() {
    let mut terminal = Terminal::new(60);
    terminal.press("kept");
    terminal.paste(&"line\n".repeat(600_000));
    assert!(terminal.lines().is_empty());
    assert_eq!(terminal.text(), "(the paste is too long: nothing was entered)\n> kept");
}
