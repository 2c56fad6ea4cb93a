// The targets of the guide's links in this documentation. The guide defines them as files of the repository, for the book
// and for readers on a code host; the first definition counts.
//! [`Context`]: crate::Context
//! [`Factory`]: crate::Factory
//! [`Handle::blocking_call`]: crate::Handle::blocking_call
//! [`Handle`]: crate::Handle
//! [`Hold`]: crate::Hold
//! [`Id`]: crate::Id
//! [`Port::connections`]: crate::Port::connections
//! [`Protocol`]: crate::Protocol
//! [`Reactor::set_threads`]: crate::Reactor::set_threads
//! [`ReactorGroup`]: crate::ReactorGroup
//! [`RunPhase`]: crate::RunPhase
//! [`SignalHandlerId::add`]: crate::SignalHandlerId::add
//! [`call_in_thread`]: crate::Transport::call_in_thread
//! [`call_later`]: crate::Context::call_later
//! [`call_when_running`]: crate::Context::call_when_running
//! [`connect_tcp`]: crate::Context::connect_tcp
//! [`connection_lost`]: crate::Protocol::connection_lost
//! [`connection_made`]: crate::Protocol::connection_made
//! [`descriptor`]: crate::Reactor::descriptor
//! [`draining`]: crate::Protocol::draining
//! [`max_connections`]: crate::ListenOptions::max_connections
//! [`on_signal`]: crate::Reactor::on_signal
//! [`pause_writing`]: crate::Protocol::pause_writing
//! [`pause`]: crate::Transport::pause
//! [`resolve`]: crate::Context::resolve
//! [`ropewalk::call_in_thread`]: crate::call_in_thread
//! [`run_turn`]: crate::Reactor::run_turn
//! [`set_timer`]: crate::Transport::set_timer
//! [`stop_on_signals`]: crate::Reactor::stop_on_signals
//! [`timeout`]: crate::Reactor::timeout
//! [`timer_fired`]: crate::Protocol::timer_fired
//! [channel]: crate::Context::channel
//! [grace period]: crate::Reactor::set_grace
// Its code is tested as the book's: see `src/lib.rs`.
#![cfg_attr(not(doctest), doc = include_str!("../docs/guide.md"))]
