//! Members of a group: reactors on threads, before the run.

use crate::api::context::Context;
use crate::api::factory::Factory;
use crate::api::handle::Handle;
use crate::api::journal::Observer;
use crate::api::listener::Port;
use crate::reactor::Reactor;
use crate::reactor::group::GroupHandle;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;
use crate::values::options::ListenOptions;
use crate::values::to_addresses::ToAddresses;
use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// One reactor of a group, as seen by the calls on its thread before the run.
#[derive(Debug)]
pub struct Member<'a> {
    pub(super) index: usize,
    pub(super) group: &'a GroupHandle,
    pub(super) reactor: &'a mut Reactor,
}

impl Member<'_> {
    /// Returns the index of the reactor, from 0: the position of its handle in the group's list.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the context of the reactor.
    pub fn context(&mut self) -> &mut Context {
        self.reactor.context()
    }

    /// Returns the handle of the group: the handles of the other reactors, and the stop of all.
    pub fn group(&self) -> &GroupHandle {
        self.group
    }

    /// Adds an observer to the reactor, as [`Reactor::add_observer`].
    pub fn add_observer(&mut self, observer: impl Observer) {
        self.reactor.add_observer(observer);
    }

    pub(super) fn listen<F: Factory>(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
        make: &impl Fn(&mut Member<'_>) -> F,
    ) -> Result<Port, Error> {
        let factory = make(self);
        options.listen_tcp(self.context(), address, factory)
    }
}

/// A reactor's thread, and the queue of calls for it while it does not run.
#[derive(Debug)]
pub(super) struct Worker {
    /// The thread ends when this is dropped.
    pub(super) orders: Option<mpsc::Sender<Order>>,
    /// Taken by the caller that joins the thread.
    pub(super) thread: Option<JoinHandle<()>>,
}

pub(super) type Order = Box<dyn FnOnce(&mut Reactor) + Send>;

impl Worker {
    pub(super) fn start(index: usize) -> Result<(Self, Handle), Error> {
        let (orders, given) = mpsc::channel::<Order>();
        let (tell, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(format!("ropewalk-{index}"))
            .spawn(move || match Reactor::new() {
                Ok(mut reactor) => {
                    let _ = tell.send(Ok(reactor.handle()));
                    given.into_iter().for_each(|order| order(&mut reactor));
                }
                Err(error) => _ = tell.send(Err(error)),
            })
            .map_err(|cause| failed_plainly("start a reactor", "", cause))?;
        let worker = Self { orders: Some(orders), thread: Some(thread) };
        let ended =
            || failed_plainly("start a reactor", "", io::Error::other("the thread has ended"));
        let handle = started.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok((worker, handle))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // The panic has been printed already.
            let _ = thread.join();
        }
    }
}
