//! A frame as a file: plain text, and a picture (SVG) that shows it as the terminal did. Knows no file.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::look::{NAMED_RGB, of_palette};

/// A cell in a picture.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: u16 = 18;
/// From a cell's top to its letters' feet.
const BASELINE: u16 = 13;
const MARGIN: u16 = 12;

/// The frame as lines of text, blanks at their ends left out.
pub fn text(frame: &Buffer) -> String {
    let mut text = String::new();
    for y in frame.area.rows() {
        let mut line = String::new();
        let mut hidden: usize = 0;
        for x in y.left()..y.right() {
            // What a wide character covers has a cell and no text.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            let symbol = frame[(x, y.y)].symbol();
            hidden = symbol.width().saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The ground and the ink of a terminal, where a cell has no colour of its own.
#[derive(Debug, Clone, Copy)]
struct Paper {
    ground: [u8; 3],
    ink: [u8; 3],
}

/// The frame as a picture, on a dark ground or a light one.
pub fn svg(frame: &Buffer, dark: bool) -> String {
    let paper = if dark {
        Paper { ground: [16, 18, 24], ink: [214, 217, 224] }
    } else {
        Paper { ground: [255, 255, 255], ink: [28, 30, 36] }
    };
    let (columns, rows) = (frame.area.width, frame.area.height);
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * f64::from(MARGIN);
    let height = rows * CELL_HEIGHT + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" viewBox=\"0 0 {width:.0} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n",
        hex(paper.ground)
    );
    for row in frame.area.rows() {
        let y = MARGIN + (row.y - frame.area.y) * CELL_HEIGHT;
        let cells: Vec<&Cell> = (row.left()..row.right()).map(|x| &frame[(x, row.y)]).collect();
        grounds(&mut svg, &cells, y, paper);
        letters(&mut svg, &cells, y, paper);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn x_of(column: usize) -> f64 {
    f64::from(MARGIN) + column as f64 * CELL_WIDTH
}

/// The coloured grounds of a row, neighbours of one colour together.
fn grounds(svg: &mut String, cells: &[&Cell], y: u16, paper: Paper) {
    let mut at = 0;
    while at < cells.len() {
        let ground = colours(cells[at], paper).1;
        let end = cells[at..].iter().position(|c| colours(c, paper).1 != ground).map_or(cells.len(), |n| at + n);
        if ground != paper.ground {
            let (x, width) = (x_of(at), (end - at) as f64 * CELL_WIDTH);
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{}\"/>",
                hex(ground)
            );
        }
        at = end;
    }
}

/// The text of a row, neighbours of one style together; each piece keeps its width whatever the font.
fn letters(svg: &mut String, cells: &[&Cell], y: u16, paper: Paper) {
    let look =
        |c: &Cell| (colours(c, paper).0, c.modifier & (Modifier::BOLD | Modifier::ITALIC | Modifier::UNDERLINED));
    let mut at = 0;
    while at < cells.len() {
        let style = look(cells[at]);
        let mut end = at;
        let mut text = String::new();
        while end < cells.len() && look(cells[end]) == style {
            text.push_str(cells[end].symbol());
            end += cells[end].symbol().width().max(1);
        }
        let end = end.min(cells.len());
        let shown = text.trim_end();
        if !shown.trim().is_empty() {
            let indent = shown.width() - shown.trim_start().width();
            let shown = shown.trim_start();
            let (x, length) = (x_of(at + indent), shown.width() as f64 * CELL_WIDTH);
            let mut more = String::new();
            for (modifier, attribute) in [
                (Modifier::BOLD, " font-weight=\"bold\""),
                (Modifier::ITALIC, " font-style=\"italic\""),
                (Modifier::UNDERLINED, " text-decoration=\"underline\""),
            ] {
                if style.1.contains(modifier) {
                    more.push_str(attribute);
                }
            }
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{more}>{}</text>",
                y + BASELINE,
                hex(style.0),
                escaped(shown)
            );
        }
        at = end;
    }
}

/// Ink and ground of a cell as they are seen.
fn colours(cell: &Cell, paper: Paper) -> ([u8; 3], [u8; 3]) {
    let mut ink = rgb(cell.fg).unwrap_or(paper.ink);
    let mut ground = rgb(cell.bg).unwrap_or(paper.ground);
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut ink, &mut ground);
    }
    if cell.modifier.contains(Modifier::DIM) {
        for (c, other) in ink.iter_mut().zip(ground) {
            *c = u8::midpoint(*c, other);
        }
    }
    (ink, ground)
}

/// What a colour looks like; nothing where it is the terminal's own.
fn rgb(colour: Color) -> Option<[u8; 3]> {
    let named = |index: usize| Some(NAMED_RGB[index]);
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index @ 0..16) => named(usize::from(index)),
        Color::Indexed(index) => Some(of_palette(index)),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
    }
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_frame_is_the_same_text_and_an_escaped_picture() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 12, 2));
        frame.set_string(0, 0, "日本 <&>", Style::new().fg(Color::Indexed(203)).add_modifier(Modifier::BOLD));
        frame.set_string(2, 1, "x", Style::new().add_modifier(Modifier::REVERSED));
        assert_eq!(text(&frame), "日本 <&>\n  x\n");
        let svg = svg(&frame, true);
        assert!(
            svg.contains("日本 &lt;&amp;&gt;</text>") && svg.contains("fill=\"#ff5f5f\" font-weight=\"bold\""),
            "{svg}"
        );
        assert!(svg.contains("<rect x=\"28.8\""), "a reversed cell has a ground: {svg}");
    }
}
