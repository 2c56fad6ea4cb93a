//! A run of one seed: makes connections, performs operations, and ends all connections.

use crate::actor::{Maker, close};
use crate::model::{Ending, Kind, Model, Phase, Shared};
use crate::operations::{Face, operate_on, resume, unregister};
use crate::raw::Raw;
use crate::support::{PATIENCE, client};
use crate::unix::{Folder, unix_client};
use ropewalk::Id;
use ropewalk::{ConnectOptions, ListenOptions, Reactor, SocketOption};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The send buffer of a TCP connection: small, so that it is often full.
const BUFFER: SocketOption = SocketOption::SendBuffer(64 * 1024);

/// A run.
struct Play {
    shared: Shared,
    reactor: Reactor,
    raws: Vec<Raw>,
    listeners: Vec<Id>,
    folder: Folder,
}

/// Runs a seed. Returns the first violation, with the trace.
pub(crate) fn play(seed: u64) -> Result<(), String> {
    let shared = Rc::new(RefCell::new(Model::new(seed)));
    let mut play = Play {
        shared,
        reactor: Reactor::new().expect("a reactor"),
        raws: Vec::new(),
        listeners: Vec::new(),
        folder: Folder::new(),
    };
    let (connections, steps) = {
        let mut model = play.shared.borrow_mut();
        (model.random.between(1, 3), model.random.between(10, 120))
    };
    for _ in 0..connections {
        play.connect();
    }
    for _ in 0..steps {
        play.step();
    }
    let stops = play.shared.borrow_mut().random.chance(0.2);
    match stops {
        true => play.stop(),
        false => play.finish(),
    }
    play.shared.borrow_mut().check_all();
    let model = play.shared.borrow();
    match model.wrong.first() {
        None => Ok(()),
        Some(wrong) => Err(format!("{}\n{wrong}", model.report(play.reactor.context()))),
    }
}

impl Play {
    /// Makes a connection. Its first side is accepted by the reactor.
    fn connect(&mut self) {
        let mut model = self.shared.borrow_mut();
        let [is_unix, is_raw, accepts, connects] = [0.5; 4].map(|half| model.random.chance(half));
        let side = model.sides.len();
        for takes_descriptors in [accepts, connects && !is_raw] {
            let mut new = crate::model::Side { is_unix, ..Default::default() };
            new.takes_descriptors = takes_descriptors && is_unix;
            model.sides.push(new);
        }
        model.note(format!("{side} and {}: unix {is_unix}, raw {is_raw}", side + 1));
        if is_raw {
            let raw = &mut model.sides[side + 1];
            (raw.is_raw, raw.phase) = (true, Phase::Made);
        }
        drop(model);
        match is_unix {
            true => self.connect_unix(side, is_raw),
            false => self.connect_tcp(side, is_raw),
        }
    }

    fn connect_tcp(&mut self, side: usize, is_raw: bool) {
        let options = ListenOptions::new().option(BUFFER);
        let maker = self.maker(side);
        let context = self.reactor.context();
        let port = options.listen_tcp(context, "127.0.0.1:0", maker).expect("a free port");
        let address: SocketAddr = port.address().socket_addr().expect("an IP address");
        self.listeners.push(port.id());
        if is_raw {
            return self.raws.push(Raw::tcp(side + 1, client(address)));
        }
        let options = ConnectOptions::new().option(BUFFER);
        let maker = self.maker(side + 1);
        let id = options.connect_tcp(self.reactor.context(), address, maker);
        self.shared.borrow_mut().sides[side + 1].id = Some(id.expect("an attempt"));
    }

    fn connect_unix(&mut self, side: usize, is_raw: bool) {
        let path: PathBuf = self.folder.path(&format!("{side}.sock"));
        let takes = |side: usize| self.shared.borrow().sides[side].takes_descriptors;
        let options = ListenOptions::new().descriptors(takes(side));
        let connecting = ConnectOptions::new().descriptors(takes(side + 1));
        let maker = self.maker(side);
        let port = options.listen_unix(self.reactor.context(), path.clone(), maker);
        self.listeners.push(port.expect("a free name").id());
        if is_raw {
            return self.raws.push(Raw::unix(side + 1, unix_client(&path)));
        }
        let maker = self.maker(side + 1);
        let id = connecting.connect_unix(self.reactor.context(), path, maker);
        self.shared.borrow_mut().sides[side + 1].id = Some(id.expect("an attempt"));
    }

    fn maker(&self, side: usize) -> Maker {
        Maker { model: Rc::clone(&self.shared), side }
    }

    /// Performs an operation, and mostly makes a turn.
    fn step(&mut self) {
        let (number, turns) = {
            let mut model = self.shared.borrow_mut();
            let sides = model.sides.len() as u64;
            (model.random.below(sides) as usize, model.random.chance(0.7))
        };
        if self.shared.borrow().sides[number].is_raw {
            let model = &mut self.shared.borrow_mut();
            for raw in self.raws.iter_mut().filter(|raw| raw.side() == number) {
                raw.operate(model);
            }
        } else {
            operate_on(&self.shared, &mut Face::Other(self.reactor.context()), number);
        }
        if turns {
            self.reactor.turn(Some(Duration::ZERO)).expect("a turn");
        }
    }

    /// Lets all sides read until all data has arrived, then closes all of them.
    fn finish(&mut self) {
        self.shared.borrow_mut().finishing = true;
        for (side, id) in self.open_sides() {
            resume(&mut self.shared.borrow_mut(), self.reactor.context(), side, id);
        }
        self.turn_until("all data", Self::is_delivered);
        for id in std::mem::take(&mut self.listeners) {
            self.reactor.context().close(id);
        }
        for raw in &mut self.raws {
            raw.shut(&mut self.shared.borrow_mut());
        }
        for (side, id) in self.open_sides() {
            let model = &mut self.shared.borrow_mut();
            unregister(model, self.reactor.context(), side, id);
            close(model, side);
            self.reactor.context().close(id);
        }
        self.turn_until("all ends", Self::is_ended);
    }

    /// Stops the reactor.
    fn stop(&mut self) {
        {
            let mut model = self.shared.borrow_mut();
            (model.finishing, model.stopped) = (true, true);
            model.note("stop".to_owned());
        }
        self.reactor.context().stop();
        let begin = Instant::now();
        while self.reactor.run_turn(Some(Duration::from_millis(1))).expect("a turn") {
            self.read_all();
            let model = &mut self.shared.borrow_mut();
            model.check(0, begin.elapsed() < PATIENCE, "the stop took too long");
        }
        for raw in &mut self.raws {
            raw.shut(&mut self.shared.borrow_mut());
        }
        self.turn_until("all ends", Self::is_ended);
    }

    fn turn_until(&mut self, what: &str, done: impl Fn(&Model, &[Raw], usize) -> bool) {
        let (begin, sides) = (Instant::now(), self.shared.borrow().sides.len());
        while !(0..sides).all(|side| done(&self.shared.borrow(), &self.raws, side)) {
            if begin.elapsed() > PATIENCE {
                let model = &mut self.shared.borrow_mut();
                let open: Vec<usize> =
                    (0..model.sides.len()).filter(|&side| !done(model, &self.raws, side)).collect();
                return model.check(open[0], false, &format!("timed out: {what}, of {open:?}"));
            }
            self.reactor.turn(Some(Duration::from_millis(1))).expect("a turn");
            self.read_all();
        }
    }

    fn read_all(&mut self) {
        let model = &mut self.shared.borrow_mut();
        for raw in &mut self.raws {
            raw.continue_write(model);
            raw.read(model, usize::MAX);
        }
    }

    /// Returns true if all that a side has written has arrived, as far as its peer reads, and if a side that must
    /// end has ended.
    fn is_delivered(model: &Model, _raws: &[Raw], side: usize) -> bool {
        let (own, peer) = (&model.sides[side], &model.sides[side ^ 1]);
        if own.phase == Phase::Gone || own.is_raw || own.id.is_none() {
            return true;
        }
        // A cancelled attempt without queued data sends no reset.
        let peer_was_made = peer.is_raw || peer.reason.is_some();
        let peer_is_there = peer.phase == Phase::Made && peer.ending != Ending::Close;
        let ends = own.cut
            || own.ending == Ending::Close && own.producer.is_none()
            || peer.cut && peer_was_made && !own.is_unix;
        // A closing protocol receives no callbacks, but its producer does.
        let resumed = !own.writing_paused || own.ending == Ending::Close;
        let silent = matches!(own.producer, None | Some((_, Kind::Push)));
        let flows = silent && own.out.is_complete() && resumed && !own.producer_paused;
        !ends && own.phase == Phase::Made && (flows || !peer_is_there)
    }

    fn is_ended(model: &Model, raws: &[Raw], side: usize) -> bool {
        let own = &model.sides[side];
        match own.is_raw {
            true => raws.iter().all(|raw| raw.side() != side || !raw.is_open()),
            false => own.phase == Phase::Gone || own.id.is_none(),
        }
    }

    /// Returns the open sides of the reactor.
    fn open_sides(&self) -> Vec<(usize, Id)> {
        let model = self.shared.borrow();
        let open = |side: usize| {
            let own = &model.sides[side];
            own.id.filter(|_| own.phase != Phase::Gone).map(|id| (side, id))
        };
        (0..model.sides.len()).filter_map(open).collect()
    }
}
