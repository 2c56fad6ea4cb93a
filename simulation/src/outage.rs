//! Nodes that end without a word: of a power cut, and of a signal.

use crate::node::NodeId;
use crate::trace::What;
use crate::world::World;

/// # Outages
impl World {
    /// A node crashes: what it had in memory is lost, its protocols are told nothing, and nobody else
    /// hears of it. [`start`](Self::start) has it begin anew.
    pub fn crash(&mut self, node: NodeId) {
        let Some(reactor) = self.take_reactor(node) else {
            return;
        };
        {
            let mut net = self.net().borrow_mut();
            net.spent = 0;
            net.crash(node);
        }
        reactor.abandon();
        self.pass_panic_on();
    }

    /// The process of a node is killed, as by SIGKILL. As after a [crash](Self::crash) what it had in memory
    /// is lost, and its protocols are told nothing. But its system goes on, and closes the sockets, as
    /// close(2) does: what had been written is sent, and then the end; a connection of which something was
    /// unread, or that was not accepted yet, is reset, and so is one whose peer writes after that. Who
    /// connects is refused. [`start`](Self::start) has the program begin anew.
    pub fn kill(&mut self, node: NodeId) {
        let Some(reactor) = self.take_reactor(node) else {
            return;
        };
        {
            let mut net = self.net().borrow_mut();
            net.set_to_work(node);
            net.note(node, None, What::Killed);
            net.host_mut(node).told.clear();
        }
        reactor.abandon();
        self.pass_panic_on();
    }
}
