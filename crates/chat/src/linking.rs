//! A hall and those on other reactors: how they find each other, and what they tell each other.

use crate::hall::Hall;
use crate::name::keys;
use crate::network::{Batch, Network, News, Place, Server};
use crate::room::Change;
use ropewalk::Context;
use std::time::Duration;

impl Hall {
    /// Makes this a server of a network.
    pub(super) fn link(&mut self, network: &Network, context: &mut Context) {
        let (here, hall) = (network.number(), self.me.clone());
        let sender = context.channel(move |context, batch| {
            if let Some(hall) = hall.upgrade() {
                hall.borrow_mut().heed(context, here, batch);
            }
        });
        self.network = network.clone();
        self.links = network.link(here, sender);
    }

    /// If the others have given this server up while it did not run, it becomes another server. The people
    /// that have joined here since are its own.
    pub(super) fn link_again(&mut self, context: &mut Context) {
        if !self.links.are_cut() {
            return;
        }
        let (network, before) = (self.network.clone(), self.links.here);
        self.link(&network, context);
        let here = self.links.here;
        for (Place { server, id }, (room, seat)) in std::mem::take(&mut self.seats) {
            let Some(people) = self.rooms.get_mut(&room) else { continue };
            let name = people.unseat(seat);
            if let Some(name) = name.filter(|_| server == before) {
                let place = Place { server: here, id };
                for key in keys(&name) {
                    network.names().entry(key).or_insert(place);
                }
                self.seat(&room, place, name.clone());
                let (room, name, line) = (room.to_string(), name.to_string(), String::new());
                let first = self.links.tell_all(&News::Entered { room, id, name, line });
                self.pass_on(context, first);
            }
        }
        self.rooms.retain(|_, room| !room.is_empty());
        let mut names = network.names();
        names.values_mut().filter(|place| place.server == before).for_each(|p| p.server = here);
    }

    /// Sees to it that what was gathered is sent when the turn is over, after the `first` of it.
    pub(super) fn pass_on(&mut self, context: &mut Context, first: bool) {
        if context.is_stopping() {
            self.links.flush(); // There may be no next turn.
        } else if first {
            let hall = self.me.clone();
            context.call_later(Duration::ZERO, move |context| {
                if let Some(hall) = hall.upgrade() {
                    let mut hall = hall.borrow_mut();
                    hall.links.flush();
                    hall.forget_gone(context);
                }
            });
        }
    }

    /// The people of servers that have gone have left.
    fn forget_gone(&mut self, context: &mut Context) {
        for gone in self.links.take_gone() {
            let of_it = |place: &&Place| place.server == gone;
            let places: Vec<Place> = self.seats.keys().filter(of_it).copied().collect();
            for place in places {
                if let Some((room, name)) = self.unseat(place) {
                    self.announce(context, &room, Change::Left, &format!("* {name} left\n"));
                }
            }
        }
    }

    /// What another server has told this one, when it was server `here`.
    fn heed(&mut self, context: &mut Context, here: usize, batch: Batch) {
        self.link_again(context);
        if here != self.links.here {
            return; // It has received the list of people again since then.
        }
        let server = batch.from;
        for news in batch.news {
            match news {
                // Its people have gone with it.
                News::Entered { .. } if !self.links.lead_to(server) => {}
                News::Entered { room, id, name, line } => {
                    self.announce(context, &room, Change::Joined, &line);
                    self.seat(&room.into(), Place { server, id }, name.into());
                }
                News::Left { room, id, line } => {
                    if self.unseat(Place { server, id }).is_some() {
                        self.announce(context, &room, Change::Left, &line);
                    }
                }
                News::Linked(way) => self.greet(server, way),
                News::Renamed { room, id, name, line } => {
                    self.call(Place { server, id }, &name.into());
                    self.announce(context, &room, Change::Renamed, &line);
                }
                News::Said { room, lines } => {
                    self.send_announcements(context, &room);
                    self.tell_those_here(context, &room, None, &lines);
                }
                News::Told { id, line } => {
                    self.catch_up(context, id);
                    context.write(id, line.as_bytes());
                }
            }
        }
        self.forget_gone(context);
    }

    /// Sends a new server the names of the people here.
    fn greet(&mut self, server: usize, way: Server) {
        let mut news = Vec::new();
        for (name, room) in &self.rooms {
            for (place, person) in
                room.people().filter(|(place, _)| place.server == self.links.here)
            {
                let (room, name) = (name.to_string(), person.to_string());
                let line = String::new(); // It is no news that they are here.
                news.push(News::Entered { room, id: place.id, name, line });
            }
        }
        self.links.add(server, way, news);
    }
}
