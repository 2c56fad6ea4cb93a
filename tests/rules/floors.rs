//! The floors of `src/`, and its imports.

use crate::code::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The floors of `src/`, from the lowest to the highest. A file uses its own floor or a lower one.
const FLOORS: [&str; 5] = ["values", "sys", "source", "api", "reactor"];

/// The modules with a cycle of imports: those of the contract, in which a callback is given what it calls.
const CYCLE: [&str; 19] = [
    "api::channel",
    "api::context",
    "api::datagram_protocol",
    "api::datagram_transport",
    "api::discard",
    "api::factory",
    "api::filter",
    "api::handle",
    "api::names",
    "api::process_protocol",
    "api::process_transport",
    "api::producer",
    "api::protocol",
    "api::signals",
    "api::thread_job",
    "api::timer",
    "api::transport",
    "api::trigger",
    "api::watch",
];

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
    for source in sources("src") {
        let path = &source.path;
        let Some(own) = floor(path) else {
            assert!(path.parent() == Some(Path::new("src")), "{} is on no floor", path.display());
            continue;
        };
        for used in used_modules(source.without_tests()) {
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
        .map(|(module, source)| {
            (module.as_str(), files_used(source.without_tests(), module, &modules))
        })
        .collect();
    let cyclic = |module: &&&str| uses[**module].iter().any(|used| reaches(&uses, used, module));
    let found: Vec<&str> = uses.keys().filter(cyclic).copied().collect();
    assert_eq!(found, CYCLE, "the modules that are part of a cycle");
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
