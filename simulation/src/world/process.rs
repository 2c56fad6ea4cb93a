//! Programs of the nodes.

use crate::net::SimulatedProgram;
use crate::world::World;

impl World {
    /// Sets the program that a process runs which a node starts by this name
    /// ([`ProcessOptions`](ropewalk::ProcessOptions)), on every node. The start of a program without a name here fails
    /// as that of a program that does not exist. Arguments, environment, directory, user and redirections have no
    /// effect: a process has three pipes, or a pseudo-terminal. That echoes what is typed, passes it on in lines, and hangs
    /// up; its modes do not change.
    ///
    /// ```
    /// use ropewalk::{ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport};
    /// use ropewalk_simulation::{SimulatedProgram, World};
    /// use std::time::Duration;
    ///
    /// struct Print;
    /// impl ProcessProtocol for Print {
    ///     fn out_received(&mut self, _process: &mut ProcessTransport<'_>, data: &[u8]) {
    ///         assert_eq!(data, b"42\n");
    ///     }
    ///     fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
    ///         assert_eq!(exit, ProcessExit::Code(1));
    ///         process.context().stop();
    ///     }
    /// }
    ///
    /// let mut world = World::new(1);
    /// let program = SimulatedProgram::new().waits(Duration::from_secs(60)).writes("42\n").exits(1);
    /// world.set_program("answer", program);
    /// world.add_node("node", |reactor| {
    ///     ProcessOptions::new("answer").spawn(reactor.context(), Print).map(drop)
    /// });
    /// assert!(world.run_until_quiet(Duration::from_secs(61)));
    /// ```
    pub fn set_program(&mut self, name: &str, program: SimulatedProgram) {
        self.net.borrow_mut().processes.programs.insert(name.to_owned(), program);
    }
}
