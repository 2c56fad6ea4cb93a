//! The trait `ProcessProtocol`, which users implement.

use crate::api::process_transport::ProcessTransport;
use crate::source::timer::TimerId;
use crate::values::process::ProcessExit;
use crate::values::reason::Reason;
use std::any::type_name;

/// The behaviour of one process that was started: an object with a method for each event.
///
/// # The order of callbacks
///
/// ```text
/// connection_made                            first, once
///   out_received, err_received               any number of times
///   pause_writing, resume_writing            in turns, beginning with a pause
///   timer_fired                              once for each timer that is not cancelled
///   in_connection_lost, out_connection_lost, err_connection_lost
///                                            once for each pipe
///   process_exited                           once
/// process_ended                              last, once
/// ```
///
/// - The end of the process and the ends of its pipes come in any order. A process can close its output and live on.
///   Its own children inherit its pipes, and can hold them open after its end.
/// - [`process_ended`](Self::process_ended) comes when the process has been reaped and all its pipes are closed: then all
///   its output has been delivered. Close the pipes in [`process_exited`](Self::process_exited) to wait no longer.
/// - A panic in a callback kills the process and closes its pipes, with [`Reason::Panicked`]. The remaining callbacks
///   follow.
///
/// ```
/// use ropewalk::{Error, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport, Reactor};
///
/// /// Gives words to sort(1).
/// struct Sorting(Vec<u8>);
///
/// impl ProcessProtocol for Sorting {
///     fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
///         process.write(b"pear\napple\n");
///         process.close_stdin();
///     }
///
///     fn out_received(&mut self, _process: &mut ProcessTransport<'_>, data: &[u8]) {
///         self.0.extend_from_slice(data);
///     }
///
///     fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
///         assert!(exit.is_success(), "sort {exit}");
///         assert_eq!(self.0, b"apple\npear\n");
///         process.context().stop();
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// ProcessOptions::new("sort").spawn(reactor.context(), Sorting(Vec::new()))?;
/// reactor.run()?;
/// # Ok::<(), Error>(())
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait ProcessProtocol: 'static {
    /// The process was started. Its standard input can be written to.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {}

    /// The process has written `data` to standard output.
    #[doc(alias = "outReceived")]
    #[doc(alias = "pipe_data_received")]
    fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {}

    /// The process has written `data` to standard error.
    #[doc(alias = "errReceived")]
    fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {}

    /// More data is queued for standard input than the high-water mark: see
    /// [`Protocol::pause_writing`](crate::Protocol::pause_writing).
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, process: &mut ProcessTransport<'_>) {}

    /// Called after [`pause_writing`](Self::pause_writing), when queued data has fallen to the low-water mark.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, process: &mut ProcessTransport<'_>) {}

    /// Standard input is closed: by us ([`Reason::Closed`]), or by the process ([`Reason::Reset`]), which queued data has
    /// not reached then.
    #[doc(alias = "inConnectionLost")]
    #[doc(alias = "pipe_connection_lost")]
    fn in_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {}

    /// Standard output has ended ([`Reason::ClosedByPeer`]), or was closed by us.
    #[doc(alias = "outConnectionLost")]
    fn out_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {}

    /// Standard error has ended ([`Reason::ClosedByPeer`]), or was closed by us.
    #[doc(alias = "errConnectionLost")]
    fn err_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {}

    /// A timer of this protocol, which [`Context::set_timer`](crate::Context::set_timer) has set, has fired.
    fn timer_fired(&mut self, process: &mut ProcessTransport<'_>, timer: TimerId) {}

    /// The process has ended and was reaped. Its pipes may still be open, with output to deliver.
    #[doc(alias = "processExited")]
    fn process_exited(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {}

    /// The process has ended, and all its pipes are closed.
    #[doc(alias = "processEnded")]
    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}
