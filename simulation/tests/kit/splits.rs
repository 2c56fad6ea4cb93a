//! Splits of the input.

use crate::support::{Reverse, panic_message};
use ropewalk_protocols::{Delimiter, LineReceiver};
use ropewalk_simulation::kit::{Split, TestConnection, assert_same_for_every_split, splits};

#[test]
fn lines_are_the_same_in_every_split() {
    let input = b"drawer\r\nlive\n\r\nthis is too long for it\nbye\r\nnot received\r\n";
    let answer = assert_same_for_every_split(input, |split| {
        let protocol = || LineReceiver::new(Reverse).max_length(12).delimiter(Delimiter::NEWLINE);
        let mut connection = TestConnection::new(protocol);
        connection.feed_in(split);
        (connection.take_text(), connection.reason().map(|reason| reason.to_string()))
    });
    let text = "reward\nevil\n\ntoo long\neyb\n".to_owned();
    assert_eq!(answer, (text, Some("closed by us".to_owned())));
}

#[test]
fn a_protocol_that_depends_on_splits_is_detected() {
    let message = panic_message(|| {
        assert_same_for_every_split(b"abab", |split| {
            // It counts the chunks that contain "ba".
            split.pieces().filter(|piece| piece.windows(2).any(|pair| pair == b"ba")).count()
        })
    });
    assert!(message.contains("split: \"a\" | \"b\" | \"a\" | \"b\""), "{message}");
    assert!(message.contains("outcome: 0\nin one chunk: 1"), "{message}");
}

#[test]
fn splits_are_whole_bytes_twos_pairs_random() {
    let input = b"0123456789";
    let all: Vec<Split<'_>> = splits(input).collect();
    assert_eq!(all.len(), 2 + 9 + 36 + 100);
    assert_eq!(all[0], Split::whole(input));
    assert_eq!(all[1].pieces().count(), 10);
    assert_eq!(all[2], Split::at(input, [1]));
    assert_eq!(all[11], Split::at(input, [1, 2]));
    assert_eq!(all[46], Split::at(input, [8, 9]));
    assert_eq!(all[50], Split::random(input, 3));
    for split in &all {
        assert_eq!(split.pieces().collect::<Vec<_>>().concat(), input);
        assert!(split.pieces().all(|piece| !piece.is_empty()));
    }
    let lengths: Vec<usize> = all[47..].iter().map(|split| split.pieces().count()).collect();
    assert!(lengths.contains(&1) && lengths.iter().any(|count| *count > 5), "{lengths:?}");

    assert_eq!(splits(b"").map(|split| split.pieces().count()).sum::<usize>(), 0);
    assert_eq!(splits(&[b'x'; 1000]).count(), 2 + 999 + 100);
    assert!(panic_message(|| Split::at(input, [10])).contains("invalid cuts"));
    assert!(panic_message(|| Split::at(input, [3, 3])).contains("invalid cuts"));
}
