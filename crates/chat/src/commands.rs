//! The parser of commands.

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'l> {
    /// A line for the room.
    Say(&'l str),
    Help,
    Join(&'l str),
    Me(&'l str),
    /// A recipient, and a text.
    Msg(&'l str, &'l str),
    Nick(&'l str),
    Quit,
    Who,
    /// A command without its argument, with the usage.
    Incomplete(&'static str),
    /// An unknown command.
    Unknown(&'l str),
}

/// The answer to `/help`.
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
    /// Parses a line.
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

/// Returns the first word, and the trimmed rest.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_slash_is_no_command() {
        assert_eq!(Command::parse("hello /who"), Command::Say("hello /who"));
        assert_eq!(Command::parse(" /who"), Command::Say(" /who"));
        assert_eq!(Command::parse("/who"), Command::Who);
        assert_eq!(Command::parse("/whoever"), Command::Unknown("/whoever"));
        assert_eq!(Command::parse("/"), Command::Unknown("/"));
    }

    #[test]
    fn arguments_follow_any_amount_of_space() {
        assert_eq!(Command::parse("/join \t den "), Command::Join("den"));
        assert_eq!(Command::parse("/msg  bob  a  b "), Command::Msg("bob", "a  b"));
        assert_eq!(Command::parse("/me waves  twice"), Command::Me("waves  twice"));
    }

    #[test]
    fn a_command_without_its_argument_returns_the_usage() {
        for (line, usage) in [("/join", JOIN), ("/nick ", NICK), ("/me", ME), ("/msg bob", MSG)] {
            assert_eq!(Command::parse(line), Command::Incomplete(usage));
        }
    }
}
