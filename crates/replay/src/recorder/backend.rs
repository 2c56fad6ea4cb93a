//! The methods of a recorder: each calls the wrapped backend, and records what came back.

use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recorder::Recorder;
use crate::recorder::arrivals::RecordedArrivals;
use crate::recorder::datagram::RecordedDatagram;
use crate::recorder::listener::RecordedListener;
#[cfg(all(unix, feature = "process"))]
use crate::recorder::process;
use crate::recorder::signals::{RecordedSignal, RecordedSignals};
use crate::recorder::stream::recorded;
use crate::recording::nanos;
use crate::value::{put_address, put_addresses};
#[cfg(unix)]
use ropewalk::backend::{AdoptRequest, WatchBackend};
use ropewalk::backend::{
    ArrivalBackend, Backend, ConnectRequest, DatagramBackend, DatagramRequest, Events, JobRefused,
    ListenRequest, ListenerBackend, SignalBackend, SignalWatchBackend, StreamSocket, ThreadJob,
};
#[cfg(all(unix, feature = "process"))]
use ropewalk::backend::{ProcessSettings, Spawned};
use ropewalk::{Address, Answer, Id, ThreadOptions};
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
#[cfg(all(unix, feature = "process"))]
use std::process::Command;
use std::task::Waker;
use std::time::{Duration, Instant};

impl Backend for Recorder {
    fn now(&self) -> Instant {
        let now = self.backend.now();
        self.recording.write_time(now);
        now
    }

    fn wait(&self, limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        let waited = self.backend.wait(limit, events);
        self.recording.forward_messages();
        match waited {
            Ok(()) => self.recording.write_events(limit, events),
            Err(error) => {
                let call = Call::Wait(limit.map(nanos));
                return self.recording.done(&call, Err(error));
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.backend.descriptor()
    }

    fn waker(&self) -> Waker {
        self.backend.waker()
    }

    fn arrivals(&self) -> Option<Box<dyn ArrivalBackend>> {
        Some(Box::new(RecordedArrivals::new(&self.recording)))
    }

    fn observes_callbacks(&self) -> bool {
        self.backend.observes_callbacks()
    }

    fn called(&self, id: Option<Id>, owner: &'static str, callback: &'static str) {
        let call = Call::Other { method: Method::Returned, socket: 0, text: callback };
        self.recording.write(&call, &Outcome::Done);
        self.backend.called(id, owner, callback);
    }

    fn panicked(&self, id: Option<Id>, owner: &'static str, callback: &'static str, message: &str) {
        let text = format!("{callback}: {message}");
        let call = Call::Other { method: Method::Panicked, socket: 0, text: &text };
        self.recording.write(&call, &Outcome::Done);
        self.backend.panicked(id, owner, callback, message);
    }

    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (text, mut encoded) = (format!("{name}:{port}"), Vec::new());
        let call = Call::Other { method: Method::LookUp, socket: 0, text: &text };
        let found = self.backend.look_up(name, port);
        if let Ok(found) = &found {
            put_addresses(&mut encoded, found);
        }
        self.recording.result(&call, found, |_| Outcome::Bytes(&encoded))
    }

    fn begin_look_up(&self, name: &str, port: u16, answer: Answer) {
        self.recording.begin_look_up(&format!("{name}:{port}"), answer.id());
        self.backend.begin_look_up(name, port, answer);
    }

    fn service_port(&self, service: &str, protocol: &str) -> io::Result<u16> {
        let text = format!("{service} of {protocol}");
        let call = Call::Other { method: Method::ServicePort, socket: 0, text: &text };
        let port = self.backend.service_port(service, protocol);
        self.recording.result(&call, port, |port| Outcome::Count((*port).into()))
    }

    fn host_name(&self) -> io::Result<String> {
        let call = Call::plain(Method::HostName, 0);
        let name = self.backend.host_name();
        let text = name.as_ref().map_or_else(|_| String::new(), String::clone);
        self.recording.result(&call, name, |_| Outcome::Text(&text))
    }

    fn run_job(&self, job: ThreadJob, options: &ThreadOptions) -> Result<(), JobRefused> {
        let (name, number) = (job.type_name(), job.number());
        let result = self.backend.run_job(job, options);
        self.recording.start_job(name, number, result.as_ref().map_err(|(_, error)| error));
        result
    }

    fn end_jobs(&self, running: usize) {
        self.recording.write(&Call::plain(Method::EndJobs, 0), &Outcome::Done);
        self.backend.end_jobs(running);
    }

    fn listen(
        &self,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>> {
        let opened = self.backend.listen(address, request);
        let text = format!("{address}, {request:?}");
        let (socket, number) = self.socket(Method::Listen, &text, opened)?;
        Ok(Box::new(RecordedListener::new(socket, number, &self.recording)))
    }

    fn connect(&self, peer: &Address, request: &ConnectRequest<'_>) -> io::Result<StreamSocket> {
        let text = format!("{peer}, {request:?}");
        self.stream(Method::Connect, &text, self.backend.connect(peer, request))
    }

    fn bind_datagram(
        &self,
        local: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let text = format!("{local}, {request:?}");
        self.datagram(Method::BindDatagram, &text, self.backend.bind_datagram(local, request))
    }

    fn connect_datagram(
        &self,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let text = format!("{peer}, {request:?}");
        self.datagram(Method::ConnectDatagram, &text, self.backend.connect_datagram(peer, request))
    }

    fn open_raw(
        &self,
        local: IpAddr,
        protocol: u8,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let text = format!("{local}, protocol {protocol}, {request:?}");
        self.datagram(Method::OpenRaw, &text, self.backend.open_raw(local, protocol, request))
    }

    fn open_ping(
        &self,
        local: IpAddr,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let text = format!("{local}, {request:?}");
        self.datagram(Method::OpenPing, &text, self.backend.open_ping(local, request))
    }

    #[cfg(unix)]
    fn adopt_listener(&self, request: AdoptRequest) -> io::Result<Box<dyn ListenerBackend>> {
        let opened = self.backend.adopt_listener(request);
        let (socket, number) = self.socket(Method::AdoptListener, "", opened)?;
        Ok(Box::new(RecordedListener::new(socket, number, &self.recording)))
    }

    #[cfg(unix)]
    fn adopt_connection(&self, request: AdoptRequest) -> io::Result<(StreamSocket, Address)> {
        let adopted = self.backend.adopt_connection(request);
        recorded(&self.recording, Method::AdoptConnection, 0, "", adopted)
    }

    #[cfg(unix)]
    fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(Box<dyn DatagramBackend>, Option<Address>)> {
        let call = Call::plain(Method::AdoptDatagram, 0);
        let (adopted, mut encoded) = (self.backend.adopt_datagram(descriptor), Vec::new());
        if let Ok((_, Some(peer))) = &adopted {
            put_address(&mut encoded, peer);
        }
        let outcome = |_: &_| Outcome::Socket(0, &encoded);
        let (socket, peer) = self.recording.result(&call, adopted, outcome)?;
        let number = self.recording.number_socket();
        Ok((Box::new(RecordedDatagram::new(socket, number, &self.recording)), peer))
    }

    #[cfg(unix)]
    fn adopt_pipes(
        &self,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<StreamSocket> {
        self.stream(Method::AdoptPipes, "", self.backend.adopt_pipes(input, output))
    }

    #[cfg(all(unix, feature = "process"))]
    fn spawn_process(
        &self,
        command: &mut Command,
        settings: ProcessSettings,
    ) -> io::Result<Spawned> {
        let text = format!("{command:?}, {settings:?}");
        process::recorded(&self.recording, &text, self.backend.spawn_process(command, settings))
    }

    #[cfg(all(unix, feature = "process"))]
    fn standard_io(&self) -> io::Result<StreamSocket> {
        self.stream(Method::StandardIo, "", self.backend.standard_io())
    }

    /// The program itself reads and writes a descriptor that it watches, which no backend sees.
    #[cfg(unix)]
    fn watch(&self, descriptor: BorrowedFd<'_>) -> io::Result<Box<dyn WatchBackend>> {
        self.recording.refuse("a watched descriptor is read by the program itself");
        self.backend.watch(descriptor)
    }

    #[cfg(unix)]
    fn passes_descriptors(&self) -> bool {
        self.backend.passes_descriptors()
    }

    fn catch_signals(&self) -> io::Result<Option<Box<dyn SignalBackend>>> {
        RecordedSignals::catch(&self.recording, self.backend.catch_signals())
    }

    fn watch_signal(&self, signal: i32) -> io::Result<Box<dyn SignalWatchBackend>> {
        RecordedSignal::watch(&self.recording, signal, self.backend.watch_signal(signal))
    }
}
