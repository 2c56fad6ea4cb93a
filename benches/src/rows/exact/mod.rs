//! The `exact` row: instructions and system calls of the server, equal on every machine.
//!
//! Each figure is the difference of two runs that differ only in their number of rounds, which
//! removes the start and the end of the server.

mod load;
mod tools;

use super::sample::{BARE, wanted};
use crate::Options;
use crate::output::complain;
use crate::servers::{SERVERS, Server};
use crate::system::OnLoadProcessor;
use crate::table::Table;
use load::Task;
use std::error::Error;
use std::io;
use std::thread;
use tools::{Calls, Tool, instructions, system_calls};

/// The servers that are counted: no framework, ropewalk, and tokio, by chunks and by lines.
const NAMES: [&str; 5] = [BARE, "ropewalk", "ropewalk-lines", "tokio", "tokio-chunks"];

/// The note under the last table.
const METHOD: &str = "All data of a round is sent before the server polls, so one epoll_wait \
                      returns a whole round. Under valgrind, reading the clock is a system call; its \
                      instructions outside of it, a few dozen, are not counted.";

/// The note that is added if the load cannot run without interruption.
const CHANCE: &str = "Where the load may not run with SCHED_FIFO (only root may), another \
                      program that interrupts a round makes the server \
                      wait or send more often, so count on an idle machine.";

/// One table. The first takes a second for each server, the others up to ten, so `--quick` leaves
/// them out.
struct Subject {
    task: Task,
    title: &'static str,
    /// The counted quantity, in the table's columns.
    unit: &'static str,
    /// The numbers of rounds of the shorter and the longer run.
    under_callgrind: [u64; 2],
    under_strace: [u64; 2],
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        task: Task::Echo { connections: 50 },
        title: "Exact counts an echo: 50 connections, 64 bytes",
        unit: "echo",
        under_callgrind: [20, 220],
        under_strace: [10, 60],
    },
    Subject {
        task: Task::Broadcast { receivers: 200, senders: 10, lines: 16 },
        title: "Exact counts a delivery: 200 receivers, 10 senders of 16 lines at once",
        unit: "delivery",
        under_callgrind: [1, 3],
        under_strace: [1, 2],
    },
    Subject {
        task: Task::Broadcast { receivers: 1000, senders: 4, lines: 4 },
        title: "Exact counts a delivery: 1,000 receivers, 4 senders of 4 lines at once",
        unit: "delivery",
        under_callgrind: [1, 4],
        under_strace: [1, 3],
    },
];

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let missing: Vec<_> = [Tool::Callgrind, Tool::Strace]
        .into_iter()
        .filter(|tool| !tool.is_there())
        .map(Tool::program)
        .collect();
    if !missing.is_empty() {
        complain(format_args!(
            "skipped: it needs {} (apt install {})\n",
            missing.join(" and "),
            missing.join(" ")
        ));
        return Ok(Vec::new());
    }
    let subjects = if options.quick { &SUBJECTS[..1] } else { &SUBJECTS };
    // In a thread of its own, which drops the privilege when it ends.
    let tables: io::Result<_> = thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let _here = OnLoadProcessor::enter()?;
            let undisturbed = tools::go_first();
            let mut tables: Vec<_> =
                subjects.iter().map(|subject| subject.table(options)).collect::<io::Result<_>>()?;
            if let Some(last) = tables.last_mut() {
                last.notes.push(METHOD.to_owned());
                last.notes.extend((!undisturbed).then(|| CHANCE.to_owned()));
            }
            Ok(tables)
        });
        counting.join().map_err(|_| io::Error::other("the thread that counts panicked"))?
    });
    Ok(tables?)
}

impl Subject {
    fn table(&self, options: &Options) -> io::Result<Table> {
        let unit = self.unit;
        let instructions = format!("instructions/{unit}");
        let columns = ["server", &instructions, "recv", "send", "epoll_wait", "others", "calls"];
        let mut table = Table::new(self.title, &columns);
        let counted = |server: &&Server| {
            NAMES.contains(&server.name) && wanted(server, self.task.work(), options)
        };
        for server in SERVERS.iter().filter(counted) {
            table.rows.push(self.row(server)?);
        }
        let example = Tool::Callgrind.output(&SERVERS[0], self.task);
        table.notes.push(format!(
            "Instructions in user space (callgrind; where they went: callgrind_annotate {}, for \
             any server), system calls of each kind (strace), for each {unit}.",
            example.display().to_string().replace(SERVERS[0].name, "SERVER"),
        ));
        Ok(table)
    }

    fn row(&self, server: &Server) -> io::Result<Vec<String>> {
        let [few, many] = self.under_callgrind;
        let fewer = instructions(server, self.task, few)?;
        let more = instructions(server, self.task, many)?;
        let units = ((many - few) * self.task.units()) as f64;
        let instructions = more.saturating_sub(fewer) as f64 / units;

        let [few, many] = self.under_strace;
        let fewer = system_calls(server, self.task, few)?;
        let more = system_calls(server, self.task, many)?;
        let units = ((many - few) * self.task.units()) as f64;
        let kinds: [fn(&Calls) -> u64; 4] =
            [|it| it.receive, |it| it.send, |it| it.wait, |it| it.other];
        let counts = kinds.map(|kind| kind(&more).saturating_sub(kind(&fewer)) as f64 / units);

        let mut row = vec![server.name.to_owned(), format!("{instructions:.1}")];
        row.extend(counts.iter().map(|count| format!("{count:.4}")));
        row.push(format!("{:.4}", counts.iter().sum::<f64>()));
        Ok(row)
    }
}
