//! Files that are cut off, changed or no journal at all.

use crate::support::{echo, run_program};
use ropewalk_journal::reading::{self, Failure, Filter};
use std::io;

type Form = fn(&[u8]) -> Result<u64, Failure>;

/// All forms.
const FORMS: [Form; 5] = [
    |file| reading::write_text(file, &Filter::default(), &mut io::sink()),
    |file| reading::write_explanation(file, &Filter::default(), &mut io::sink()),
    |file| reading::write_chrome(file, &mut io::sink()),
    |file| reading::write_pcapng(file, &mut io::sink()),
    |file| reading::write_statistics(file, &mut io::sink()),
];

#[test]
fn every_truncation_is_read_to_its_end() {
    let file = echo(true);
    for form in FORMS {
        for length in 0..file.len() {
            let read = form(&file[..length]);
            let is_whole = length % 16 == 0 && length > 0;
            match read {
                Ok(_) => assert!(is_whole, "{length}"),
                Err(Failure::Malformed(offset, _)) => {
                    assert!(!is_whole && offset == length as u64 / 16 * 16, "{length}: {offset}");
                }
                Err(other) => panic!("{length}: {other}"),
            }
        }
    }
}

#[test]
fn changed_bytes_are_errors_or_other_records() {
    let file = echo(true);
    let mut random = 1_u32;
    for _ in 0..5_000 {
        let mut changed = file.clone();
        for _ in 0..3 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = random as usize / 256 % changed.len();
            changed[at] ^= (random >> 3) as u8 | 1;
        }
        for form in FORMS {
            match form(&changed) {
                Ok(_) => {}
                Err(Failure::Malformed(offset, _)) => {
                    assert!(offset % 16 == 0 && offset < file.len() as u64);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn file_that_is_no_journal_is_an_error() {
    for file in [&b""[..], b"\x7fELF and more than 16 bytes", b"short"] {
        for form in FORMS {
            assert!(matches!(form(file), Err(Failure::Malformed(0, _))));
        }
    }
    let (code, _, error) = run_program(&[file!()]);
    assert_eq!(code, 1);
    assert!(error.contains(file!()), "{error}");
}
