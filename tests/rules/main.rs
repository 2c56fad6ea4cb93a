//! Rules about the sources: which file may use what, and how long files and functions may be.

mod chapters;
mod code;
mod context;
mod exercises;
mod floors;
mod guarded;
mod links;
mod sizes;

use code::{Source, has_word, sources};
use std::collections::BTreeMap;

/// The members of the workspace that users depend on.
const MEMBERS: [&str; 3] = ["protocols/src", "crates", "simulation/src"];

/// Checks that `word` occurs in the files below the allowed paths only.
fn only_in(word: &str, folder: &'static str, allowed: &[&str]) {
    for source in sources(folder) {
        let path = &source.path;
        let allowed = allowed.iter().any(|allowed| path.starts_with(allowed));
        assert!(
            allowed || !has_word(source.without_tests(), word),
            "{} has {word}",
            path.display()
        );
    }
}

#[test]
fn the_clock_is_read_in_one_place() {
    only_in("Instant::now", "src", &["src/sys/system.rs"]);
    only_in("SystemTime", "src", &[]);
    for folder in ["protocols/src", "crates/chat/src"] {
        only_in("Instant::now", folder, &[]);
    }
}

#[test]
fn randomness_comes_from_a_seed() {
    for folder in ["src", "protocols/src", "crates/chat/src", "simulation/src"] {
        // Their order differs from run to run.
        for word in ["HashMap", "HashSet", "RandomState"] {
            only_in(word, folder, &["simulation/src/twice.rs"]);
        }
    }
    // The start of the simulated time, and the duration of a test.
    let clocks =
        ["simulation/src/net/mod.rs", "simulation/src/explore.rs", "simulation/src/twice.rs"];
    only_in("Instant::now", "simulation/src", &clocks);
    only_in("thread::spawn", "simulation/src", &[]);
}

#[test]
fn the_system_is_used_in_sys_only() {
    for word in ["socket2", "rustix", "nix::", "std::os", "mio"] {
        only_in(word, "src", &["src/sys"]);
    }
    for member in MEMBERS {
        only_in("mio", member, &[]);
    }
}

#[test]
fn nothing_above_sys_names_a_kind_of_backend() {
    for word in ["simulated", "is_simulated", "Simulated", "Poller", "is_system"] {
        only_in(word, "src", &["src/sys"]);
    }
    // The system is chosen where a reactor is made.
    only_in("System", "src", &["src/sys", "src/reactor/mod.rs"]);
}

#[test]
fn the_core_has_no_globals_and_shared_cells() {
    for word in ["RefCell", "Rc<", "thread_local!", "OnceLock", "LazyLock", "static mut"] {
        only_in(word, "src", &["src/sys"]);
    }
}

#[test]
fn threads_and_locks_are_in_few_places() {
    let threads = ["src/api/handle.rs", "src/reactor/group", "src/sys/pool.rs", "src/sys/signals"];
    only_in("std::thread", "src", &threads);
    let locks = ["src/api/channel.rs", "src/api/handle.rs", "src/sys/pool.rs", "src/sys/signals"];
    only_in("Mutex", "src", &locks);
}

#[test]
fn only_the_dispatcher_calls_users() {
    only_in("catch_unwind", "src", &["src/values/guard.rs"]);
    for word in [".data_received(", ".connection_lost(", ".connection_made(", ".build("] {
        only_in(word, "src", &["src/reactor", "src/api/protocol.rs"]);
    }
    for word in [".start_protocol(", ".datagram_received(", ".stop_protocol("] {
        only_in(word, "src", &["src/reactor", "src/api/datagram_protocol.rs"]);
    }
}

#[test]
fn differences_between_systems_are_in_platform_files() {
    only_in("target_os", "src", &["src/sys/platform"]);
}

#[test]
fn a_type_name_occurs_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Source { path, code, .. } in sources("src") {
        let code = code.split("#[cfg(test)]\nmod").next().unwrap_or_default();
        for name in code.lines().filter_map(type_name) {
            places.entry(name.to_owned()).or_default().push(path.display().to_string());
        }
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "the same name: {places:#?}");
}

/// Returns the name of the type that a line defines.
fn type_name(line: &str) -> Option<&str> {
    let line =
        line.trim_start_matches("pub").trim_start_matches("(crate)").trim_start_matches("(super)");
    let (kind, rest) = line.trim_start().split_once(' ')?;
    let defines = ["struct", "enum", "trait", "union", "type"].contains(&kind);
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    (defines && !line.starts_with("    ")).then_some(&rest[..end])
}

#[test]
fn members_use_the_public_interface_only() {
    // The compiler lets them use nothing else, unless something public is hidden from the documentation.
    only_in("doc(hidden)", "src", &[]);
    for member in MEMBERS {
        only_in("include!", member, &[]);
    }
}
