//! The methods of a replayer: each compares the call, and returns what was recorded.

use crate::bytes::{Bytes, Malformed};
use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recording::nanos;
use crate::replayer::arrivals::ReplayedArrivals;
use crate::replayer::datagram::ReplayedDatagram;
use crate::replayer::listener::ReplayedListener;
use crate::replayer::signals::{ReplayedSignal, ReplayedSignals};
use crate::replayer::stream::replayed;
use crate::replayer::{Opened, Replayer, over};
use crate::value;
#[cfg(unix)]
use ropewalk::backend::AdoptRequest;
use ropewalk::backend::{
    ArrivalBackend, Backend, ConnectRequest, DatagramBackend, DatagramRequest, Event, Events,
    JobRefused, ListenRequest, ListenerBackend, SignalBackend, SignalWatchBackend, StreamSocket,
    ThreadJob,
};
#[cfg(all(unix, feature = "process"))]
use ropewalk::backend::{ProcessSettings, Spawned};
use ropewalk::{Address, Answer, Id, ThreadOptions};
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(all(unix, feature = "process"))]
use std::process::Command;
use std::task::Waker;
use std::time::{Duration, Instant};

impl Replayer {
    /// Compares the opening of a socket, and returns what was recorded of it.
    fn open_socket(&self, method: Method, text: &str) -> io::Result<Opened> {
        let call = Call::Other { method, socket: 0, text };
        let opened = self.player.result(&call, |outcome| match outcome {
            Outcome::Socket(shape, []) => Some((shape, None)),
            Outcome::Socket(shape, peer) => {
                Some((shape, Some(value::address(&mut Bytes(peer)).ok()?)))
            }
            _ => None,
        });
        opened.unwrap_or_else(|| Err(over()))
    }

    fn listener(&self, method: Method, text: &str) -> io::Result<Box<dyn ListenerBackend>> {
        self.open_socket(method, text)?;
        Ok(Box::new(ReplayedListener::new(&self.player)))
    }

    fn stream(&self, method: Method, text: &str) -> io::Result<StreamSocket> {
        replayed(&self.player, method, 0, text).map(|(socket, _)| socket)
    }

    fn datagram(&self, method: Method, text: &str) -> io::Result<Box<dyn DatagramBackend>> {
        self.open_socket(method, text)?;
        Ok(Box::new(ReplayedDatagram::new(&self.player)))
    }

    /// Adds the recorded events of a wait.
    fn add_events(&self, encoded: &[u8], events: &mut Events) -> Result<(), Malformed> {
        let mut bytes = Bytes(encoded);
        while !bytes.is_empty() {
            events.push(match bytes.number()? {
                0 => Event::WOKEN,
                1 => Event::SIGNALLED,
                number => {
                    let id = self.player.id_of(number - 2);
                    let id = id.ok_or(Malformed("an event is of an unknown socket"))?;
                    Event::ready(id, value::readiness(bytes.byte()?))
                }
            });
        }
        Ok(())
    }
}

impl Backend for Replayer {
    fn now(&self) -> Instant {
        let read = |outcome: Outcome<'_>| matches!(outcome, Outcome::Time(_)).then_some(());
        self.player.answer(&Call::Now, &[], read);
        self.player.time()
    }

    fn wait(&self, limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        self.player.send_messages();
        let call = Call::Wait(limit.map(nanos));
        let waited = self.player.result(&call, |outcome| match outcome {
            Outcome::Bytes(encoded) => Some(encoded.to_vec()),
            _ => None,
        });
        let encoded = waited.unwrap_or_else(|| Err(over()))?;
        if let Err(cause) = self.add_events(&encoded, events) {
            self.player.fail(&cause.to_string());
        }
        Ok(())
    }

    /// Other threads need not end a wait, which takes no time.
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn arrivals(&self) -> Option<Box<dyn ArrivalBackend>> {
        Some(Box::new(ReplayedArrivals::new(&self.player)))
    }

    fn observes_callbacks(&self) -> bool {
        self.player.header().observed
    }

    fn called(&self, _id: Option<Id>, _owner: &'static str, callback: &'static str) {
        let call = Call::Other { method: Method::Returned, socket: 0, text: callback };
        self.player.done(&call).unwrap_or(());
    }

    fn panicked(&self, _: Option<Id>, _: &'static str, callback: &'static str, message: &str) {
        let text = format!("{callback}: {message}");
        let call = Call::Other { method: Method::Panicked, socket: 0, text: &text };
        self.player.done(&call).unwrap_or(());
    }

    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let text = format!("{name}:{port}");
        let call = Call::Other { method: Method::LookUp, socket: 0, text: &text };
        let found = self.player.result(&call, |outcome| match outcome {
            Outcome::Bytes(found) => value::addresses(Bytes(found)).ok(),
            _ => None,
        });
        found.unwrap_or_else(|| Err(over()))
    }

    fn begin_look_up(&self, name: &str, port: u16, answer: Answer) {
        self.player.begin_look_up(&format!("{name}:{port}"), answer);
    }

    fn service_port(&self, service: &str, protocol: &str) -> io::Result<u16> {
        let text = format!("{service} of {protocol}");
        let call = Call::Other { method: Method::ServicePort, socket: 0, text: &text };
        let port = self.player.result(&call, |outcome| match outcome {
            Outcome::Count(port) => port.try_into().ok(),
            _ => None,
        });
        port.unwrap_or_else(|| Err(over()))
    }

    fn host_name(&self) -> io::Result<String> {
        let name = self.player.result(&Call::plain(Method::HostName, 0), |outcome| match outcome {
            Outcome::Text(name) => Some(name.to_owned()),
            _ => None,
        });
        name.unwrap_or_else(|| Err(over()))
    }

    fn run_job(&self, job: ThreadJob, _options: &ThreadOptions) -> Result<(), JobRefused> {
        let (socket, text) = (job.number() as u32, job.type_name());
        match self.player.done(&Call::Other { method: Method::RunJob, socket, text }) {
            Ok(()) => {
                self.player.keep_job(job);
                Ok(())
            }
            Err(error) => Err((job, error)),
        }
    }

    fn end_jobs(&self, _running: usize) {
        self.player.done(&Call::plain(Method::EndJobs, 0)).unwrap_or(());
    }

    fn listen(
        &self,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>> {
        self.listener(Method::Listen, &format!("{address}, {request:?}"))
    }

    fn connect(&self, peer: &Address, request: &ConnectRequest<'_>) -> io::Result<StreamSocket> {
        self.stream(Method::Connect, &format!("{peer}, {request:?}"))
    }

    fn bind_datagram(
        &self,
        local: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        self.datagram(Method::BindDatagram, &format!("{local}, {request:?}"))
    }

    fn connect_datagram(
        &self,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        self.datagram(Method::ConnectDatagram, &format!("{peer}, {request:?}"))
    }

    fn open_raw(
        &self,
        local: IpAddr,
        protocol: u8,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        self.datagram(Method::OpenRaw, &format!("{local}, protocol {protocol}, {request:?}"))
    }

    fn open_ping(
        &self,
        local: IpAddr,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        self.datagram(Method::OpenPing, &format!("{local}, {request:?}"))
    }

    #[cfg(unix)]
    fn adopt_listener(&self, request: AdoptRequest) -> io::Result<Box<dyn ListenerBackend>> {
        drop(request);
        self.listener(Method::AdoptListener, "")
    }

    #[cfg(unix)]
    fn adopt_connection(&self, request: AdoptRequest) -> io::Result<(StreamSocket, Address)> {
        drop(request);
        replayed(&self.player, Method::AdoptConnection, 0, "")
    }

    #[cfg(unix)]
    fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(Box<dyn DatagramBackend>, Option<Address>)> {
        drop(descriptor);
        let (_, peer) = self.open_socket(Method::AdoptDatagram, "")?;
        Ok((Box::new(ReplayedDatagram::new(&self.player)), peer))
    }

    #[cfg(unix)]
    fn adopt_pipes(
        &self,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<StreamSocket> {
        drop((input, output));
        self.stream(Method::AdoptPipes, "")
    }

    #[cfg(all(unix, feature = "process"))]
    fn spawn_process(
        &self,
        command: &mut Command,
        settings: ProcessSettings,
    ) -> io::Result<Spawned> {
        crate::replayer::process::replayed(&self.player, &format!("{command:?}, {settings:?}"))
    }

    #[cfg(all(unix, feature = "process"))]
    fn standard_io(&self) -> io::Result<StreamSocket> {
        self.stream(Method::StandardIo, "")
    }

    #[cfg(unix)]
    fn passes_descriptors(&self) -> bool {
        self.player.header().passes_descriptors
    }

    fn catch_signals(&self) -> io::Result<Option<Box<dyn SignalBackend>>> {
        ReplayedSignals::catch(&self.player)
    }

    fn watch_signal(&self, signal: i32) -> io::Result<Box<dyn SignalWatchBackend>> {
        ReplayedSignal::watch(&self.player, signal)
    }
}
