//! Line charts as SVG: axes, lines, what is said where the pointer is, a legend.

use super::escape::escape;
use super::scale::{Scale, Span};
use std::fmt::Write;

/// The size of a chart in its own units; it is scaled to the page.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 270.0;
/// Room for the numbers at the axes.
const LEFT: f64 = 68.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Up to how many points of a line show their value.
const TOLD: usize = 80;

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

impl Line {
    fn class(&self) -> String {
        format!("c{}{}", self.colour, if self.dashed { " dashed" } else { "" })
    }

    fn measured(&self) -> impl Iterator<Item = &(f64, f64)> + Clone {
        self.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

/// A chart with its title, as a figure; nothing when there is nothing to draw.
pub(super) fn chart(title: &str, x: Axis, y: Axis, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(Line::measured);
    if points().count() < 2 {
        return String::new();
    }
    let plane = Plane {
        x,
        y,
        across: Span::of(x.scale, points().map(|point| point.0)),
        up: Span::of(y.scale, points().map(|point| point.1)),
    };
    let title = escape(title);
    let mut svg = format!(
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    );
    plane.axes(&mut svg);
    lines.iter().for_each(|line| plane.draw(&mut svg, line));
    // Drawn after all lines, so that no line covers the values of another one.
    lines.iter().for_each(|line| plane.tell(&mut svg, line));
    svg.push_str("</svg>");
    legend(&mut svg, lines);
    svg.push_str("</figure>\n");
    svg
}

/// Two axes and what they reach over.
struct Plane {
    x: Axis,
    y: Axis,
    across: Span,
    up: Span,
}

impl Plane {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = LEFT + self.across.place(x) * (WIDTH - LEFT - RIGHT);
        let up = HEIGHT - BOTTOM - self.up.place(y) * (HEIGHT - TOP - BOTTOM);
        (across, up)
    }

    fn axes(&self, svg: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        // Writing to a string does not fail.
        for tick in self.across.ticks() {
            let (across, _) = self.at((tick, self.up.low));
            let _ = write!(svg, "<path class=\"grid\" d=\"M{across:.1} {TOP}V{bottom}\"/>");
            let text = escape(&short(&(self.x.show)(tick)));
            let _ = write!(svg, "<text x=\"{across:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", bottom + 18.0);
        }
        for tick in self.up.ticks() {
            let (_, up) = self.at((self.across.low, tick));
            let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {up:.1}H{right}\"/>");
            let text = escape(&short(&(self.y.show)(tick)));
            let _ = write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, up + 4.0);
        }
        let (x, y) = (escape(self.x.name), escape(self.y.name));
        let _ = write!(svg, "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{x}</text>", HEIGHT - 8.0);
        let _ = write!(svg, "<text x=\"0\" y=\"13\">{y}</text>");
    }

    fn draw(&self, svg: &mut String, line: &Line) {
        let mut path = String::new();
        for part in line.points.split(|(x, y)| !x.is_finite() || !y.is_finite()) {
            if let [alone] = part {
                let (across, up) = self.at(*alone);
                let _ = write!(path, "M{:.1} {up:.1}h4", across - 2.0);
                continue;
            }
            for (place, point) in part.iter().enumerate() {
                let (across, up) = self.at(*point);
                let _ = write!(path, "{}{across:.1} {up:.1}", if place == 0 { "M" } else { "L" });
            }
        }
        let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", line.class());
    }

    /// Points that cannot be seen until the pointer is on them, with their values.
    fn tell(&self, svg: &mut String, line: &Line) {
        let every = line.measured().count().div_ceil(TOLD).max(1);
        for (x, y) in line.measured().step_by(every) {
            let (across, up) = self.at((*x, *y));
            let (name, value) = (escape(&line.name), escape(&(self.y.show)(*y)));
            let place = escape(&(self.x.show)(*x));
            let _ = write!(
                svg,
                "<circle class=\"c{}\" cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"4\"><title>{name}: {value} ({} {place})</title></circle>",
                line.colour,
                escape(self.x.name)
            );
        }
    }
}

/// A number of an axis without needless zeros: `10.0 ms` is `10 ms`.
fn short(text: &str) -> String {
    let (number, unit) = text.split_once(' ').map_or((text, ""), |(number, _)| (number, &text[number.len()..]));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

fn legend(svg: &mut String, lines: &[Line]) {
    svg.push_str("<ul class=\"legend\">");
    for line in lines {
        let _ = write!(
            svg,
            "<li><svg viewBox=\"0 0 22 8\" aria-hidden=\"true\"><path class=\"{}\" d=\"M0 4L22 4\"/></svg>{}</li>",
            line.class(),
            escape(&line.name)
        );
    }
    svg.push_str("</ul>");
}

#[cfg(test)]
mod tests {
    use super::{Axis, Line, Scale, chart, short};

    fn axis(scale: Scale) -> Axis {
        Axis { name: "x", scale, show: |value| value.to_string() }
    }

    fn drawn(points: &[(f64, f64)], scale: Scale) -> String {
        let line = Line { name: "<b>".to_owned(), colour: 0, dashed: false, points: points.to_vec() };
        chart("t", axis(Scale::Linear), axis(scale), &[line])
    }

    #[test]
    fn gaps_are_gaps_and_nothing_is_drawn_of_nothing() {
        let svg = drawn(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 2.0)], Scale::Linear);
        let path = svg.split("class=\"c0\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
        assert_eq!(svg.matches("<circle").count(), 3, "every point tells its value");
        assert!(svg.contains("&lt;b&gt;: 3 (x 2)") && !svg.contains("<b>"));
        assert!(drawn(&[(1.0, 1.0), (2.0, f64::INFINITY)], Scale::Log).is_empty());
    }

    #[test]
    fn what_is_more_is_higher_and_inside_of_the_chart() {
        for scale in [Scale::Linear, Scale::Binary, Scale::Log] {
            let points: Vec<(f64, f64)> = (1..=200).map(|at| (f64::from(at), f64::from(at * at))).collect();
            let svg = drawn(&points, scale);
            let path = svg.split("class=\"c0\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
            let drawn: Vec<(f64, f64)> = path
                .trim_start_matches('M')
                .split('L')
                .filter_map(|point| point.split_once(' '))
                .filter_map(|(across, up)| Some((across.parse().ok()?, up.parse().ok()?)))
                .collect();
            assert_eq!(drawn.len(), points.len());
            assert!(drawn.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1), "{drawn:?}");
            assert!(drawn.iter().all(|(x, y)| (68.0..=532.0).contains(x) && (30.0..=224.0).contains(y)), "{drawn:?}");
            assert!(svg.matches("<circle").count() <= super::TOLD);
        }
    }

    /// The last number of an axis stood beside its line, and a logarithmic axis began below its first number.
    #[test]
    fn numbers_stand_at_their_lines_and_axes_begin_with_one() {
        for scale in [Scale::Linear, Scale::Binary, Scale::Log, Scale::Rarity] {
            let points: Vec<(f64, f64)> = [1.0, 30.0, 1000.0].map(|at| (at, at * 7.0)).to_vec();
            let line = Line { name: "a".to_owned(), colour: 0, dashed: false, points };
            let svg = chart("t", axis(scale), axis(scale), &[line]);
            let attribute = |tag: &str, name: &str| {
                tag.split(&format!("{name}=\""))
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or_default()
                    .to_owned()
            };
            let lines: Vec<String> =
                svg.split("<path class=\"grid\" ").skip(1).map(|tag| attribute(tag, "d")).collect();
            let upright: Vec<String> =
                lines.iter().filter_map(|d| Some(d[1..].split_once(" 30V224")?.0.to_owned())).collect();
            let level: Vec<f64> =
                lines.iter().filter_map(|d| d[1..].strip_suffix("H532")?.split_once(' ')?.1.parse().ok()).collect();
            let below: Vec<String> = svg
                .split("<text ")
                .skip(1)
                .filter(|tag| attribute(tag, "y") == "242")
                .map(|tag| attribute(tag, "x"))
                .collect();
            assert!(upright.len() >= 2 && upright == below, "{scale:?}: {upright:?} {below:?}");
            assert_eq!((upright[0].as_str(), level.first().copied()), ("68.0", Some(224.0)), "{scale:?}: {lines:?}");
        }
    }

    #[test]
    fn ticks_are_short() {
        let texts = ["10.0 ms", "1.00 k", "100 k", "0.500", "99.90", "20", "0 B", "30 min 0 s"].map(short);
        assert_eq!(texts, ["10 ms", "1 k", "100 k", "0.5", "99.9", "20", "0 B", "30 min 0 s"]);
    }
}
