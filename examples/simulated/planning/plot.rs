//! Charts as SVG: panels with curves on logarithmic axes.

use std::fmt::Write;
use std::ops::Range;

/// A chart.
pub(crate) struct Panel {
    /// The title with the unit.
    pub(crate) title: &'static str,
    /// The curves. The uppermost is the first, as in the legend.
    pub(crate) series: Vec<Series>,
}

/// A curve.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// The size of a panel with its texts in pixels, and the borders of its curves.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 90.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = HEIGHT - 52.0;

/// The height of the texts above and below the panels.
const HEAD: f64 = 48.0;
const FOOT: f64 = 28.0;

/// The distance between two names of the legend.
const LINE: f64 = 15.0;

/// Colours that are distinguishable with colour blindness (Okabe and Ito, 2008).
const COLOURS: [&str; 4] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7"];

/// Draws the panels, two in a row, above the `axis` that they share.
pub(crate) fn draw(title: &str, axis: &str, panels: &[Panel]) -> String {
    let (width, height) = (2.0 * WIDTH, HEAD + panels.len().div_ceil(2) as f64 * HEIGHT + FOOT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, (width / 2.0, 32.0), "middle", "font-size=\"17\" font-weight=\"bold\"", title);
    for (number, panel) in panels.iter().enumerate() {
        let (x, y) = ((number % 2) as f64 * WIDTH, HEAD + (number / 2) as f64 * HEIGHT);
        append(&mut svg, format_args!("<g transform=\"translate({x} {y})\">"));
        panel.draw(&mut svg, axis);
        svg.push_str("</g>\n");
    }
    let note = "Both axes are logarithmic: proportional growth has a slope of 1.";
    text(&mut svg, (width / 2.0, height - 12.0), "middle", "fill=\"#555\"", note);
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, axis: &str) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let across = Scale::new(points().map(|point| point.0), LEFT..RIGHT);
        let up = Scale::new(points().map(|point| point.1), BOTTOM..TOP);
        text(svg, (LEFT, TOP - 16.0), "start", "font-weight=\"bold\"", self.title);
        text(svg, ((LEFT + RIGHT) / 2.0, BOTTOM + 40.0), "middle", "", axis);
        for Tick { value, digit } in across.ticks() {
            let x = across.place(value);
            line(svg, (x, TOP), (x, BOTTOM), digit == 1);
            if across.has_label(digit) {
                text(svg, (x, BOTTOM + 19.0), "middle", "", &label(value));
            }
        }
        for Tick { value, digit } in up.ticks() {
            let y = up.place(value);
            line(svg, (LEFT, y), (RIGHT, y), digit == 1);
            if up.has_label(digit) {
                text(svg, (LEFT - 8.0, y + 4.0), "end", "", &label(value));
            }
        }
        // A name is at the end of its curve, below the previous name and above the axis.
        let mut name_y = f64::NEG_INFINITY;
        for (number, (series, colour)) in self.series.iter().zip(COLOURS).enumerate() {
            let place = |&(x, y): &(f64, f64)| (across.place(x), up.place(y));
            let places: Vec<_> = series.points.iter().map(place).collect();
            curve(svg, &places, colour);
            let end = places.last().map_or(TOP, |(_, y)| *y);
            let below = (self.series.len() - 1 - number) as f64 * LINE;
            name_y = (end + 4.0).max(name_y + LINE).min(BOTTOM + 4.0 - below);
            text(svg, (RIGHT + 8.0, name_y), "start", &format!("fill=\"{colour}\""), series.name);
        }
    }
}

/// A logarithmic axis.
struct Scale {
    decades: Range<i32>,
    pixels: Range<f64>,
}

impl Scale {
    /// Makes an axis with the decades of the values. Values that are not above 0 are drawn at its end.
    fn new(values: impl Iterator<Item = f64>, pixels: Range<f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most == 0.0 {
            (least, most) = (1.0, 1.0);
        }
        let first = least.log10().floor() as i32;
        Self { decades: first..(most.log10().ceil() as i32).max(first + 1), pixels }
    }

    fn place(&self, value: f64) -> f64 {
        let Range { start, end } = self.decades;
        let value = value.max(10.0_f64.powi(start));
        let share = (value.log10() - f64::from(start)) / f64::from(end - start);
        self.pixels.start + share * (self.pixels.end - self.pixels.start)
    }

    /// Returns the grid lines.
    fn ticks(&self) -> impl Iterator<Item = Tick> {
        let Range { start, end } = self.decades;
        let tick = |power, digit| Tick { value: f64::from(digit) * 10.0_f64.powi(power), digit };
        let decade = move |power| (1..10).map(move |digit| tick(power, digit));
        (start..end).flat_map(decade).chain([tick(end, 1)])
    }

    /// Returns true if ticks with this digit have labels.
    fn has_label(&self, digit: u32) -> bool {
        digit == 1 || self.decades.len() <= 2 && (digit == 2 || digit == 5)
    }
}

/// A grid line: a digit of a power of ten.
struct Tick {
    value: f64,
    digit: u32,
}

/// Returns the label of a tick.
fn label(value: f64) -> String {
    if value < 1.0 {
        // Rounding errors must not add a decimal to a power of ten.
        let decimals = -(value.log10() + 1e-9).floor();
        return format!("{:.*}", decimals as usize, value);
    }
    let digits = format!("{value:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), is_strong: bool) {
    let colour = if is_strong { "#bbb" } else { "#eee" };
    append(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
        ),
    );
}

fn curve(svg: &mut String, places: &[(f64, f64)], colour: &str) {
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let path = path.join(" ");
    append(
        svg,
        format_args!(
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ),
    );
    for (x, y) in places {
        append(
            svg,
            format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"),
        );
    }
}

/// Appends a text element. The texts need no escaping.
fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, text: &str) {
    append(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>"
        ),
    );
}

fn append(svg: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(svg, "{what}").expect("writing to a string cannot fail");
}
