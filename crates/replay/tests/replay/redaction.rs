//! Redacted recordings.

use crate::streams::{echo, talk};
use crate::support::{Memory, record, record_with, replay};
use ropewalk::backend::System;
use ropewalk_replay::{Recorder, redact};
use std::io::Cursor;

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn redacted_recording_has_lengths_and_no_bytes() {
    let memory = Memory::default();
    let recorder = Recorder::redacted(System::new().unwrap(), memory.clone(), "").unwrap();
    let recorded = record_with(recorder, memory, echo, |address, _| talk(address));
    assert!(!contains(&recorded.bytes, b"hello") && contains(&recorded.bytes, b"xxxxxxx\n"));
    // An echo does the same with other bytes.
    let replayed = replay(&recorded.bytes, echo);
    assert!(replayed.summary.ending.is_complete(), "{}", replayed.summary.ending);
    assert_ne!(replayed.callbacks, recorded.callbacks);
    assert_eq!(replayed.callbacks.len(), recorded.callbacks.len());
}

#[test]
fn finished_recording_can_be_redacted() {
    let recorded = record(echo, |address, _| talk(address));
    let memory = Memory::default();
    redact(Cursor::new(recorded.bytes.clone()), memory.clone()).unwrap();
    let redacted = memory.bytes();
    assert!(contains(&recorded.bytes, b"hello") && !contains(&redacted, b"hello"));
    let replayed = replay(&redacted, echo);
    assert!(replayed.summary.ending.is_complete(), "{}", replayed.summary.ending);
    assert!(redact(Cursor::new(recorded.bytes[..200].to_vec()), memory).is_err());
}
