//! The two checks of the store.

use super::wire::Change;
use super::{Shared, Values};
use std::fmt;

/// The results of the checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// The failure of the full check: each request is answered after the backup has it, and at the end both nodes have
    /// the values that the requests result in.
    pub(crate) full: Option<String>,
    /// The failure of the blind check: at the end the backup has, for each key that was put, the last value.
    pub(crate) blind: Option<String>,
}

impl Verdict {
    pub(super) fn of(shared: &Shared) -> Self {
        let requests = shared.requests.borrow();
        let (mut expected, mut put) = (Values::new(), Values::new());
        for request in requests.iter() {
            request.apply(&mut expected);
            if let Change::Put { .. } = request.change {
                request.apply(&mut put);
            }
        }
        let (primary, backup) = (shared.primary.borrow(), shared.backup.borrow());
        let unsafe_answer = shared.unsafe_answer.borrow();
        let too_early = unsafe_answer
            .as_ref()
            .map(|request| format!("request `{request}` was answered before the backup had it"));
        let clients = shared.clients.borrow();
        let unanswered: usize = clients.iter().map(super::client::Client::unanswered).sum();
        let full = too_early
            .or_else(|| (unanswered > 0).then(|| format!("{unanswered} requests have no answer")))
            .or_else(|| difference("the primary", &primary.values, &expected))
            .or_else(|| difference("the backup", &backup.values, &expected));
        let mut kept = backup.values.clone();
        kept.retain(|key, _| put.contains_key(key));
        Self { full, blind: difference("the backup", &kept, &put) }
    }
}

fn difference(node: &str, values: &Values, expected: &Values) -> Option<String> {
    let keys = expected.keys().chain(values.keys());
    let differs = |key: &&String| values.get(*key) != expected.get(*key);
    keys.into_iter().find(differs).map(|key| {
        let (held, due) = (Held(values.get(key)), Held(expected.get(key)));
        format!("{node} has {held} for `{key}`, expected {due}")
    })
}

struct Held<'a>(Option<&'a i64>);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}
