//! Names in the lines of the chat: to complete them, and to notice the user's own.

use std::collections::VecDeque;

/// The most names that are remembered. It is more than a user talks to.
const MAX_NAMES: usize = 1000;

/// The longest name in bytes. The chat's are shorter.
const MAX_LENGTH: usize = 128;

/// The names that were seen, and the user's own.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The one that was seen last is at the end.
    seen: VecDeque<String>,
    own: Option<String>,
}

impl Names {
    /// Notes the names in a line of the server.
    pub(crate) fn learn(&mut self, line: &str) {
        if let Some((name, _)) = message(line) {
            return self.add(name);
        }
        let Some(line) = line.strip_prefix("* ") else { return };
        let words: Vec<&str> = line.split(' ').take(6).collect();
        match words[..] {
            ["welcome,", name, ..] => self.own = Some(name.trim_end_matches(';').to_owned()),
            ["in", _, ..] => self.add_listed(line.split_once(": ")),
            ["you", "are", "in", _, "with", ..] => self.add_listed(line.split_once(" with ")),
            [old, "is", "now", "known", "as", new] => {
                if self.own.as_deref() == Some(old) {
                    self.own = Some(new.to_owned());
                }
                self.seen.retain(|name| name != old);
                self.add(new);
            }
            [name, "joined" | "left", ..] => self.add(name),
            _ => {}
        }
    }

    /// Returns the names that begin with `beginning` in any case, without the user's own, in alphabetical order.
    pub(crate) fn beginning_with(&self, beginning: &str) -> Vec<&str> {
        let beginning = beginning.to_lowercase();
        let names = self.seen.iter().map(String::as_str);
        let names = names.filter(|name| name.to_lowercase().starts_with(&beginning));
        let mut names: Vec<&str> =
            names.filter(|name| Some(*name) != self.own.as_deref()).collect();
        names.sort_unstable();
        names
    }

    /// Returns true if another member says the user's name in this line.
    pub(crate) fn is_own_said(&self, line: &str) -> bool {
        let action = || {
            let (name, text) = line.strip_prefix("* ")?.split_once(' ')?;
            // Other lines that begin with an asterisk are the server's.
            let is_announced = ["joined ", "left", "is now known as "];
            let is_action = !is_announced.iter().any(|begin| text.starts_with(begin));
            (is_action && self.seen.iter().any(|seen| seen == name)).then_some((name, text))
        };
        match (&self.own, message(line).or_else(action)) {
            (Some(own), Some((name, text))) => own != name && has_word(text, own),
            _ => false,
        }
    }

    fn add_listed(&mut self, list: Option<(&str, &str)>) {
        let names = list.map_or("", |(_, names)| names);
        names.split(" and ").flat_map(|names| names.split(", ")).for_each(|name| self.add(name));
    }

    fn add(&mut self, name: &str) {
        // A list ends in `and 3 more`.
        if name.is_empty() || name.len() > MAX_LENGTH || name.contains(char::is_whitespace) {
            return;
        }
        // Often a member sends several lines.
        if self.seen.back().is_some_and(|last| last == name) {
            return;
        }
        self.seen.retain(|seen| seen != name);
        self.seen.push_back(name.to_owned());
        if self.seen.len() > MAX_NAMES {
            self.seen.pop_front();
        }
    }
}

/// Returns the sender and the text of a message to the room, or to the user alone.
fn message(line: &str) -> Option<(&str, &str)> {
    let enclosed = |begin, end| line.strip_prefix(begin)?.split_once(end);
    enclosed('<', "> ").or_else(|| enclosed('[', "] "))
}

/// Returns true if the text contains the word in any case, and not as a part of another name.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.match_indices(&word).any(|(begin, _)| {
        let (before, after) = (&text[..begin], &text[begin + word.len()..]);
        !before.ends_with(is_in_name) && !after.starts_with(is_in_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(lines: &[&str]) -> Names {
        let mut names = Names::default();
        lines.iter().for_each(|line| names.learn(line));
        names
    }

    #[test]
    fn names_are_learned_from_each_kind_of_line() {
        let names = names(&[
            "* what is your name?",
            "* welcome, anna; /help lists the commands",
            "* you are in lobby with carl, dora and 3 more",
            "* ben joined lobby",
            "* eva left for den",
            "* finn left (too slow)",
            "<gil> hello",
            "[hal] psst",
            "* in lobby: ina, jo",
            "* 3 more joined, 6283 more left",
            "* jo is now known as joe",
            "* there is no /x; see /help",
        ]);
        let seen = ["ben", "carl", "dora", "eva", "finn", "gil", "hal", "ina", "joe"];
        assert_eq!(names.beginning_with(""), seen);
        assert_eq!(names.beginning_with("D"), ["dora"]);
    }

    #[test]
    fn own_name_is_noticed_as_a_word_of_others() {
        let mut names = names(&["* welcome, zoë; /help lists the commands", "* ben joined lobby"]);
        for said in ["<ben> Zoë?", "[ben] hi ZOË", "* ben greets zoë.", "<ben> a zoës, zoë"] {
            assert!(names.is_own_said(said), "{said}");
        }
        for other in ["<ben> zoës", "<ben> zoë-2", "<zoë> zoë", "* zoë joined den", "* usage: zoë"]
        {
            assert!(!names.is_own_said(other), "{other}");
        }
        names.learn("* zoë is now known as ann");
        assert!(names.is_own_said("<ben> ann") && !names.is_own_said("<ben> zoë"));
    }

    #[test]
    fn remembered_names_are_bounded() {
        let mut names = Names::default();
        (0..2000).for_each(|number| names.learn(&format!("<user{number}> hello")));
        names.learn(&format!("<{}> hello", "x".repeat(1000)));
        assert_eq!(names.seen.len(), MAX_NAMES);
        assert_eq!(names.beginning_with("user1999"), ["user1999"]);
    }
}
