//! Rules about the sources: which file may use what, and how long files and functions may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of `src/`, from the lowest to the highest. A file uses its own floor or a lower one.
const FLOORS: [&str; 5] = ["values", "sys", "source", "api", "reactor"];

/// A source file: its path from the root of the repository, its text, and its code without comments and unit tests.
struct Source {
    path: PathBuf,
    text: String,
    code: String,
}

/// All Rust files below a folder.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
                let code: Vec<&str> =
                    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                let code = code.join("\n");
                found.push(Source { path: path.strip_prefix(root).unwrap().into(), text, code });
            }
        }
    }
    assert!(found.len() > 3, "{folder} has sources");
    found
}

/// Checks that `word` occurs in the files below the allowed paths only.
fn only_in(word: &str, folder: &str, allowed: &[&str]) {
    for Source { path, code, .. } in sources(folder) {
        let allowed = allowed.iter().any(|allowed| path.starts_with(allowed));
        assert!(allowed || !has_word(&code, word), "{} has {word}", path.display());
    }
}

/// Returns true if `word` occurs in `code` and is not the end of a longer name: `nix::` does not occur in `unix::`.
fn has_word(code: &str, word: &str) -> bool {
    let begins_a_name = word.starts_with(|c: char| c.is_alphanumeric());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| !begins_a_name || !code[..at].ends_with(is_part))
}

/// The modules that a file of `src/` names, each as the words behind `crate::`.
fn used_modules(code: &str) -> Vec<Vec<String>> {
    let paths = code.split("crate::").skip(1);
    let words = paths.map(|path| {
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        path[..end.unwrap_or(path.len())].split("::").map(str::to_owned).collect()
    });
    words.collect()
}

fn floor(path: &Path) -> Option<usize> {
    let name = path.iter().nth(1)?.to_str()?;
    FLOORS.iter().position(|floor| *floor == name)
}

#[test]
fn imports_point_to_the_same_floor_or_below() {
    for Source { path, code, .. } in sources("src") {
        let Some(own) = floor(&path) else {
            assert!(path.parent() == Some(Path::new("src")), "{} is on no floor", path.display());
            continue;
        };
        for used in used_modules(&code) {
            let other = FLOORS.iter().position(|floor| *floor == used[0]);
            let other = other.unwrap_or_else(|| {
                panic!("{} uses crate::{} without its floor", path.display(), used.join("::"))
            });
            assert!(other <= own, "{} uses crate::{}", path.display(), used.join("::"));
        }
    }
}

#[test]
fn import_cycles_exist_inside_api_only() {
    let sources = sources("src");
    let modules: BTreeMap<String, &Source> = sources
        .iter()
        .filter(|source| floor(&source.path).is_some())
        .map(|source| (module_of(&source.path), source))
        .collect();
    let uses: BTreeMap<&str, BTreeSet<&str>> = modules
        .iter()
        .map(|(module, source)| (module.as_str(), files_used(&source.code, module, &modules)))
        .collect();
    for module in uses.keys() {
        let cyclic = uses[module].iter().any(|used| reaches(&uses, used, module));
        assert!(!cyclic || module.starts_with("api"), "{module} is part of a cycle of imports");
    }
}

/// The module of a file: `source::stream::limits` for `src/source/stream/limits.rs`.
fn module_of(path: &Path) -> String {
    let path = path.strip_prefix("src").unwrap().with_extension("");
    let words: Vec<&str> = path.iter().filter_map(|word| word.to_str()).collect();
    words.join("::").trim_end_matches("::mod").to_owned()
}

/// The modules that define the names that a file uses. Its own module's children are not among
/// them, nor are its parents: a folder's `mod.rs` and its other files make one unit.
fn files_used<'a>(
    code: &str,
    own: &str,
    modules: &'a BTreeMap<String, &Source>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for used in used_modules(code) {
        let longest = (1..=used.len()).rev().find_map(|count| {
            let module = used[..count].join("::");
            modules.get_key_value(&module).map(|(module, _)| module.as_str())
        });
        let related = |other: &str| other.starts_with(own) || own.starts_with(other);
        found.extend(longest.filter(|module| !related(module)));
    }
    found
}

fn reaches(uses: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            next.extend(uses[module].iter().copied());
        }
    }
    false
}

#[test]
fn the_clock_is_read_in_one_place() {
    only_in("Instant::now", "src", &["src/sys/clock.rs"]);
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
    only_in("mio", "protocols/src", &[]);
    only_in("mio", "crates/chat/src", &[]);
}

#[test]
fn the_core_has_no_globals_and_shared_cells() {
    for word in ["RefCell", "Rc<", "thread_local!", "OnceLock", "LazyLock", "static mut"] {
        only_in(word, "src", &["src/sys"]);
    }
}

#[test]
fn threads_and_locks_connect_reactors_only() {
    only_in("std::thread", "src", &["src/reactor/group"]);
    only_in("Mutex", "src", &["src/api/channel.rs", "src/api/handle.rs", "src/sys/signals.rs"]);
}

#[test]
fn only_the_dispatcher_calls_users() {
    only_in("catch_unwind", "src", &["src/reactor/guard.rs"]);
    for word in [".data_received(", ".connection_lost(", ".connection_made(", ".build("] {
        only_in(word, "src", &["src/reactor", "src/api/protocol.rs"]);
    }
    for word in [".start_protocol(", ".datagram_received(", ".stop_protocol("] {
        only_in(word, "src", &["src/reactor", "src/api/datagram_protocol.rs"]);
    }
}

#[test]
fn files_have_at_most_350_lines() {
    let long: Vec<String> = sources("src")
        .into_iter()
        .filter(|source| source.text.lines().count() > 350)
        .map(|source| format!("{}: {}", source.path.display(), source.text.lines().count()))
        .collect();
    assert!(long.len() <= 9, "too long: {long:#?}");
}
