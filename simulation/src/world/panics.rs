//! Panics of callbacks, which fail the run.

use crate::node::NodeId;
use crate::world::World;
use std::fmt;
use std::thread;

/// Returns true if a panic with this message is allowed.
type Allows = Box<dyn Fn(&str) -> bool>;

/// The panics of a world.
#[derive(Default)]
pub(crate) struct Panics {
    allowed: Option<Allows>,
    /// The first panic that is not allowed and was not raised again.
    first: Option<String>,
}

impl Panics {
    /// Records a panic of a callback or a drop.
    pub(crate) fn note(&mut self, node: &str, name: &str, callback: &str, message: &str) {
        let allowed = self.allowed.as_ref().is_some_and(|allows| allows(message));
        if !allowed && self.first.is_none() {
            let text = format!("node {node}: panic in {callback} of {name}: {message}");
            self.first = Some(text);
        }
    }
}

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panics").field("first", &self.first).finish_non_exhaustive()
    }
}

/// # Panics of callbacks
impl World {
    /// Allows panics of callbacks with a message that `allowed` accepts: the run continues, as a reactor does.
    /// Other panics fail the run: see [above](World#a-panic-fails-the-run).
    ///
    /// ```
    /// use ropewalk_simulation::World;
    /// use std::time::Duration;
    ///
    /// let mut world = World::new(1);
    /// world.allow_panics(|message| message == "on purpose");
    /// world.add_node("careless", |reactor| {
    ///     reactor.context().call_later(Duration::ZERO, |_| panic!("on purpose"));
    ///     Ok(())
    /// });
    /// world.run_for(Duration::from_secs(1));
    /// ```
    pub fn allow_panics(&mut self, allowed: impl Fn(&str) -> bool + 'static) {
        self.net().borrow_mut().panics.allowed = Some(Box::new(allowed));
    }

    /// Takes the first panic that was not allowed.
    pub(crate) fn take_panic(&mut self) -> Option<String> {
        self.net().borrow_mut().panics.first.take()
    }

    /// Raises a panic again that a reactor has caught.
    #[track_caller]
    pub(crate) fn propagate_panic(&mut self) {
        if !thread::panicking()
            && let Some(message) = self.take_panic()
        {
            panic!("{message}");
        }
    }

    /// Drops the reactors of all nodes. Their protocols lose their connections.
    pub(crate) fn close(&mut self) {
        let nodes: Vec<NodeId> = self.nodes().collect();
        for node in nodes {
            drop(self.take_reactor(node));
        }
    }
}

/// Drops reactors while the network still exists. A callback that panics meanwhile fails the run.
impl Drop for World {
    fn drop(&mut self) {
        self.close();
        self.propagate_panic();
    }
}
