//! The commands in the chapter on the journal, and their output.
//!
//! The journal is that of a simulated world, so it is the same each time. To write the present output into the chapter:
//!
//!     UPDATE_CHAPTER=1 cargo test -p ropewalk-journal --test journal chapter

use crate::support::{Asker, Folder};
use ropewalk_protocols::Echo;
use ropewalk_simulation::World;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/journal.md");

/// Writes the journal of an echo.
fn write_journal(path: &Path) {
    let mut world = World::new(1);
    world.write_journal(fs::File::create(path).unwrap());
    let echo = || Echo;
    world.add_node("server", move |reactor| reactor.listen_tcp("0.0.0.0:7000", echo).map(drop));
    let asker = || Asker;
    world.add_node("client", move |reactor| {
        reactor.time_callbacks(true);
        reactor.connect_tcp("server:7000", asker).map(drop)
    });
    world.run_for(Duration::from_secs(1));
}

/// Runs a command line in a folder. Returns its output.
fn run(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_ropewalk-journal")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", line]).current_dir(folder).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the chapter with the output of its commands as it is now.
fn with_output(text: &str, folder: &Path) -> String {
    let mut updated = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        updated += line;
        updated.push('\n');
        let Some(command) = line.strip_prefix("$ ropewalk-journal ") else { continue };
        let is_there = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
        let is_skipped = command.contains("tshark") && !is_there("tshark");
        if is_skipped {
            println!("tshark is not installed: skipped");
            continue;
        }
        updated += &run(&format!("ropewalk-journal {command}"), folder);
        while lines.next_if(|line| !line.starts_with("```") && !line.starts_with("$ ")).is_some() {}
    }
    updated
}

#[test]
#[cfg(unix)]
fn chapter_shows_the_output_of_its_commands() {
    let folder = Folder::new();
    write_journal(&folder.file("echo.journal"));
    let text = fs::read_to_string(CHAPTER).unwrap();
    let updated = with_output(&text, folder.file("echo.journal").parent().unwrap());
    if std::env::var_os("UPDATE_CHAPTER").is_some() {
        fs::write(CHAPTER, &updated).unwrap();
    }
    for (number, (shown, now)) in text.lines().zip(updated.lines()).enumerate() {
        assert_eq!(shown, now, "line {} of docs/journal.md", number + 1);
    }
    assert_eq!(text, updated);
}
