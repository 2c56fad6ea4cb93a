//! Bytes in every split, arbitrary bytes, and a terminal that takes nothing.

use crate::scene::Terminal;
use ropewalk_simulation::kit::assert_same_for_every_split;

/// Keys of each kind, a paste and a report.
const INPUT: &str = "zoë 你好👨\u{200d}👩\u{200d}👧\x1b[D\x1b[D\x1bb\x1b[1;5C|\r\nan\t\x15\
    \x1b[200~one\r\ntwo\r\n\x1b[31mthree\x1b[201~!\x1b[24;17R\x1b[A\x1b[A\x1bOB\x1b[B~\x1b[3~ be\t";

#[test]
fn every_split_gives_the_same_screen() {
    let (_, _, lines) = assert_same_for_every_split(INPUT.as_bytes(), |split| {
        let mut terminal = Terminal::new(30);
        split.pieces().for_each(|piece| terminal.press(piece));
        (terminal.text(), terminal.row(), terminal.lines())
    });
    assert_eq!(lines, ["zoë 你|好👨\u{200d}👩\u{200d}👧", "one", "two"]);
}

/// Random numbers (xorshift).
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn arbitrary_bytes_do_not_panic() {
    const PARTS: [&[u8]; 16] = [
        b"\x1b[",
        b"\x1b",
        b"200~",
        b"201~",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b[A",
        b"\r",
        b"\n",
        b"\t",
        "é".as_bytes(),
        "👨\u{200d}👩".as_bytes(),
        b"\x1b[1;9R",
        b"\x17",
        b"\x7f",
        b"\xe4\xbd",
    ];
    for seed in 1..=60_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut terminal = Terminal::with(1 + (seed % 30) as u16, |editor| {
            editor.max_length(50).max_history(5).unconfirmed_lines(2)
        });
        for _ in 0..30 {
            let mut bytes = Vec::new();
            for _ in 0..random(&mut state) % 20 {
                match random(&mut state) % 3 {
                    0 => bytes.push(random(&mut state).to_le_bytes()[0]),
                    _ => bytes.extend(PARTS[random(&mut state) % PARTS.len()]),
                }
            }
            if terminal.connection.has_ended() {
                break;
            }
            terminal.press(&bytes);
            match random(&mut state) % 4 {
                0 => terminal.print("<ben> hello"),
                1 => terminal.resize(1 + (random(&mut state) % 40) as u16),
                _ => {}
            }
        }
    }
}

#[test]
fn keyboard_is_not_read_while_the_terminal_takes_nothing() {
    let mut terminal = Terminal::new(80);
    terminal.connection.stop_reading();
    let screen = terminal.screen.clone();
    while !terminal.record.is_blocked.get() {
        terminal.connection.call(|context| screen.print(context, &"x".repeat(1000)));
    }
    let id = terminal.connection.id();
    let queued = |terminal: &mut Terminal| {
        terminal.connection.call(move |context| context.transport(id).write_buffer_size())
    };
    let before = queued(&mut terminal);
    for _ in 0..1000 {
        terminal.connection.feed("typed\r");
    }
    assert_eq!(queued(&mut terminal), before);
    assert!(terminal.lines().is_empty());
    terminal.connection.start_reading();
    terminal.show();
    terminal.connection.settle();
    terminal.show();
    assert!(!terminal.record.is_blocked.get());
    assert_eq!(terminal.lines(), vec!["typed"; 1000]);
}

#[test]
fn paused_keyboard_loses_nothing() {
    let mut terminal = Terminal::new(80);
    let screen = terminal.screen.clone();
    terminal.connection.call(|context| screen.pause(context));
    terminal.press("one\r");
    assert!(terminal.lines().is_empty());
    terminal.connection.call(|context| screen.resume(context));
    terminal.show();
    assert_eq!(terminal.lines(), ["one"]);
}
