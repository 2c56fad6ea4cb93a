//! What the sources must not contain: rules that are absences.

use std::fs;
use std::path::{Path, PathBuf};

/// All files of a folder, with what the tests inside them and their comments contain taken out.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code: Vec<&str> =
                    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((path.strip_prefix(root).unwrap().to_owned(), code.join("\n")));
            }
        }
    }
    assert!(found.len() > 3, "{folder} has sources");
    found
}

/// That `word` stands in the files under the allowed paths only.
fn only_in(word: &str, folder: &str, allowed: &[&str]) {
    for (path, code) in sources(folder) {
        let allowed = allowed.iter().any(|allowed| path.starts_with(allowed));
        assert!(allowed || !code.contains(word), "{} has {word}", path.display());
    }
}

#[test]
fn the_clock_is_read_in_one_place() {
    only_in("Instant::now", "src", &["src/world/clock.rs"]);
    only_in("SystemTime", "src", &[]);
    for folder in ["protocols/src", "crates/chat/src"] {
        only_in("Instant::now", folder, &[]);
    }
}

#[test]
fn nothing_depends_on_chance_but_what_is_drawn_from_a_seed() {
    for folder in ["src", "protocols/src", "crates/chat/src", "simulation/src"] {
        // Their order differs from run to run.
        for word in ["HashMap", "HashSet", "RandomState"] {
            only_in(word, folder, &["simulation/src/twice.rs"]);
        }
    }
    // When the world began, and how long a test took.
    let clocks =
        ["simulation/src/net/mod.rs", "simulation/src/explore.rs", "simulation/src/twice.rs"];
    only_in("Instant::now", "simulation/src", &clocks);
    only_in("thread::spawn", "simulation/src", &[]);
}

#[test]
fn the_system_is_reached_through_the_world_only() {
    only_in("socket2", "src", &["src/world"]);
    only_in("rustix", "src", &["src/world"]);
    only_in("nix::", "src", &["src/world"]);
    only_in("mio", "src", &["src/world", "src/id.rs", "src/sources.rs", "src/signals.rs"]);
    only_in("std::os", "src", &["src/world"]);
    only_in("mio", "protocols/src", &[]);
    only_in("mio", "crates/chat/src", &[]);
}

#[test]
fn the_core_knows_neither_global_state_nor_shared_cells() {
    for word in ["RefCell", "Rc<", "thread_local!", "OnceLock", "LazyLock", "static mut"] {
        only_in(word, "src", &["src/guide.rs", "src/world"]);
    }
}

#[test]
fn threads_and_locks_are_where_reactors_meet_only() {
    only_in("std::thread", "src", &["src/group"]);
    only_in("Mutex", "src", &["src/channel.rs", "src/handle.rs", "src/signals.rs"]);
}

#[test]
fn users_are_called_from_the_dispatcher_only() {
    only_in("catch_unwind", "src", &["src/dispatch/guard.rs"]);
    for word in [".data_received(", ".connection_lost(", ".connection_made(", ".build("] {
        only_in(word, "src", &["src/dispatch", "src/protocol.rs"]);
    }
    for word in [".start_protocol(", ".datagram_received(", ".stop_protocol("] {
        only_in(word, "src", &["src/dispatch", "src/datagram_protocol.rs"]);
    }
}
