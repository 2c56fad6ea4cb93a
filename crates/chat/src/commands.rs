//! The commands, from their text.

/// What someone wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'l> {
    /// Words for the room.
    Say(&'l str),
    Help,
    Join(&'l str),
    Me(&'l str),
    /// To whom, and what.
    Msg(&'l str, &'l str),
    Nick(&'l str),
    Quit,
    Who,
    /// A command without what it needs: how to write it.
    Incomplete(&'static str),
    /// A command that there is not.
    Unknown(&'l str),
}

/// What `/help` says.
pub(super) const HELP: [&str; 8] = [
    "what you type is said to your room, and these are commands:",
    JOIN,
    "/who - who is in this room",
    NICK,
    ME,
    MSG,
    "/help - this list",
    "/quit - leave",
];

const JOIN: &str = "/join ROOM - go to another room";
const NICK: &str = "/nick NAME - change your name";
const ME: &str = "/me ACTION - tell the room what you do";
const MSG: &str = "/msg NAME TEXT - say something to one person only";

impl<'l> Command<'l> {
    /// What a line means.
    pub(super) fn parse(line: &'l str) -> Self {
        if !line.starts_with('/') {
            return Self::Say(line);
        }
        let (command, argument) = split(line);
        let needs = |usage, make: fn(&'l str) -> Self| {
            if argument.is_empty() { Self::Incomplete(usage) } else { make(argument) }
        };
        match command {
            "/help" => Self::Help,
            "/join" => needs(JOIN, Self::Join),
            "/me" => needs(ME, Self::Me),
            "/msg" => match split(argument) {
                (_, "") => Self::Incomplete(MSG),
                (name, text) => Self::Msg(name, text),
            },
            "/nick" => needs(NICK, Self::Nick),
            "/quit" => Self::Quit,
            "/who" => Self::Who,
            _ => Self::Unknown(command),
        }
    }
}

/// The first word, and the rest without the space around it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_unless_it_begins_with_a_slash() {
        assert_eq!(Command::parse("hello /who"), Command::Say("hello /who"));
        assert_eq!(Command::parse(" /who"), Command::Say(" /who"));
        assert_eq!(Command::parse("/who"), Command::Who);
        assert_eq!(Command::parse("/whoever"), Command::Unknown("/whoever"));
        assert_eq!(Command::parse("/"), Command::Unknown("/"));
    }

    #[test]
    fn arguments_stand_behind_any_amount_of_space() {
        assert_eq!(Command::parse("/join \t den "), Command::Join("den"));
        assert_eq!(Command::parse("/msg  bob  a  b "), Command::Msg("bob", "a  b"));
        assert_eq!(Command::parse("/me waves  twice"), Command::Me("waves  twice"));
    }

    #[test]
    fn a_command_without_its_argument_says_how_it_is_written() {
        for (line, usage) in [("/join", JOIN), ("/nick ", NICK), ("/me", ME), ("/msg bob", MSG)] {
            assert_eq!(Command::parse(line), Command::Incomplete(usage));
        }
    }
}
