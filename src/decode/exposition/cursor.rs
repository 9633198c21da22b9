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

/// Reads forward through `text`; every position it stops at is a character boundary, because it stops at ASCII only.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// The text between two quotes.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    /// As written.
    pub(super) raw: &'a str,
    /// Whether a backslash was seen.
    pub(super) escaped: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text from `from`, a position this cursor has been at, to here.
    pub(super) fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Goes `by` bytes ahead, over ASCII only.
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

    /// A metric or label name.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        let from = self.at;
        if !self.at_word() {
            return None;
        }
        while self.within_word() {
            self.at += 1;
        }
        Some(self.since(from))
    }

    /// Text in quotes, in which a backslash protects the byte after it.
    pub(super) fn quoted(&mut self) -> Option<Quoted<'a>> {
        if !self.eat(b'"') {
            return None;
        }
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let raw = self.since(from);
        self.at += 1;
        Some(Quoted { raw, escaped })
    }

    /// Everything up to the next blank or the end.
    pub(super) fn token(&mut self) -> &'a str {
        let from = self.at;
        while self.peek().is_some_and(|byte| !is_blank(byte)) {
            self.at += 1;
        }
        self.since(from)
    }
}
