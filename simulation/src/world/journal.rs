//! The journals of all nodes in one file.

use crate::world::World;
use ropewalk::journal::{Cursor, Journal, Observer};
use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::rc::Rc;

/// What receives the journals of all reactors. It is shared by their observers.
#[derive(Clone)]
pub(crate) struct Journals(Rc<RefCell<Output>>);

struct Output {
    /// `None` after a write has failed.
    out: Option<Box<dyn Write>>,
    /// The number of reactors that have written records: a node that starts again has a new one.
    reactors: u64,
    buffer: Vec<u8>,
}

impl fmt::Debug for Journals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journals").finish_non_exhaustive()
    }
}

/// The observer of a node's reactor.
#[derive(Debug)]
struct NodeJournal {
    journals: Journals,
    name: String,
    cursor: Option<Cursor>,
}

impl Journals {
    fn new(out: impl Write + 'static) -> Self {
        let out: Option<Box<dyn Write>> = Some(Box::new(out));
        Self(Rc::new(RefCell::new(Output { out, reactors: 0, buffer: Vec::new() })))
    }

    /// Returns the observer for a new reactor of this node.
    pub(crate) fn observer(&self, name: String) -> impl Observer {
        NodeJournal { journals: self.clone(), name, cursor: None }
    }
}

impl Observer for NodeJournal {
    fn turn_ended(&mut self, journal: &Journal) {
        let Output { out, reactors, buffer } = &mut *self.journals.0.borrow_mut();
        let Some(write) = out else { return };
        let cursor = self.cursor.get_or_insert_with(|| {
            *reactors += 1;
            Cursor::of_node(*reactors - 1, &self.name)
        });
        buffer.clear();
        journal.encode(cursor, buffer);
        if let Err(error) = write.write_all(buffer) {
            log::error!("cannot write the journal of the world: {error}; it ends here");
            *out = None;
        }
    }
}

impl World {
    /// Writes the [journals](Journal) of all nodes to `out`, as a journal file: the records of each turn when it ends,
    /// in the order in which the world runs the turns: that of simulated time. The program `ropewalk-journal` of the crate of that name reads it.
    ///
    /// A record has the name of its node, and the time that the node's clock shows, counted from the begin of the world.
    /// The same seed gives the same bytes. If a write fails, an error is logged and nothing more is written.
    ///
    /// ```
    /// use ropewalk_simulation::World;
    /// use std::fs::File;
    /// use std::io::BufWriter;
    ///
    /// let path = std::env::temp_dir().join("ropewalk-world.journal");
    /// let mut world = World::new(1);
    /// world.write_journal(BufWriter::new(File::create(&path)?));
    /// world.add_node("node", |_reactor| Ok(()));
    /// world.run_for(std::time::Duration::from_secs(1));
    /// drop(world);
    /// assert!(std::fs::read(&path)?.starts_with(b"ropewalk journal"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_journal(&mut self, out: impl Write + 'static) {
        let journals = Journals::new(out);
        let net = self.net().clone();
        for (node, host) in self.nodes.iter_mut().zip(&net.borrow().hosts) {
            if let Some(reactor) = &mut node.reactor {
                reactor.add_observer(journals.observer(host.name.clone()));
            }
        }
        self.journals = Some(journals);
    }
}
