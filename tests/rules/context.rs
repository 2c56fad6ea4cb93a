//! The number of methods of `Context`.

use crate::code::sources;

/// Returns the names of the public methods of `Context`: those of its `impl` blocks in `src/api`.
fn methods() -> Vec<String> {
    let mut methods = Vec::new();
    for source in sources("src/api") {
        let blocks = source.code.split("\nimpl Context {").skip(1);
        let blocks = blocks.filter_map(|block| block.split("\n}").next());
        let names = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("    pub fn "));
        methods.extend(names.filter_map(|name| Some(name.split(['(', '<']).next()?.to_owned())));
    }
    methods
}

#[test]
fn context_has_at_most_40_public_methods() {
    let methods = methods();
    assert!(methods.contains(&"transport".to_owned()), "the sources are read: {methods:?}");
    assert!(methods.len() <= 40, "{}: {methods:#?}", methods.len());
}
