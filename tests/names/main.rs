//! Names: look-ups that never block, and resolvers.

mod connecting;
mod resolving;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod system;
#[path = "../connecting/targets.rs"]
mod targets;
#[cfg(target_os = "linux")]
#[path = "../support/unix.rs"]
mod unix;

use ropewalk::{Answer, Context, Reactor};
use std::cell::RefCell;
use std::rc::Rc;

/// The look-ups that a resolver has received, and not answered.
type Queries = Rc<RefCell<Vec<(String, Answer)>>>;

/// Sets a resolver that keeps its look-ups.
fn hanging(reactor: &mut Reactor) -> Queries {
    let queries = Queries::default();
    let kept = Rc::clone(&queries);
    reactor.set_resolver(move |_: &mut Context, host: &str, port: u16, answer: Answer| {
        kept.borrow_mut().push((format!("{host} {port}"), answer));
        None
    });
    queries
}

/// Takes the only look-up.
fn take(queries: &Queries) -> Answer {
    let (_, answer) = queries.borrow_mut().pop().expect("a look-up");
    assert!(queries.borrow().is_empty());
    answer
}
