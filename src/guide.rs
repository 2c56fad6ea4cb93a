//! From an echo to a chat of your own in six steps, and from one processor to all in a seventh.
//!
//! Every piece of code here is compiled and run by the tests.
//!
//! # 1. An object with a method for what happens
//!
//! A connection's behaviour is an object. It has a method for each thing that can happen, and all but
//! one of them do nothing unless you say otherwise. This one sends back what it gets:
//!
//! ```
//! use ropewalk::{Error, Protocol, Reactor, Transport};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let mut reactor = Reactor::new()?;
//!     let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
//!     println!("listening on {}", port.address());
//! #   reactor.context().stop();
//!     reactor.run()
//! }
//! ```
//!
//! `|| Echo` is the *factory*: it makes one `Echo` for each connection. Port 0 lets the system choose
//! a free port. `run` returns when somebody calls `stop`.
//!
//! There is nothing to unwrap in `data_received`: `write` cannot fail. It takes the bytes, and the
//! reactor sends them when it can. Should the connection break, you are told once, by
//! [`connection_lost`](crate::Protocol::connection_lost).
//!
//! # 2. The beginning and the end
//!
//! [`connection_made`](crate::Protocol::connection_made) comes first, once;
//! [`connection_lost`](crate::Protocol::connection_lost) comes last, once, whatever has happened.
//! `close` sends what was written and then ends the connection.
//!
//! ```
//! use ropewalk::{Protocol, Reason, Transport};
//!
//! struct Greeter;
//!
//! impl Protocol for Greeter {
//!     fn connection_made(&mut self, transport: &mut Transport<'_>) {
//!         let peer = transport.peer();
//!         write!(transport, "Hello, {peer}. Say something, and I am gone.\r\n");
//!     }
//!
//!     fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
//!         transport.write(b"Goodbye.\r\n");
//!         transport.close();
//!     }
//!
//!     fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
//!         println!("{} is gone: {reason}", transport.peer());
//!     }
//! }
//! # let mut reactor = ropewalk::Reactor::new()?;
//! # let address = reactor.listen_tcp("127.0.0.1:0", || Greeter)?.address().clone();
//! # let handle = reactor.handle();
//! # let client = std::thread::spawn(move || {
//! #     use std::io::{Read, Write};
//! #     let mut client = std::net::TcpStream::connect(address).unwrap();
//! #     client.write_all(b"hi").unwrap();
//! #     let mut all = String::new();
//! #     client.read_to_string(&mut all).unwrap();
//! #     assert!(all.starts_with("Hello, 127.0.0.1:") && all.ends_with("Goodbye.\r\n"));
//! #     handle.stop().unwrap();
//! # });
//! # reactor.run()?;
//! # client.join().unwrap();
//! # Ok::<(), ropewalk::Error>(())
//! ```
//!
//! # 3. What a connection remembers
//!
//! The object is the connection's memory: one object for each connection, `&mut self` in each method,
//! all on one thread. No locks, no map from connections to states.
//!
//! ```
//! use ropewalk::{Protocol, Transport};
//!
//! #[derive(Default)]
//! struct Counter {
//!     bytes: usize,
//! }
//!
//! impl Protocol for Counter {
//!     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
//!         self.bytes += data.len();
//!         write!(transport, "{} bytes so far\r\n", self.bytes);
//!     }
//! }
//!
//! let mut reactor = ropewalk::Reactor::new()?;
//! reactor.listen_tcp("127.0.0.1:0", Counter::default)?;
//! # Ok::<(), ropewalk::Error>(())
//! ```
//!
//! # 4. Lines
//!
//! The network delivers bytes in whatever pieces it likes: half a line now, three lines later. The
//! crate `ropewalk-protocols` makes lines of them, with a limit on their length.
//!
//! ```
//! use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
//!
//! struct Shout;
//!
//! impl LineHandler for Shout {
//!     type Line = str;
//!
//!     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
//!         lines.send_line(line.to_uppercase());
//!     }
//! }
//!
//! let mut reactor = ropewalk::Reactor::new()?;
//! reactor.listen_tcp("127.0.0.1:0", || LineReceiver::new(Shout))?;
//! # Ok::<(), ropewalk::Error>(())
//! ```
//!
//! # 5. The others: a chat
//!
//! Every connection has an [`Id`](crate::Id), and whoever knows it can write to it through the
//! [`Context`](crate::Context), the whole reactor as callbacks may use it. So a room is a map from ids
//! to names. An id whose connection is gone reaches nobody, so nothing can go wrong by keeping one.
//!
//! The room is shared by all its chatters. `Rc<RefCell<..>>` is safe here: nothing that you call on a
//! context calls you back, so the room is never borrowed twice.
//!
//! ```
//! use ropewalk::{Context, Id, Reactor, Reason};
//! use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
//! use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
//!
//! /// Everyone who has said a name.
//! #[derive(Default)]
//! struct Room(BTreeMap<Id, String>);
//!
//! impl Room {
//!     fn tell_all_but(&self, speaker: Id, context: &mut Context, text: &str) {
//!         for &id in self.0.keys().filter(|&&id| id != speaker) {
//!             context.write(id, text.as_bytes());
//!         }
//!     }
//! }
//!
//! struct Chatter(Rc<RefCell<Room>>);
//!
//! impl LineHandler for Chatter {
//!     type Line = str;
//!
//!     fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
//!         lines.send_line("What is your name?");
//!     }
//!
//!     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
//!         let mut room = self.0.borrow_mut();
//!         let id = lines.id();
//!         let text = match room.0.get(&id) {
//!             Some(name) => format!("<{name}> {line}\r\n"),
//!             None => format!("* {line} is here\r\n"),
//!         };
//!         room.0.entry(id).or_insert_with(|| line.to_owned());
//!         room.tell_all_but(id, lines.context(), &text);
//!     }
//!
//!     fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
//!         let mut room = self.0.borrow_mut();
//!         if let Some(name) = room.0.remove(&lines.id()) {
//!             room.tell_all_but(lines.id(), lines.context(), &format!("* {name} has left\r\n"));
//!         }
//!     }
//! }
//!
//! fn main() -> Result<(), ropewalk::Error> {
//!     let room = Rc::new(RefCell::new(Room::default()));
//!     let mut reactor = Reactor::new()?;
//!     let chatter = move || LineReceiver::new(Chatter(room.clone()));
//!     let port = reactor.listen_tcp("127.0.0.1:0", chatter)?;
//!     println!("listening on {}", port.address());
//! #   let (address, handle) = (port.address().clone(), reactor.handle());
//! #   let client = std::thread::spawn(move || {
//! #       use std::io::{BufRead, BufReader, Write};
//! #       let join = |name: &str| {
//! #           let mut client = BufReader::new(std::net::TcpStream::connect(&address).unwrap());
//! #           assert_eq!(read(&mut client), "What is your name?");
//! #           writeln!(client.get_mut(), "{name}\r").unwrap();
//! #           client
//! #       };
//! #       fn read(client: &mut BufReader<std::net::TcpStream>) -> String {
//! #           let mut line = String::new();
//! #           client.read_line(&mut line).unwrap();
//! #           line.trim_end().to_owned()
//! #       }
//! #       let mut anna = join("Anna");
//! #       let mut ben = join("Ben");
//! #       assert_eq!(read(&mut anna), "* Ben is here");
//! #       writeln!(ben.get_mut(), "hello\r").unwrap();
//! #       assert_eq!(read(&mut anna), "<Ben> hello");
//! #       drop(ben);
//! #       assert_eq!(read(&mut anna), "* Ben has left");
//! #       handle.stop().unwrap();
//! #   });
//! #   reactor.run()?;
//! #   client.join().unwrap();
//! #   return Ok(());
//! #   #[allow(unreachable_code)]
//!     reactor.run()
//! }
//! ```
//!
//! That is a chat in 52 lines. The one in the crate `ropewalk-chat` has rooms, commands and limits besides.
//!
//! # 6. Time, and a test
//!
//! [`call_later`](crate::Context::call_later) calls a closure later; it is given the context, and
//! reaches a connection by its id. Here everyone has a second to say something; each piece of data
//! puts the end off.
//!
//! ```
//! use ropewalk::{Protocol, Reason, TimerId, Transport};
//! use std::time::Duration;
//!
//! struct Impatient {
//!     patience: Duration,
//!     timer: Option<TimerId>,
//! }
//!
//! impl Protocol for Impatient {
//!     fn connection_made(&mut self, transport: &mut Transport<'_>) {
//!         let id = transport.id();
//!         self.timer = Some(transport.context().call_later(self.patience, move |context| {
//!             context.write(id, b"Too slow.\r\n");
//!             context.close(id);
//!             // One who does not even read that is not waited for.
//!             context.call_later(Duration::from_secs(10), move |context| context.abort(id));
//!         }));
//!     }
//!
//!     fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
//!         if let Some(timer) = self.timer {
//!             transport.context().reset(timer, self.patience);
//!         }
//!     }
//!
//!     fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
//!         if let Some(timer) = self.timer.take() {
//!             transport.context().cancel(timer);
//!         }
//!     }
//! }
//!
//! // A test, in which the test is the client and moves the clock.
//! use ropewalk_simulation::kit::TestConnection;
//!
//! let patience = Duration::from_secs(1);
//! let mut client = TestConnection::new(move || Impatient { patience, timer: None });
//! client.advance(Duration::from_millis(900));
//! client.feed("wait a moment");
//! client.advance(Duration::from_millis(999));
//! assert!(client.reason().is_none());
//! client.advance(Duration::from_millis(1));
//! assert_eq!(client.take_text(), "Too slow.\r\n");
//! assert!(matches!(client.reason(), Some(Reason::Closed)));
//! ```
//!
//! That is the testing kit of the crate `ropewalk-simulation`, a dev-dependency. Nothing waits in it: a
//! second is over when the test says so, and the protocol cannot tell. `feed` is what the peer says,
//! `take_text` what it has heard; it can also end its side, reset the connection, or read no more. A panic
//! in a callback fails the test, so protocols may hold assertions of their own.
//!
//! The network delivers bytes in whatever pieces it likes, and a protocol that was only fed whole lines
//! has not been tested. `assert_same_for_every_split` tries them all. And two of your own, a client and a
//! server, talk to each other in a `TestPair`, which takes down what they say:
//!
//! ```
//! use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
//! use ropewalk_simulation::kit::{TestConnection, TestPair, assert_same_for_every_split};
//!
//! /// Counts down from the number that it hears, and goes at zero.
//! struct Countdown;
//!
//! impl LineHandler for Countdown {
//!     type Line = str;
//!
//!     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
//!         match line.parse::<u32>() {
//!             Ok(0) | Err(_) => lines.close(),
//!             Ok(number) => lines.send_line((number - 1).to_string()),
//!         }
//!     }
//! }
//!
//! let answer = assert_same_for_every_split(b"10\r\n3\r\nliftoff\r\n7\r\n", |split| {
//!     let mut client = TestConnection::new(|| LineReceiver::new(Countdown));
//!     client.feed_in(split);
//!     (client.take_text(), client.has_ended())
//! });
//! assert_eq!(answer, ("9\n2\n".to_owned(), true));
//!
//! /// Begins with two.
//! struct Starter;
//!
//! impl LineHandler for Starter {
//!     type Line = str;
//!
//!     fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
//!         lines.send_line("2");
//!     }
//!
//!     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
//!         Countdown.line_received(lines, line);
//!     }
//! }
//!
//! let pair = TestPair::new(|| LineReceiver::new(Countdown), || LineReceiver::new(Starter));
//! let said = "client: 2\\n\nserver: 1\\n\nclient: 0\\n\n";
//! assert_eq!(pair.transcript().to_string(), said);
//! ```
//!
//! # 7. More processors
//!
//! A reactor is one thread. When one processor is not enough, have several, with a
//! [`ReactorGroup`](crate::ReactorGroup): each serves a part of the clients, on one and the same port.
//! Most servers need to change no more than that, for most protocols have to do with one client only;
//! what they share, such as the room of step 5, there is once on each thread.
//!
//! What is to cross from one reactor to another is sent through a
//! [channel](crate::Context::channel). Here each reactor opens one, and whatever somebody says goes into
//! all of them; the receivers see to those who are connected to theirs.
//!
//! ```
//! use ropewalk::{Error, Id, Protocol, ReactorGroup, Sender, Transport};
//!
//! struct Speaker {
//!     reactors: Vec<Sender<Vec<u8>>>,
//! }
//!
//! impl Protocol for Speaker {
//!     fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
//!         for reactor in &self.reactors {
//!             // One that is gone has nobody left who could hear it.
//!             let _ = reactor.send(data.to_vec());
//!         }
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let mut group = ReactorGroup::for_each_processor()?;
//!     let reactors = group.each(|member| {
//!         member.context().channel(|context, data: Vec<u8>| {
//!             let everyone: Vec<Id> = context.connections().collect();
//!             for id in everyone {
//!                 context.write(id, &data);
//!             }
//!         })
//!     });
//!     let port = group.listen_tcp("127.0.0.1:0", move |_member| {
//!         let reactors = reactors.clone();
//!         move || Speaker { reactors: reactors.clone() }
//!     })?;
//!     println!("listening on {}", port.address());
//! #   let (address, handle) = (port.address().clone(), group.handle());
//! #   let client = std::thread::spawn(move || {
//! #       use std::io::{Read, Write};
//! #       let mut clients = [0; 5].map(|_| std::net::TcpStream::connect(&address).unwrap());
//! #       // Each has been taken in when it hears itself; then one is heard by all.
//! #       for client in &mut clients {
//! #           client.write_all(b"!").unwrap();
//! #           client.read_exact(&mut [0]).unwrap();
//! #       }
//! #       clients[0].write_all(b"hello").unwrap();
//! #       for client in &mut clients {
//! #           let mut heard = Vec::new();
//! #           while !heard.ends_with(b"hello") {
//! #               let mut byte = [0];
//! #               client.read_exact(&mut byte).unwrap();
//! #               heard.push(byte[0]);
//! #           }
//! #       }
//! #       handle.stop().unwrap();
//! #   });
//! #   group.run()?;
//! #   client.join().unwrap();
//! #   return Ok(());
//! #   #[allow(unreachable_code)]
//!     group.run()
//! }
//! ```
//!
//! `each` is called on every reactor's thread before the run, and so is what is given to `listen_tcp`,
//! which makes a factory there. So all that lives with a reactor may be an `Rc`; only what crosses has
//! to be `Send`. The chat of the crate `ropewalk-chat` is linked in this way.
//!
//! # Where to go on
//!
//! - [`Protocol`](crate::Protocol) states the order of all callbacks.
//! - [`pause_writing`](crate::Protocol::pause_writing) and [`pause`](crate::Transport::pause) are for
//!   peers that are too slow, or too fast.
//! - [`connect_tcp`](crate::Context::connect_tcp) calls others; [`Factory`](crate::Factory) hears of
//!   attempts that failed, and refuses clients.
//! - [`stop_on_signals`](crate::Reactor::stop_on_signals) has Ctrl-C end a run in order.
//! - [`Handle`](crate::Handle) lets threads do long work.
//! - The programs in `examples/` show each of these at work.
