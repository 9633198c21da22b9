//! What is on the screen: a pure picture of the state.
//!
//! ```text
//!  header    which workload of which cluster, who decides and what is recorded, the oldest data, the time
//!  body      the main screen (`main`), or one of the views below it
//!  notice    what whoever sits there is to know, or what is being typed
//!  keys      what works now, from the keymap
//! ```
//! A part of the screen is a function from the state and a width to lines; `main` and `list` put them in their places.

mod acting;
mod card;
mod changes;
mod chart;
mod chooser;
mod evidence;
mod frame;
mod gpus;
mod help;
mod large;
mod levers;
mod list;
mod logs;
mod main;
mod phases;
mod replicas;
mod revisions;
mod runbook;
mod slo;
mod sources;
mod timeline;
mod verdict;
mod words;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keymap::Keymap;
use super::look::Look;
use super::pen::{Line, Pen};
use super::theme::Slot;
use crate::app::{App, View};
use crate::diagnosis::Diagnosis;

/// What every part of the screen is made from.
#[derive(Clone, Copy)]
struct Ctx<'a> {
    app: &'a App,
    keymap: &'a Keymap,
    pen: Pen<'a>,
}

impl<'a> Ctx<'a> {
    fn d(self) -> Option<&'a Diagnosis> {
        self.app.diagnosis()
    }

    /// The title of a section, and a rule to the end of the line.
    fn rule(self, title: &str, width: usize) -> Line {
        self.rule_with(title, &[], width)
    }

    /// The same, with words that stand above columns: (last column, word).
    fn rule_with(self, title: &str, columns: &[(usize, &str)], width: usize) -> Line {
        let pen = self.pen;
        let dash = pen.either("─", "-");
        let mut line = pen.line(Slot::Rule, &dash.repeat(2)).put(pen, Slot::Text, " ");
        line = line.put(pen, Slot::Heading, &pen.fit(title, width.saturating_sub(4))).put(pen, Slot::Text, " ");
        for (end, word) in columns {
            let start = end.saturating_sub(word.len());
            if start > line.width() + 1 && *end <= width {
                let dashes = start - line.width() - 1;
                line = line.put(pen, Slot::Rule, &dash.repeat(dashes)).put(pen, Slot::TextMuted, &format!(" {word} "));
            }
        }
        let rest = width.saturating_sub(line.width());
        line.put(pen, Slot::Rule, &dash.repeat(rest))
    }
}

/// Paints the state. Any size will do, however small; below 60 columns or 20 rows not everything has a place.
pub fn view(app: &App, keymap: &Keymap, look: &Look, frame: &mut Frame<'_>) {
    let pen = Pen::new(look, app.mask());
    let ctx = Ctx { app, keymap, pen };
    let area = frame.area();
    let buffer = frame.buffer_mut();
    buffer.set_style(area, pen.style(Slot::Text));
    let width = usize::from(area.width);
    let (top, bottom) = (frame::header(ctx, width), frame::footer(ctx, width));
    let rows = usize::from(area.height);
    paint(pen, buffer, area, &top);
    // Where there is no room for both, the header stays: which cluster this is comes first.
    let body = rows.saturating_sub(top.len() + bottom.len());
    let below = top.len() + body;
    let at = |y: usize, rows: usize| {
        let y = u16::try_from(y).unwrap_or(u16::MAX).min(area.height);
        let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height - y);
        Rect { y: area.y + y, height: rows, ..area }
    };
    let middle = at(top.len(), body);
    let lines = match app.view() {
        View::Main => {
            main::paint(ctx, buffer, middle);
            Vec::new()
        }
        View::Evidence => evidence::view(ctx, width, body),
        View::Replicas => replicas::view(ctx, width, body),
        View::Revisions => revisions::view(ctx, width, body),
        View::Gpus => gpus::view(ctx, width, body),
        View::Logs => logs::view(ctx, width, body),
        View::Timeline => timeline::view(ctx, width, body),
        View::Runbook => runbook::view(ctx, width, body),
        View::Levers => levers::view(ctx, width, body),
        View::Card => card::view(ctx, width, body),
        View::Sources => sources::view(ctx, width, body),
        View::Help => help::view(ctx, width, body),
        View::Chooser => chooser::view(ctx, width, body),
    };
    paint(pen, buffer, middle, &lines);
    paint(pen, buffer, at(below, bottom.len()), &bottom);
}

/// Paints lines from the top of an area on; what is below its end is not painted.
fn paint(pen: Pen<'_>, buffer: &mut Buffer, area: Rect, lines: &[Line]) {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        line.paint(pen, buffer, area.x, y, area.width);
    }
}
