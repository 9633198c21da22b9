//! The picture that settles "did that do it?": mean time to first token over the incident, with its marks.

use std::fmt::Write as _;

use super::html::escape;
use super::{Incident, clock};
use crate::contract::record::Point;
use crate::diagnosis::{Metric, seconds};
use crate::domain::At;

/// The picture in its own units.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 96.0;
/// Points that are drawn, and marks.
const MOST_POINTS: usize = 1_500;
const MOST_MARKS: usize = 24;
/// Marks so long before the record was opened still belong to it (s).
const BEFORE_S: f64 = 3600.0;
/// A hole of this many seconds is a hole.
const HOLE_S: f64 = 90.0;

/// Draws it, where there is something to draw.
pub(super) fn svg(incident: &Incident) -> Option<String> {
    let every = incident.points.len().div_ceil(MOST_POINTS).max(1);
    let points: Vec<Point> =
        incident.points.iter().step_by(every).filter(|p| p.ttft_s.is_some_and(f64::is_finite)).copied().collect();
    let (first, last) = (points.first()?.at, points.last()?.at.max(incident.last));
    // What came before the picture and led to it is marked too, where it is not long ago.
    let near = |at: &At| *at < first && incident.opened.since(*at) <= BEFORE_S;
    let first = incident.marks.iter().map(|m| m.0).filter(near).min().unwrap_or(first);
    if last <= first {
        return None;
    }
    let top = points.iter().filter_map(|p| p.ttft_s).fold(0.0, f64::max);
    let target = incident.worst.as_ref().and_then(|(_, v)| v.target_s(Metric::Ttft)).filter(|t| t.is_finite());
    let top = 1.1 * top.max(target.unwrap_or(0.0)).max(1e-3);
    let x = |at: At| LEFT + (WIDTH - LEFT - RIGHT) * (at.since(first) / last.since(first)).clamp(0.0, 1.0);
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / top).clamp(0.0, 1.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"ui-monospace,monospace\" font-size=\"11\" fill=\"currentColor\">\n\
         <title>Mean time to first token</title>\n"
    );
    let base = HEIGHT - BOTTOM;
    let _ = writeln!(out, "<path d=\"M{LEFT} {TOP}V{base}H{}\" fill=\"none\" stroke=\"currentColor\"/>", WIDTH - RIGHT);
    for value in [0.0, top / 2.2, top / 1.1] {
        let label = if value == 0.0 { "0".to_owned() } else { seconds(value) };
        let _ =
            writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y(value) + 4.0);
    }
    if let Some(target) = target {
        let at = y(target);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#c03020\" stroke-dasharray=\"4 4\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\" fill=\"#c03020\">target {}</text>",
            WIDTH - RIGHT,
            WIDTH - RIGHT,
            at - 4.0,
            seconds(target)
        );
    }
    let mut path = String::new();
    let mut before: Option<At> = None;
    for point in &points {
        let joined = before.is_some_and(|b| point.at.since(b) < HOLE_S * every as f64);
        let _ =
            write!(path, "{}{:.1} {:.1}", if joined { "L" } else { "M" }, x(point.at), y(point.ttft_s.unwrap_or(0.0)));
        before = Some(point.at);
    }
    let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"#2a6fb0\" stroke-width=\"1.6\"/>");
    let inside = |at: &At| *at >= first && *at <= last;
    for (n, (at, what)) in incident.marks.iter().filter(|(at, _)| inside(at)).take(MOST_MARKS).enumerate() {
        let (at_x, row) = (x(*at), base + 14.0 + 13.0 * (n % 6) as f64);
        let text = escape(&crate::text::clean(&format!("{} {what}", clock(*at, incident.opened)), 48));
        // A label must not leave the picture.
        let anchor = if at_x > WIDTH * 0.6 { "end" } else { "start" };
        let _ = writeln!(
            out,
            "<path d=\"M{at_x:.1} {TOP}V{:.1}\" stroke=\"#808080\" stroke-dasharray=\"2 3\"/>\
             <text x=\"{at_x:.1}\" y=\"{row:.1}\" text-anchor=\"{anchor}\">{text}</text>",
            row - 10.0
        );
    }
    out.push_str("</svg>");
    Some(out)
}
