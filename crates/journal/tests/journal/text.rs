//! Records as lines, and their selection.

use crate::support::{Folder, echo, lines, run_program};
use ropewalk_journal::reading::Filter;
use std::fs;
use std::time::Duration;

#[test]
fn connection_selects_its_records() {
    let file = echo(false);
    let all = lines(&file, &Filter::default());
    let of_echo = all.iter().find(|line| line.contains("data_received")).unwrap();
    let id = of_echo.split_whitespace().nth(1).unwrap().to_owned();
    let selected = lines(&file, &Filter { connection: Some(id.clone()), ..Filter::default() });
    let expected = |line: &&String| line.split_whitespace().nth(1) == Some(&*id);
    assert_eq!(selected, all.iter().filter(expected).cloned().collect::<Vec<_>>());
    assert!(selected.len() > 5, "{selected:#?}");
}

#[test]
fn callback_selects_its_calls() {
    let file = echo(false);
    for (name, count) in [
        ("data_received", 2),
        ("Echo::data_received", 1),
        ("Asker::data_received", 1),
        ("Other::data_received", 0),
        ("received", 0),
    ] {
        let filter = Filter { callback: Some(name.to_owned()), ..Filter::default() };
        assert_eq!(lines(&file, &filter).len(), count, "{name}");
    }
}

#[test]
fn times_select_a_span() {
    let file = echo(false);
    let time = |line: &str| line.split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let all = lines(&file, &Filter::default());
    let middle = Duration::from_secs_f64(time(&all[all.len() / 2]));
    let before = lines(&file, &Filter { to: Some(middle), ..Filter::default() });
    let after = lines(&file, &Filter { from: Some(middle), ..Filter::default() });
    assert!(before.len() + after.len() >= all.len());
    assert!(before.len() < all.len() && after.len() < all.len());
    assert!(after.iter().all(|line| time(line) >= middle.as_secs_f64() - 1e-9), "{after:#?}");
}

#[test]
fn program_prints_selected_lines() {
    let folder = Folder::new();
    let (path, file) = (folder.file("echo.journal"), echo(false));
    fs::write(&path, &file).unwrap();
    let arguments = ["--callback", "Echo::data_received", path.to_str().unwrap()];
    let (code, out, error) = run_program(&arguments);
    assert_eq!((code, &*error), (0, ""));
    assert!(out.ends_with("Echo         data_received 5 bytes\n") && out.lines().count() == 1);
}

#[test]
fn cut_off_file_is_shown_up_to_its_end() {
    let folder = Folder::new();
    let (path, file) = (folder.file("cut.journal"), echo(false));
    fs::write(&path, &file[..file.len() - 7]).unwrap();
    let (code, out, error) = run_program(&[path.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert_eq!(out.lines().count(), lines(&file, &Filter::default()).len() - 1);
    let place = format!("malformed at byte {}: the file ends within a record", file.len() - 16);
    assert!(error.contains(&place), "{error}");
}

#[test]
fn wrong_arguments_name_the_help() {
    for wrong in [&["--nonsense", "file"][..], &[], &["a", "b"], &["--from", "x", "a"]] {
        let (code, out, error) = run_program(wrong);
        assert_eq!((code, &*out), (2, ""), "{wrong:?}");
        assert!(error.ends_with("--help lists the options\n"), "{error}");
    }
    assert!(run_program(&["--help"]).1.contains("--connection ID"));
}
