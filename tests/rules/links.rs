//! The Markdown files: their links, their anchors and the files that they name exist, and the book has all chapters.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Endings of files that a page may name in backquotes.
const NAMED: [&str; 6] = [".rs", ".md", ".toml", ".svg", ".sh", ".html"];

/// A page, without its code blocks.
struct Page {
    /// The text outside of backquotes.
    prose: String,
    /// The words in backquotes.
    quoted: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Returns the files of the repository, with paths from its root.
fn files() -> BTreeSet<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["target", ".git", "corpus", "artifacts"].contains(&name) {
                folders.push(path);
            } else if path.is_file() {
                found.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

/// Returns the pages among the files.
fn pages(files: &BTreeSet<PathBuf>) -> BTreeMap<&Path, Page> {
    let paths = files.iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    paths.map(|path| (path.as_path(), page(&fs::read_to_string(path).unwrap()))).collect()
}

fn page(whole: &str) -> Page {
    let (mut text, mut fenced) = (String::new(), false);
    let (mut anchors, mut headings) = (BTreeSet::new(), BTreeMap::new());
    for line in whole.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            text += line;
            text.push('\n');
            if line.starts_with('#') {
                let anchor = anchor_of(line.trim_start_matches('#').trim());
                let count = headings.entry(anchor.clone()).or_insert(0);
                anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                *count += 1;
            }
        }
    }
    let (quoted, prose): (Vec<_>, Vec<_>) =
        text.split('`').enumerate().partition(|(number, _)| number % 2 == 1);
    Page {
        prose: prose.into_iter().map(|(_, text)| text).collect(),
        quoted: quoted.into_iter().map(|(_, text)| text.to_owned()).collect(),
        anchors,
    }
}

/// Returns the anchor of a heading, as code hosts and mdBook form it.
fn anchor_of(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the targets of links: `[text](target)` and, in a line of its own, `[text]: target`.
fn links(prose: &str) -> Vec<&str> {
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next());
    let defined = prose.lines().filter(|line| line.starts_with('['));
    let defined = defined.filter_map(|line| line.split_once("]: ")).map(|(_, target)| target);
    inline.chain(defined).filter(|target| !target.contains("://")).collect()
}

/// Returns a path without `..`; none if it leaves the root.
fn resolved(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_owned();
    for component in Path::new(target).components() {
        match component {
            Component::ParentDir => path.pop().then_some(())?,
            component => path.push(component),
        }
    }
    Some(path)
}

/// Returns why a link leads nowhere; none if it does not.
fn broken(
    page: &Path,
    link: &str,
    files: &BTreeSet<PathBuf>,
    pages: &BTreeMap<&Path, Page>,
) -> Option<&'static str> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = if target.is_empty() { Some(page.to_owned()) } else { resolved(page, target) };
    let Some(path) = path else { return Some("leaves the repository") };
    if !files.contains(&path) && !files.iter().any(|file| file.starts_with(&path)) {
        return Some("no such file");
    }
    let known = pages.get(path.as_path()).is_some_and(|page| page.anchors.contains(anchor));
    (!anchor.is_empty() && !known).then_some("no such heading")
}

#[test]
fn links_of_markdown_files_lead_somewhere() {
    let files = files();
    let pages = pages(&files);
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, page) in &pages {
        for link in links(&page.prose) {
            count += 1;
            if let Some(why) = broken(path, link, &files, &pages) {
                faults.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 100, "the links are read: {count}");
}

#[test]
fn files_named_by_markdown_files_exist() {
    let files = files();
    let names: BTreeSet<PathBuf> = files.iter().flat_map(|file| ends(file)).collect();
    let mut missing = Vec::new();
    for (path, page) in pages(&files) {
        // The changes name files that no longer exist.
        let quoted = page.quoted.iter().filter(|_| path != Path::new("CHANGELOG.md"));
        let named = quoted.filter(|word| NAMED.iter().any(|end| word.ends_with(end)));
        let named =
            named.filter(|word| !word.contains([' ', '*', '<']) && !word.starts_with("target/"));
        let unknown = named.filter(|word| !names.contains(Path::new(word)));
        missing.extend(unknown.map(|word| format!("{}: {word}", path.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Returns a path, and its parts that a text may name it by: `turn.rs`, `reactor/turn.rs` and so on.
fn ends(path: &Path) -> Vec<PathBuf> {
    let words: Vec<_> = path.iter().collect();
    (0..words.len()).map(|from| words[from..].iter().collect()).collect()
}

#[test]
fn the_book_has_every_page_of_docs_once() {
    let files = files();
    let pages = pages(&files);
    let summary = Path::new("docs/SUMMARY.md");
    let mut chapters: Vec<PathBuf> =
        links(&pages[summary].prose).iter().filter_map(|link| resolved(summary, link)).collect();
    chapters.sort();
    let in_docs = chapters.iter().filter(|path| path.starts_with("docs"));
    let expected = pages.keys().filter(|path| path.starts_with("docs") && **path != summary);
    assert!(in_docs.eq(expected), "{chapters:#?}");
    for page in &chapters {
        for link in links(&pages[page.as_path()].prose) {
            let target = resolved(page, link.split('#').next().unwrap_or_default()).unwrap();
            let in_html = target.extension() != Some("md".as_ref()) || chapters.contains(&target);
            assert!(in_html, "{}: {link} is not in docs/SUMMARY.md", page.display());
        }
    }
}

#[test]
fn pictures_have_words_and_are_small() {
    let files = files();
    let pictures: Vec<_> = files.iter().filter(|path| path.starts_with("docs/pictures")).collect();
    assert!(pictures.len() >= 5, "the pictures are read");
    for path in pictures {
        let text = fs::read_to_string(path).unwrap();
        let described = ["<title ", "<desc ", "<text ", "prefers-color-scheme: dark"];
        let lacking: Vec<_> = described.iter().filter(|part| !text.contains(**part)).collect();
        assert!(lacking.is_empty(), "{}: no {lacking:?}", path.display());
        assert!(text.len() <= 20 * 1024, "{} has {} bytes", path.display(), text.len());
    }
}

#[test]
fn anchors_are_those_of_code_hosts() {
    assert_eq!(anchor_of("12. Work that blocks"), "12-work-that-blocks");
    assert_eq!(anchor_of("This is now `src/reactor/`"), "this-is-now-srcreactor");
    let page = page("# A\n```rust\n# hidden\n```\n## A\n[x](y.md#z) `[a](b)`\n[d]: e\n");
    assert_eq!(page.anchors, ["a".to_owned(), "a-1".to_owned()].into());
    assert_eq!(links(&page.prose), ["y.md#z", "e"]);
}
