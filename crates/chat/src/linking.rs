//! Exchange of updates between the members on several reactors.

use crate::members::Members;
use crate::name::keys;
use crate::network::{Batch, MemberId, Network, Server, Update};
use crate::room::Change;
use ropewalk::Context;
use std::time::Duration;

impl Members {
    /// Links this server to a network.
    pub(super) fn link(&mut self, network: &Network, context: &mut Context) {
        let (here, members) = (network.number(), self.me.clone());
        let sender = context.channel(move |context, batch| {
            if let Some(members) = members.upgrade() {
                members.borrow_mut().receive_updates(context, here, batch);
            }
        });
        self.network = network.clone();
        self.links = network.link(here, sender);
    }

    /// Links this server again, under a new number, if the others have unlinked it while it did not run. Members
    /// that have joined here since then are kept.
    pub(super) fn link_again(&mut self, context: &mut Context) {
        if !self.links.is_unlinked() {
            return;
        }
        let (network, before) = (self.network.clone(), self.links.here);
        self.link(&network, context);
        let here = self.links.here;
        for (MemberId { server, id }, (room, number)) in std::mem::take(&mut self.memberships) {
            let Some(members) = self.rooms.get_mut(&room) else { continue };
            let name = members.remove(number);
            if let Some(name) = name.filter(|_| server == before) {
                let member_id = MemberId { server: here, id };
                for key in keys(&name) {
                    network.names().entry(key).or_insert(member_id);
                }
                self.add_member(&room, member_id, name.clone());
                let (room, name, line) = (room.to_string(), name.to_string(), String::new());
                let first = self.links.send_to_all(&Update::Entered { room, id, name, line });
                self.schedule_flush(context, first);
            }
        }
        self.rooms.retain(|_, room| !room.is_empty());
        let mut names = network.names();
        names
            .values_mut()
            .filter(|member_id| member_id.server == before)
            .for_each(|member_id| member_id.server = here);
    }

    /// Schedules the flush of queued updates at the end of the turn, if they are the `first` of the turn.
    pub(super) fn schedule_flush(&mut self, context: &mut Context, first: bool) {
        if context.is_stopping() {
            self.links.flush(); // There may be no next turn.
        } else if first {
            let members = self.me.clone();
            context.call_later(Duration::ZERO, move |context| {
                if let Some(members) = members.upgrade() {
                    let mut members = members.borrow_mut();
                    members.links.flush();
                    members.remove_departed(context);
                }
            });
        }
    }

    /// Removes the members of servers that have departed.
    fn remove_departed(&mut self, context: &mut Context) {
        for departed in self.links.take_removed() {
            let of_it = |member_id: &&MemberId| member_id.server == departed;
            let member_ids: Vec<MemberId> =
                self.memberships.keys().filter(of_it).copied().collect();
            for member_id in member_ids {
                if let Some((room, name)) = self.remove_member(member_id) {
                    self.announce(context, &room, Change::Left, &format!("* {name} left\n"));
                }
            }
        }
    }

    /// Handles the updates that another server has sent when this server had the number `here`.
    fn receive_updates(&mut self, context: &mut Context, here: usize, batch: Batch) {
        self.link_again(context);
        if here != self.links.here {
            return; // It has received the list of members again since then.
        }
        let server = batch.from;
        for update in batch.updates {
            match update {
                // Its members have already been removed.
                Update::Entered { .. } if !self.links.has_link_to(server) => {}
                Update::Entered { room, id, name, line } => {
                    self.announce(context, &room, Change::Joined, &line);
                    self.add_member(&room.into(), MemberId { server, id }, name.into());
                }
                Update::Left { room, id, line } => {
                    if self.remove_member(MemberId { server, id }).is_some() {
                        self.announce(context, &room, Change::Left, &line);
                    }
                }
                Update::Linked(other) => self.send_members(server, other),
                Update::Renamed { room, id, name, line } => {
                    self.rename_member(MemberId { server, id }, &name.into());
                    self.announce(context, &room, Change::Renamed, &line);
                }
                Update::Lines { room, lines } => {
                    self.send_announcements(context, &room);
                    self.send_to_local(context, &room, None, &lines);
                }
                Update::Message { id, line } => {
                    self.catch_up(context, id);
                    context.transport(id).write(line.as_bytes());
                }
            }
        }
        self.remove_departed(context);
    }

    /// Sends the members of this server to a new server.
    fn send_members(&mut self, number: usize, server: Server) {
        let mut updates = Vec::new();
        for (name, room) in &self.rooms {
            for (member_id, member) in
                room.members().filter(|(member_id, _)| member_id.server == self.links.here)
            {
                let (room, name) = (name.to_string(), member.to_string());
                let line = String::new(); // Their arrival is not announced.
                updates.push(Update::Entered { room, id: member_id.id, name, line });
            }
        }
        self.links.add(number, server, updates);
    }
}
