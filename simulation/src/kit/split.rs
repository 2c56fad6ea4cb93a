//! Splits of an input into chunks.

use crate::random::Random;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::thread;

/// The maximum input length for which every pair of cuts is tried: for 64 bytes there are 1,953 pairs, which take
/// a second with a connection for each, without optimization.
const PAIRS_UP_TO: usize = 64;

/// The number of random splits.
const RANDOM: u64 = 100;

/// An input and the chunks in which it arrives. No chunk is empty.
///
/// It prints as `"he" | "llo"`.
#[derive(Clone, PartialEq, Eq)]
pub struct Split<'a> {
    input: &'a [u8],
    /// The offsets of the cuts, in ascending order, within the input.
    cuts: Vec<usize>,
}

impl<'a> Split<'a> {
    /// Returns the input in one chunk.
    pub fn whole(input: &'a [u8]) -> Self {
        Self { input, cuts: Vec::new() }
    }

    /// Returns each byte alone.
    pub fn bytes(input: &'a [u8]) -> Self {
        Self { input, cuts: (1..input.len()).collect() }
    }

    /// Returns the input cut before these bytes, in ascending order.
    ///
    /// # Panics
    ///
    /// If a cut is not within the input, or the order is not ascending.
    pub fn at(input: &'a [u8], cuts: impl Into<Vec<usize>>) -> Self {
        let cuts = cuts.into();
        let within = cuts.iter().all(|cut| (1..input.len()).contains(cut));
        assert!(within && cuts.is_sorted_by(|one, next| one < next), "invalid cuts: {cuts:?}");
        Self { input, cuts }
    }

    /// Returns the input cut at random, from a seed, with rare to frequent cuts.
    pub fn random(input: &'a [u8], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let often = random.between(1, 50) as f64 / 100.0;
        Self { input, cuts: (1..input.len()).filter(|_| random.chance(often)).collect() }
    }

    /// Returns the chunks, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let ends = self.cuts.clone().into_iter().chain([self.input.len()]);
        let mut start = 0;
        let (input, pieces) =
            (self.input, ends.map(move |end| std::mem::replace(&mut start, end)..end));
        pieces.filter(|range: &Range<usize>| !range.is_empty()).map(move |range| &input[range])
    }
}

/// Iterates over the chunks, as [`feed_in`](crate::kit::TestConnection::feed_in) takes them.
impl<'a> IntoIterator for &Split<'a> {
    type Item = &'a [u8];
    type IntoIter = std::vec::IntoIter<&'a [u8]>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces().collect::<Vec<_>>().into_iter()
    }
}

impl fmt::Display for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, piece) in self.pieces().enumerate() {
            let bar = if number > 0 { " | " } else { "" };
            write!(f, "{bar}\"{}\"", piece.escape_ascii())?;
        }
        Ok(())
    }
}

impl Debug for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Split({self})")
    }
}

/// Returns the splits of an input that are worth testing: the whole, each byte alone, every cut in two, every pair
/// of cuts (for inputs up to 64 bytes), and 100 random splits, which are always the same.
///
/// ```
/// use ropewalk_simulation::kit::splits;
///
/// let texts: Vec<String> = splits(b"abc").map(|split| split.to_string()).take(4).collect();
/// assert_eq!(texts, [r#""abc""#, r#""a" | "b" | "c""#, r#""a" | "bc""#, r#""ab" | "c""#]);
/// ```
pub fn splits(input: &[u8]) -> impl Iterator<Item = Split<'_>> {
    let length = input.len();
    let first = [Split::whole(input), Split::bytes(input)];
    let twos = (1..length).map(move |cut| Split::at(input, [cut]));
    let short = if length <= PAIRS_UP_TO { length } else { 0 };
    let pairs = (1..short)
        .flat_map(move |one| (one + 1..length).map(move |other| Split::at(input, [one, other])));
    let random = (0..RANDOM).map(move |seed| Split::random(input, seed));
    first.into_iter().chain(twos).chain(pairs).chain(random)
}

/// Asserts that the chunks of the input do not matter: `outcome` is called for each of its [`splits`], and has to
/// return the same value each time. Returns that value.
///
/// ```
/// use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
/// use ropewalk_simulation::kit::{TestConnection, assert_same_for_every_split};
///
/// struct Shout;
///
/// impl LineHandler for Shout {
///     type Line = str;
///
///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
///         lines.send_line(line.to_uppercase());
///     }
/// }
///
/// let answer = assert_same_for_every_split(b"one\r\ntwo\n\nfour", |split| {
///     let mut connection = TestConnection::new(|| LineReceiver::new(Shout));
///     connection.feed_in(split);
///     connection.take_text()
/// });
/// assert_eq!(answer, "ONE\nTWO\n\n");
/// ```
///
/// # Panics
///
/// If two outcomes are different; the message contains the split. If `outcome` panics, the split is printed.
#[track_caller]
pub fn assert_same_for_every_split<T: PartialEq + Debug>(
    input: &[u8],
    mut outcome: impl FnMut(&Split<'_>) -> T,
) -> T {
    let whole = outcome(&Split::whole(input));
    for split in splits(input).skip(1) {
        let shown = ShownIfPanicking(&split);
        let other = outcome(&split);
        drop(shown);
        assert!(
            other == whole,
            "the chunks of the input matter\n       split: {split}\n     outcome: {other:?}\n\
             in one chunk: {whole:?}"
        );
    }
    whole
}

/// Prints the split if the test panics.
struct ShownIfPanicking<'a>(&'a Split<'a>);

impl Drop for ShownIfPanicking<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input arrived in these chunks: {}", self.0);
        }
    }
}
