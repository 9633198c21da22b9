//! Text on its way to the screen. Whatever is shown goes through [`Pen::say`]: cleaned, masked where names are hidden,
//! spelled in ASCII where there is nothing else. A [`Line`] is made of such text alone, so nothing gets past it.

use ratatui::buffer::Buffer;
use ratatui::style::{Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::look::Look;
use super::theme::Slot;
use crate::domain::RowStatus;
use crate::text::{Mask, clean};

/// No text on a screen is longer.
const MOST_CHARS: usize = 2_000;

/// What text is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen<'a> {
    look: &'a Look,
    mask: Option<&'a Mask>,
}

/// A line of text in its styles.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    spans: Vec<(Style, String)>,
    width: usize,
}

impl<'a> Pen<'a> {
    pub(super) fn new(look: &'a Look, mask: Option<&'a Mask>) -> Self {
        Self { look, mask }
    }

    pub(super) fn style(self, slot: Slot) -> Style {
        self.look.style(slot)
    }

    pub(super) fn ascii(self) -> bool {
        self.look.ascii()
    }

    /// One of two spellings: with all characters, or in ASCII.
    pub(super) fn either<T>(self, full: T, ascii: T) -> T {
        if self.ascii() { ascii } else { full }
    }

    /// Text as it may be shown.
    pub(super) fn say(self, text: &str) -> String {
        let mut text = clean(text, MOST_CHARS);
        if let Some(mask) = self.mask {
            text = mask.apply(&text);
        }
        if self.ascii() && !text.is_ascii() { spelled(&text) } else { text }
    }

    /// A line with this text.
    pub(super) fn line(self, slot: Slot, text: &str) -> Line {
        Line::default().put(self, slot, text)
    }

    /// What stands at the end of something cut.
    fn cut(self) -> &'static str {
        self.either("…", "..")
    }

    /// The text in at most `width` columns.
    pub(super) fn fit(self, text: &str, width: usize) -> String {
        let said = self.say(text);
        fit(&said, width, self.cut())
    }

    /// The text folded at blanks into lines of at most `width` columns; the last of at most `most` lines says if there
    /// was more.
    pub(super) fn fold(self, text: &str, width: usize, most: usize) -> Vec<String> {
        let said = self.say(text);
        let width = width.max(1);
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        let mut words = said.split(' ').filter(|w| !w.is_empty()).peekable();
        while let Some(word) = words.next() {
            let room = line.width() + usize::from(!line.is_empty()) + word.width() <= width;
            if room || line.is_empty() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            } else if lines.len() + 1 >= most {
                line.push(' ');
                line.push_str(word);
                words.by_ref().for_each(|word| {
                    line.push(' ');
                    line.push_str(word);
                });
            } else {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            }
        }
        lines.push(line);
        lines.truncate(most.max(1));
        lines.into_iter().map(|line| fit(&line, width, self.cut())).collect()
    }

    /// The shape of a status: never its colour alone.
    pub(super) fn shape(self, status: RowStatus) -> &'static str {
        match status {
            RowStatus::Ok => self.either("✓", "+"),
            RowStatus::Warning => self.either("▲", "!"),
            RowStatus::Breach => self.either("✗", "X"),
            RowStatus::Unknown => "?",
        }
    }
}

/// The style of a status.
pub(super) const fn status_slot(status: RowStatus) -> Slot {
    match status {
        RowStatus::Ok => Slot::VerdictHealthy,
        RowStatus::Warning => Slot::VerdictWarning,
        RowStatus::Breach => Slot::VerdictBreach,
        RowStatus::Unknown => Slot::VerdictUnknown,
    }
}

impl Line {
    /// More text.
    #[must_use]
    pub(super) fn put(self, pen: Pen<'_>, slot: Slot, text: &str) -> Self {
        self.styled(pen, pen.style(slot), text)
    }

    /// More text, in a style of its own.
    #[must_use]
    pub(super) fn styled(mut self, pen: Pen<'_>, style: Style, text: &str) -> Self {
        let said = pen.say(text);
        self.width += said.width();
        if !said.is_empty() {
            self.spans.push((style, said));
        }
        self
    }

    /// Blanks up to a column; at least one where something stands there already.
    #[must_use]
    pub(super) fn to(mut self, pen: Pen<'_>, column: usize) -> Self {
        let blanks = column.saturating_sub(self.width).max(usize::from(self.width > 0 && self.width >= column));
        if blanks > 0 {
            self.width += blanks;
            self.spans.push((pen.style(Slot::Text), " ".repeat(blanks)));
        }
        self
    }

    /// Text that ends before a column.
    #[must_use]
    pub(super) fn right(self, pen: Pen<'_>, slot: Slot, text: &str, end: usize) -> Self {
        let said = pen.say(text);
        let at = end.saturating_sub(said.width());
        if at > self.width { self.to(pen, at) } else { self }.put(pen, slot, &said)
    }

    /// Text in exactly so many columns.
    #[must_use]
    pub(super) fn cell(self, pen: Pen<'_>, slot: Slot, text: &str, width: usize) -> Self {
        let end = self.width + width;
        let line = self.put(pen, slot, &pen.fit(text, width));
        if line.width < end { line.to(pen, end) } else { line }
    }

    /// Another line after this one.
    #[must_use]
    pub(super) fn then(mut self, other: Self) -> Self {
        self.width += other.width;
        self.spans.extend(other.spans);
        self
    }

    /// This line, cut so that the other one stands at the end of `width` columns.
    #[must_use]
    pub(super) fn beside(self, pen: Pen<'_>, right: Self, width: usize) -> Self {
        let room = width.saturating_sub(right.width + 1);
        let left = self.cut(pen, room);
        left.to(pen, width.saturating_sub(right.width)).then(right)
    }

    /// At most `width` columns of it.
    #[must_use]
    pub(super) fn cut(mut self, pen: Pen<'_>, width: usize) -> Self {
        if self.width <= width {
            return self;
        }
        let mut room = width;
        let mut kept = Vec::new();
        for (style, text) in self.spans {
            let wide = text.width();
            if wide < room {
                room -= wide;
                kept.push((style, text));
                continue;
            }
            kept.push((style, fit(&(text + "  "), room, pen.cut())));
            break;
        }
        self.width = kept.iter().map(|(_, text)| text.width()).sum();
        self.spans = kept;
        self
    }

    /// The whole line with something added to every style.
    #[must_use]
    pub(super) fn over(mut self, style: Style) -> Self {
        for span in &mut self.spans {
            span.0 = span.0.patch(style);
        }
        self
    }

    /// The whole line as something old.
    #[must_use]
    pub(super) fn dimmed(mut self, pen: Pen<'_>, old: bool) -> Self {
        if old {
            let stale = pen.style(Slot::Stale);
            for span in &mut self.spans {
                span.0 = stale;
            }
        }
        self
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Paints it; what is wider than `width` is cut and says so.
    pub(super) fn paint(&self, pen: Pen<'_>, buffer: &mut Buffer, x: u16, y: u16, width: u16) {
        if y >= buffer.area.bottom() || x >= buffer.area.right() {
            return;
        }
        let line = self.clone().cut(pen, usize::from(width));
        let end = x.saturating_add(width);
        let mut at = x;
        for (style, text) in &line.spans {
            (at, _) = buffer.set_stringn(at, y, text, usize::from(end.saturating_sub(at)), *style);
        }
    }

    /// As the row that is selected: over its whole width.
    #[must_use]
    pub(super) fn selected(self, pen: Pen<'_>, width: usize) -> Self {
        let style = pen.style(Slot::Selection).remove_modifier(Modifier::DIM);
        let line = if self.width < width { self.to(pen, width) } else { self };
        line.over(style)
    }
}

fn fit(text: &str, width: usize, mark: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(mark.width());
    let mut fitted = String::new();
    let mut wide = 0;
    for c in text.chars() {
        wide += c.width().unwrap_or(0);
        if wide > room {
            break;
        }
        fitted.push(c);
    }
    if width >= mark.width() {
        // Nothing is said between a blank and the mark.
        let end = fitted.trim_end().len();
        fitted.truncate(end);
        fitted.push_str(mark);
    }
    fitted
}

/// In ASCII: what has a spelling is spelled, the rest becomes `?`.
fn spelled(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => spelled.push(c),
            'µ' => spelled.push('u'),
            '…' => spelled.push_str(".."),
            '·' => spelled.push('.'),
            '–' | '—' | '−' => spelled.push('-'),
            '→' => spelled.push_str("->"),
            '≤' => spelled.push_str("<="),
            '≥' => spelled.push_str(">="),
            '×' => spelled.push('x'),
            '°' => spelled.push(' '),
            _ => spelled.push('?'),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::super::look::Colours;
    use super::super::theme::Theme;
    use super::*;

    fn look(ascii: bool) -> Look {
        Look::new(&Theme::default(), Colours::Palette256, ascii)
    }

    fn text(line: &Line) -> String {
        line.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let look = look(false);
        let pen = Pen::new(&look, None);
        assert_eq!(pen.fit("abcdef", 6), "abcdef");
        assert_eq!(pen.fit("abc def", 5), "abc…");
        assert_eq!(pen.fit("日本語", 5), "日本…");
        assert_eq!(pen.fit("abc", 0), "");
        assert_eq!(text(&pen.line(Slot::Text, "abc").put(pen, Slot::Text, "def").cut(pen, 4)), "abc…");
        assert_eq!(text(&pen.line(Slot::Text, "abc").put(pen, Slot::Text, "def").cut(pen, 3)), "ab…");
    }

    #[test]
    fn a_text_is_folded_at_blanks_and_the_last_line_says_if_there_was_more() {
        let look = look(true);
        let pen = Pen::new(&look, None);
        assert_eq!(pen.fold("one two three four", 9, 9), ["one two", "three", "four"]);
        assert_eq!(pen.fold("one two three four", 9, 2), ["one two", "three f.."]);
        assert_eq!(pen.fold("", 9, 2), [""]);
    }

    #[test]
    fn what_stands_at_the_right_is_never_pushed_out() {
        let look = look(false);
        let pen = Pen::new(&look, None);
        let line = pen.line(Slot::Text, "a long name").beside(pen, pen.line(Slot::Text, "8s"), 10);
        assert_eq!(text(&line), "a long… 8s");
    }
}
