//! Those who have more to send than should wait. Floor 3.

use crate::context::Context;
use crate::transport::Transport;
use std::any::type_name;

/// Something that produces data for one connection, as fast as the connection takes it.
///
/// A **pull** producer is asked for a piece each time there is room
/// ([`Transport::register_pull_producer`]): it suits what can be made when it is wanted, such as a
/// file's next part ([`FileSender`](crate::FileSender) is one). A **push** producer produces of
/// itself, and is told when to pause and when to go on ([`Transport::register_push_producer`]): it suits
/// what comes from elsewhere, such as another connection, which it can
/// [pause](Context::pause) in its turn.
///
/// ```
/// use ropewalk::{Producer, Protocol, Transport};
///
/// /// The numbers from zero, to whoever connects, as fast as they are read.
/// struct Numbers(u64);
///
/// impl Producer for Numbers {
///     fn resume_producing(&mut self, transport: &mut Transport<'_>) {
///         for number in self.0..self.0 + 1000 {
///             write!(transport, "{number}\n");
///         }
///         self.0 += 1000;
///         if self.0 == 1_000_000 {
///             transport.unregister_producer();
///         }
///     }
/// }
///
/// struct Count;
///
/// impl Protocol for Count {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         transport.register_pull_producer(Numbers(0)).expect("it is the first");
///         transport.close(); // once the last number has been sent
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
/// ```
#[doc(alias = "IPushProducer")]
#[doc(alias = "IPullProducer")]
#[allow(unused_variables)] // The names are the documentation.
pub trait Producer: 'static {
    /// A pull producer: there is room, all that was written has been sent; it comes for the first time
    /// soon after it was registered. If nothing is written, it comes again only after something else
    /// was.
    ///
    /// A push producer: go on, after [`pause_producing`](Self::pause_producing).
    #[doc(alias = "resumeProducing")]
    fn resume_producing(&mut self, transport: &mut Transport<'_>);

    /// A push producer: more than the high-water mark waits, produce no more for now.
    #[doc(alias = "pauseProducing")]
    fn pause_producing(&mut self, transport: &mut Transport<'_>) {}

    /// The connection has ended, and there is nobody to produce for. It comes once, last, before the
    /// protocol's [`connection_lost`](crate::Protocol::connection_lost); not if the producer
    /// was unregistered before. A producer that is registered only now, or later, is stopped as soon as
    /// the running callback has returned, possibly after `connection_lost`.
    #[doc(alias = "stopProducing")]
    fn stop_producing(&mut self, context: &mut Context) {}

    /// What the logs call it.
    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}
