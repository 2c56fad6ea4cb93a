//! Implementations of calls from other threads, compared in this row.

use super::{Caller, Loop};
use ropewalk::{Handle, Reactor};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use std::error::Error;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use tokio::runtime::{self, Builder};
use tokio::sync::{Notify, mpsc as tokio_mpsc};

type Call = Box<dyn FnOnce() + Send>;

/// Ropewalk's: `Handle::call`.
pub(super) struct Ropewalk;

impl Loop for Ropewalk {
    type Caller = Handle;

    fn run(ready: impl FnOnce(Handle)) -> Result<(), Box<dyn Error>> {
        let mut reactor = Reactor::new()?;
        ready(reactor.handle());
        Ok(reactor.run()?)
    }
}

impl Caller for Handle {
    fn call(&self, call: impl FnOnce() + Send + 'static) {
        // Refused only after the loop has ended, which the waiting caller notices.
        let _ = Self::call(self, |_| call());
    }

    fn stop(self) {
        let _ = Self::stop(&self);
    }
}

/// The comparable peer: a task that makes the calls which arrive through a channel. As with
/// ropewalk, calls of one thread keep their order, and sending never blocks.
pub(super) struct TokioChannel;

impl Loop for TokioChannel {
    type Caller = tokio_mpsc::UnboundedSender<Call>;

    fn run(ready: impl FnOnce(Self::Caller)) -> Result<(), Box<dyn Error>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, mut calls) = tokio_mpsc::unbounded_channel::<Call>();
        ready(sender);
        runtime.block_on(async {
            while let Some(call) = calls.recv().await {
                call();
            }
        });
        Ok(())
    }
}

impl Caller for tokio_mpsc::UnboundedSender<Call> {
    fn call(&self, call: impl FnOnce() + Send + 'static) {
        let _ = self.send(Box::new(call));
    }

    /// The task ends when the last sender is dropped.
    fn stop(self) {}
}

/// One task for each call.
pub(super) struct TokioSpawn;

pub(super) struct Spawner {
    runtime: runtime::Handle,
    stopped: Arc<Notify>,
}

impl Loop for TokioSpawn {
    type Caller = Spawner;

    fn run(ready: impl FnOnce(Spawner)) -> Result<(), Box<dyn Error>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stopped = Arc::new(Notify::new());
        ready(Spawner { runtime: runtime.handle().clone(), stopped: stopped.clone() });
        runtime.block_on(stopped.notified());
        Ok(())
    }
}

impl Caller for Spawner {
    fn call(&self, call: impl FnOnce() + Send + 'static) {
        drop(self.runtime.spawn(async move { call() }));
    }

    fn stop(self) {
        self.stopped.notify_one();
    }
}

/// A hand-written loop: std's channel, and an eventfd, written by the first sender that finds the
/// loop not yet woken. The loop waits in the read itself, without an epoll.
pub(super) struct Bare;

pub(super) struct BareCaller {
    calls: mpsc::Sender<Call>,
    bell: Arc<Bell>,
}

struct Bell {
    event: OwnedFd,
    rung: AtomicBool,
}

impl Loop for Bare {
    type Caller = BareCaller;

    fn run(ready: impl FnOnce(BareCaller)) -> Result<(), Box<dyn Error>> {
        let bell = Bell { event: eventfd(0, EventfdFlags::CLOEXEC)?, rung: AtomicBool::new(false) };
        let bell = Arc::new(bell);
        let (sender, calls) = mpsc::channel();
        ready(BareCaller { calls: sender, bell: bell.clone() });
        loop {
            read(&bell.event, &mut [0; 8])?;
            // First the flag, then the calls: a call that is sent after the last check wakes the
            // loop again.
            bell.rung.swap(false, Ordering::AcqRel);
            loop {
                match calls.try_recv() {
                    Ok(call) => call(),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
                }
            }
        }
    }
}

impl BareCaller {
    fn ring(bell: &Bell) {
        if !bell.rung.swap(true, Ordering::AcqRel) {
            let _ = write(&bell.event, &1_u64.to_ne_bytes());
        }
    }
}

impl Caller for BareCaller {
    fn call(&self, call: impl FnOnce() + Send + 'static) {
        if self.calls.send(Box::new(call)).is_ok() {
            Self::ring(&self.bell);
        }
    }

    fn stop(self) {
        let Self { calls, bell } = self;
        // The loop must find the last sender dropped when it wakes.
        drop(calls);
        Self::ring(&bell);
    }
}
