//! The words of a journal: callbacks, system calls, and others that a record names by a number.

/// Defines an enum of words that are stored as numbers.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $word:ident $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $word,)+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$word,)+];

            /// Returns the word as it is printed.
            pub fn name(self) -> &'static str {
                match self { $(Self::$word => $text,)+ }
            }

            /// Returns the word with this number in a file.
            pub(crate) fn at(index: usize) -> Option<Self> {
                Self::ALL.get(index).copied()
            }

            /// Returns its number in a file.
            pub(crate) const fn index(self) -> u8 {
                self as u8
            }
        }
    };
}

words! {
    /// A callback. Files store its number: new ones are added at the end.
    Callback {
        /// [`Factory::accepts`](crate::Factory::accepts)
        Accepts "accepts",
        /// [`Factory::build`](crate::Factory::build)
        Build "build",
        /// A call from another thread.
        Call "call",
        /// The receiver of a [channel](crate::Context::channel).
        Channel "channel",
        /// [`Factory::connection_failed`](crate::Factory::connection_failed)
        ConnectionFailed "connection_failed",
        /// [`Protocol::connection_lost`](crate::Protocol::connection_lost)
        ConnectionLost "connection_lost",
        /// [`Protocol::connection_made`](crate::Protocol::connection_made)
        ConnectionMade "connection_made",
        /// [`DatagramProtocol::connection_refused`](crate::DatagramProtocol::connection_refused)
        ConnectionRefused "connection_refused",
        /// [`Protocol::data_received`](crate::Protocol::data_received)
        DataReceived "data_received",
        /// [`DatagramProtocol::datagram_received`](crate::DatagramProtocol::datagram_received)
        DatagramReceived "datagram_received",
        /// [`DatagramProtocol::datagram_truncated`](crate::DatagramProtocol::datagram_truncated)
        DatagramTruncated "datagram_truncated",
        /// [`Protocol::descriptors_lost`](crate::Protocol)
        DescriptorsLost "descriptors_lost",
        /// [`Protocol::descriptors_received`](crate::Protocol)
        DescriptorsReceived "descriptors_received",
        /// [`Protocol::draining`](crate::Protocol::draining)
        Draining "draining",
        /// The drop of a user's value.
        Drop "drop",
        /// [`Protocol::eof_noticed`](crate::Protocol::eof_noticed)
        EofNoticed "eof_noticed",
        /// [`Protocol::eof_received`](crate::Protocol::eof_received)
        EofReceived "eof_received",
        /// [`DatagramProtocol::error_received`](crate::DatagramProtocol::error_received)
        ErrorReceived "error_received",
        /// [`Filter::close`](crate::Filter::close)
        FilterClose "close",
        /// [`Filter::decode`](crate::Filter::decode)
        FilterDecode "decode",
        /// [`Filter::encode`](crate::Filter::encode)
        FilterEncode "encode",
        /// [`Filter::eof`](crate::Filter::eof)
        FilterEof "eof",
        /// [`Filter::start`](crate::Filter::start)
        FilterStart "start",
        /// [`Factory::handshake_failed`](crate::Factory::handshake_failed)
        HandshakeFailed "handshake_failed",
        /// A job on another thread.
        Job "job",
        /// The closure that receives the result of a job.
        JobDone "job_done",
        /// The last callback of a [`Watcher`](crate::Watcher).
        Lost "lost",
        /// An observer of the journal.
        Observe "turn_ended",
        /// A [signal](crate::Reactor) handler.
        OnSignal "on_signal",
        /// [`Producer::pause_producing`](crate::Producer::pause_producing)
        PauseProducing "pause_producing",
        /// [`Protocol::pause_writing`](crate::Protocol::pause_writing)
        PauseWriting "pause_writing",
        /// The last callback of a process.
        ProcessEnded "process_ended",
        /// A process has exited.
        ProcessExited "process_exited",
        /// [`Watcher::readable`](crate::Watcher)
        Readable "readable",
        /// [`Protocol::reading_resumed`](crate::Protocol::reading_resumed)
        ReadingResumed "reading_resumed",
        /// [`Resolver::resolve`](crate::Resolver)
        Resolve "resolve",
        /// The closure that receives the result of a look-up.
        Resolved "resolved",
        /// [`Producer::resume_producing`](crate::Producer::resume_producing)
        ResumeProducing "resume_producing",
        /// [`Protocol::resume_writing`](crate::Protocol::resume_writing)
        ResumeWriting "resume_writing",
        /// [`DatagramProtocol::start_protocol`](crate::DatagramProtocol::start_protocol)
        StartProtocol "start_protocol",
        /// [`Producer::stop_producing`](crate::Producer::stop_producing)
        StopProducing "stop_producing",
        /// [`DatagramProtocol::stop_protocol`](crate::DatagramProtocol::stop_protocol)
        StopProtocol "stop_protocol",
        /// A closure of [`Context::call_later`](crate::Context::call_later).
        Timer "timer",
        /// [`Protocol::timer_fired`](crate::Protocol::timer_fired)
        TimerFired "timer_fired",
        /// A closure of a [phase](crate::RunPhase) of the run.
        Trigger "trigger",
        /// [`Watcher::writable`](crate::Watcher)
        Writable "writable",
    }
}

words! {
    /// A system call. Files store its number: new ones are added at the end.
    SystemCall {
        /// accept(2)
        Accept "accept",
        /// connect(2): the outcome of an attempt.
        Connect "connect",
        /// recv(2), read(2) or recvfrom(2)
        Receive "recv",
        /// send(2), writev(2) or sendto(2): all that one flush or one callback has sent.
        Send "send",
        /// shutdown(2) of the sending direction
        Shutdown "shutdown",
    }
}

words! {
    /// Why a wait does not last until an event. Files store its number: new ones are added at the end.
    WaitLimit {
        /// Nothing limits it.
        Unlimited "until an event",
        /// Sockets are in the ready queue, or data is to be flushed, or callbacks are pending.
        Work "work is left",
        /// Calls or messages of other threads have arrived.
        Calls "calls have arrived",
        /// A timer is due first.
        Timer "until the next timer",
        /// The caller of [`Reactor::turn`](crate::Reactor::turn), or the end of a grace period, limits it.
        Caller "until a given limit",
        /// A second look before many connections are flushed.
        Again "before a broadcast is flushed",
    }
}

words! {
    /// What other threads have sent. Files store its number: new ones are added at the end.
    Arrival {
        /// The result of a look-up.
        Answer "the result of a look-up",
        /// A closure.
        Call "a call",
        /// The end of a job.
        JobDone "the end of a job",
        /// Messages of a channel.
        Messages "messages of a channel",
        /// The last hold was released.
        Released "a released hold",
        /// A request to stop.
        Stop "a request to stop",
    }
}

words! {
    /// What a timer does. Files store its number: new ones are added at the end.
    TimerJob {
        /// The next attempt of a listener or datagram socket.
        BackoffEnd "a backoff ends",
        /// A closure.
        Call "a closure is called",
        /// The deadline of a close.
        CloseDeadline "the deadline of a close",
        /// A check of the progress of a close.
        CloseProgress "the progress of a close is checked",
        /// The next address of an attempt.
        ConnectNext "the next address is tried",
        /// The end of an attempt.
        ConnectTimeout "an attempt times out",
        /// The end of a handshake.
        HandshakeTimeout "a handshake times out",
        /// The end of a lingering socket.
        LingerEnd "a lingering socket ends",
        /// The end of a look-up.
        LookUpTimeout "a look-up times out",
        /// A timer of a callback object.
        Notify "a callback object is notified",
        /// The end of a startup with holds.
        StartupEnd "the startup ends",
    }
}

words! {
    /// A phase of a stop. Files store its number: new ones are added at the end.
    StopPhase {
        /// A stop was requested.
        Requested "requested",
        /// Holds delay it.
        OnHold "holds delay it",
        /// Sockets are closed.
        Closing "all sockets are closed",
        /// It waits for peers, jobs and holds.
        Draining "it waits for peers",
        /// The run is over.
        Over "the run is over",
    }
}
