//! Line charts as SVG: scales, ticks, lines, a legend.

use super::escape;
use std::fmt::Write;

/// The size of a chart in its own units; it is scaled to the page.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
/// Room for the numbers at the axes.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// How values are laid out along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly, from zero.
    Linear,
    /// Each power of ten as wide as the next.
    Log,
    /// Percentiles by how rare what is above them is: 90, 99 and 99.9 are as far apart. Values are 1 / (1 - share).
    Rarity,
}

/// An axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) scale: Scale,
    /// How a value is written.
    pub(super) show: fn(f64) -> String,
}

/// A line. Points that are not finite are gaps.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    /// Its colour: a number of the palette.
    pub(super) colour: usize,
    /// Whether it is dashed.
    pub(super) dashed: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart with its title, as a figure; nothing when there is nothing to draw.
pub(super) fn chart(title: &str, x: Axis, y: Axis, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|(x, y)| x.is_finite() && y.is_finite());
    if points().count() < 2 {
        return String::new();
    }
    let horizontal = Span::of(x.scale, points().map(|point| point.0));
    let vertical = Span::of(y.scale, points().map(|point| point.1));
    let at = |point: &(f64, f64)| {
        let across = LEFT + horizontal.place(point.0) * (WIDTH - LEFT - RIGHT);
        let up = HEIGHT - BOTTOM - vertical.place(point.1) * (HEIGHT - TOP - BOTTOM);
        (across, up)
    };
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        svg,
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title),
        escape(title)
    );
    for tick in horizontal.ticks() {
        let (across, _) = at(&(tick, vertical.low));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{across:.1}\" x2=\"{across:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
            HEIGHT - BOTTOM
        );
        let _ = write!(
            svg,
            "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM + 17.0,
            (x.show)(tick)
        );
    }
    for tick in vertical.ticks() {
        let (_, up) = at(&(horizontal.low, tick));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{up:.1}\" y2=\"{up:.1}\"/>",
            WIDTH - RIGHT
        );
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 7.0,
            up + 4.0,
            (y.show)(tick)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - RIGHT,
        HEIGHT - 8.0,
        escape(x.name)
    );
    for line in lines {
        draw(&mut svg, line, &at, y.show);
    }
    svg.push_str("</svg>");
    legend(&mut svg, lines);
    svg.push_str("</figure>\n");
    svg
}

fn draw(svg: &mut String, line: &Line, at: &impl Fn(&(f64, f64)) -> (f64, f64), show: fn(f64) -> String) {
    let (mut path, mut pen_is_down) = (String::new(), false);
    for point in &line.points {
        if !point.0.is_finite() || !point.1.is_finite() {
            pen_is_down = false;
            continue;
        }
        let (across, up) = at(point);
        let _ = write!(path, "{}{across:.1} {up:.1}", if pen_is_down { "L" } else { "M" });
        pen_is_down = true;
    }
    let dashed = if line.dashed { " dashed" } else { "" };
    let most =
        line.points.iter().map(|point| point.1).filter(|value| value.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    let _ = write!(
        svg,
        "<path class=\"c{}{dashed}\" d=\"{path}\"><title>{}, at most {}</title></path>",
        line.colour,
        escape(&line.name),
        show(most)
    );
}

fn legend(svg: &mut String, lines: &[Line]) {
    svg.push_str("<ul class=\"legend\">");
    for line in lines {
        let dashed = if line.dashed { " dashed" } else { "" };
        let _ = write!(
            svg,
            "<li><svg viewBox=\"0 0 22 8\"><path class=\"c{}{dashed}\" d=\"M0 4L22 4\"/></svg>{}</li>",
            line.colour,
            escape(&line.name)
        );
    }
    svg.push_str("</ul>");
}

/// What an axis reaches over.
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Span {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Span {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| scale == Scale::Linear || *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        match scale {
            Scale::Linear => {
                let low = low.min(0.0);
                Span { scale, low, high: if high > low { high * 1.04 } else { low + 1.0 } }
            }
            Scale::Log => Span {
                scale,
                low: power(low.log10().floor()),
                high: power(high.log10().ceil()).max(power(low.log10().floor() + 1.0)),
            },
            Scale::Rarity => Span { scale, low: 1.0, high: high.max(100.0) },
        }
    }

    /// Where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log | Scale::Rarity => {
                (value.max(self.low).log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
            }
        };
        place.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let rough = (self.high - self.low) / 5.0;
                let magnitude = power(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0]
                    .into_iter()
                    .map(|factor| factor * magnitude)
                    .find(|step| *step >= rough)
                    .unwrap_or(rough);
                let first = (self.low / step).ceil() as i64;
                let last = (self.high / step).floor() as i64;
                (first..=last).map(|tick| tick as f64 * step).collect()
            }
            Scale::Log => {
                let (first, last) = (self.low.log10().round() as i32, self.high.log10().round() as i32);
                (first..=last).map(|tick| power(f64::from(tick))).collect()
            }
            Scale::Rarity => {
                let shares = [1.0, 2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7];
                shares.into_iter().filter(|rarity| *rarity <= self.high * 1.001).collect()
            }
        }
    }
}

fn power(exponent: f64) -> f64 {
    10_f64.powf(exponent)
}

#[cfg(test)]
mod tests {
    use super::{Axis, Line, Scale, Span, chart};

    fn axis(scale: Scale) -> Axis {
        Axis { name: "x", scale, show: |value| value.to_string() }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let span = Span::of(Scale::Linear, [3.0, 47.0].into_iter());
        assert_eq!(span.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        let span = Span::of(Scale::Log, [0.0003, 0.02].into_iter());
        assert_eq!((span.ticks().len(), span.place(0.0001), span.place(0.1)), (4, 0.0, 1.0));
    }

    #[test]
    fn gaps_are_gaps_and_nothing_is_drawn_of_nothing() {
        let line =
            |points: &[(f64, f64)]| Line { name: "<b>".to_owned(), colour: 0, dashed: false, points: points.to_vec() };
        let svg = chart(
            "t",
            axis(Scale::Linear),
            axis(Scale::Linear),
            &[line(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 2.0)])],
        );
        let path = svg.split("d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"));
        assert!(chart("t", axis(Scale::Log), axis(Scale::Log), &[line(&[(1.0, 1.0)])]).is_empty());
    }
}
