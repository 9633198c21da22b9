//! The verdict's word in large letters: three lines of half blocks, for whoever looks at a shared screen from afar.

use super::{Ctx, Slot};
use crate::ui::pen::Line;

/// Five rows of five dots, the highest bit at the left.
const fn dots(letter: char) -> [u8; 5] {
    match letter {
        'A' => [0b01110, 0b10001, 0b11111, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b11110, 0b10001, 0b11110],
        'C' => [0b01111, 0b10000, 0b10000, 0b10000, 0b01111],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b11110, 0b10000, 0b11111],
        'G' => [0b01111, 0b10000, 0b10011, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b01110],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b01110],
        'R' => [0b11110, 0b10001, 0b11110, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b01110, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100],
        'W' => [0b10001, 0b10001, 0b10101, 0b11011, 0b10001],
        'Y' => [0b10001, 0b01010, 0b00100, 0b00100, 0b00100],
        _ => [0; 5],
    }
}

/// The word, with a blank line below it; nothing where it is wider than the screen or there is only ASCII.
pub(super) fn word(ctx: Ctx<'_>, word: &str, slot: Slot, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    if pen.ascii() || word.len() * 6 + 4 > width {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for row in [0, 2, 4] {
        let mut text = String::from("  ");
        for letter in word.chars().map(dots) {
            let (upper, lower) = (letter[row], letter.get(row + 1).copied().unwrap_or(0));
            for bit in (0..5).rev() {
                text.push(match (upper >> bit & 1, lower >> bit & 1) {
                    (1, 1) => '█',
                    (1, _) => '▀',
                    (_, 1) => '▄',
                    _ => ' ',
                });
            }
            text.push(' ');
        }
        // The colour alone: on a ground of its own the letters could not be read.
        let style = ratatui::style::Style { fg: pen.style(slot).fg, ..ratatui::style::Style::new() };
        lines.push(Line::default().styled(pen, pen.style(Slot::Text).patch(style), &text));
    }
    lines.push(Line::default());
    lines
}
