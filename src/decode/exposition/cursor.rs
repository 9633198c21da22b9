//! A position in one line and the few tokens that sample lines are made of.  Knows no grammar.

/// Space and tab: all that separates tokens.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

const WORD: u8 = 1;
const DIGIT: u8 = 2;

/// What may stand in a metric or label name, looked up because this is asked for most bytes of a page.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        class[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' => WORD,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// Reads forward through `text`.  Where a reader succeeds, it began and ended at an ASCII byte or at the end, so that
/// the text between two such positions can be taken as it is.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text from `from`, where this cursor has been, to here.
    pub(super) fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Goes `by` bytes ahead.
    pub(super) fn skip(&mut self, by: usize) {
        self.at += by;
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Goes over blanks; whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
        self.at > from
    }

    /// Whether a name may begin here.
    pub(super) fn at_word(&self) -> bool {
        self.peek().is_some_and(|byte| CLASS[usize::from(byte)] == WORD)
    }

    /// Whether a name that was read up to here goes on.
    pub(super) fn within_word(&self) -> bool {
        self.peek().is_some_and(|byte| CLASS[usize::from(byte)] != 0)
    }

    /// Goes over a metric or label name.
    pub(super) fn word(&mut self) -> Option<()> {
        let found = self.at_word();
        self.at += self.rest().iter().take_while(|&&byte| CLASS[usize::from(byte)] != 0).count();
        found.then_some(())
    }

    /// Goes over a text in quotes, in which a backslash protects the byte after it; whether there was a backslash.
    pub(super) fn quoted(&mut self) -> Option<bool> {
        if !self.eat(b'"') {
            return None;
        }
        let mut escaped = false;
        loop {
            self.at += unprotected(self.rest());
            if self.peek()? == b'"' {
                self.at += 1;
                return Some(escaped);
            }
            escaped = true;
            self.at += 2;
        }
    }

    /// Everything up to the next blank or the end.
    pub(super) fn token(&mut self) -> &'a str {
        let from = self.at;
        self.at += self.rest().iter().take_while(|&&byte| !is_blank(byte)).count();
        self.since(from)
    }
}

/// How many bytes stand before the first quote or backslash.  Eight at a time: label values are too short for
/// `memchr2` to pay for its call and too long to go byte by byte.
fn unprotected(bytes: &[u8]) -> usize {
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);

    let (words, tail) = bytes.as_chunks();
    let mut length = 0;
    for &word in words {
        let word = u64::from_le_bytes(word);
        let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if found != 0 {
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + tail.iter().take_while(|&&byte| byte != b'"' && byte != b'\\').count()
}

/// The high bit of each byte that is zero; above the lowest such byte there may be false ones.
/// (Anderson, "Bit Twiddling Hacks", "Determine if a word has a zero byte".)
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(u64::from_ne_bytes([0x01; 8])) & !word & u64::from_ne_bytes([0x80; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_quote_or_backslash_is_found_at_every_distance() {
        // One bit away from what is looked for, and what borrows or carries could confuse with it.
        let others = [b'#', b'!', b']', b'[', 0xa2, 0xdc, 0x00, 0x01, 0x80, 0xff];
        for length in 0..30 {
            let mut bytes: Vec<u8> = others.into_iter().cycle().skip(length).take(length).collect();
            assert_eq!(unprotected(&bytes), length);
            for place in (0..length).rev() {
                bytes[place] = b"\"\\"[place % 2];
                assert_eq!(unprotected(&bytes), place, "{bytes:?}");
            }
        }
    }
}
