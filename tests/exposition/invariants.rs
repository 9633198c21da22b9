//! What holds for any bytes at all.  Shared with the fuzz target.

use warroom::decode::exposition::{Labels, MAX_LINE, MAX_PAGE, Sink, Stats, read};

/// Wants all families or none, and writes every sample down again in one canonical form.
struct Rewriter {
    wants: bool,
    /// The name that was asked about last.
    name: String,
    page: Vec<u8>,
    count: usize,
    fits: bool,
}

impl Rewriter {
    /// `page` begins with a comment, so that nothing in a sample makes the whole look like anything else.
    fn new(wants: bool) -> Self {
        let page = [b"#".repeat(1024), b"\n".to_vec()].concat();
        Self { wants, name: String::new(), page, count: 0, fits: true }
    }
}

impl Sink for Rewriter {
    type Key = ();

    fn family(&mut self, name: &str) -> Option<()> {
        assert!(!name.is_empty(), "a sample has a name");
        name.clone_into(&mut self.name);
        self.wants.then_some(())
    }

    fn sample(&mut self, (): (), labels: Labels<'_>, value: f64) {
        self.count += 1;
        let mut line = format!("{{\"{}\"", escaped(&self.name));
        assert_eq!(labels.is_empty(), labels.iter().next().is_none());
        for (name, value) in labels.iter() {
            let first = labels.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
            assert_eq!(labels.get(name), first, "looking up and going through agree");
            line += &[",\"", name, "\"=\"", &escaped(&value), "\""].concat();
        }
        line += &["} ", &format!("{value:?}"), "\n"].concat();
        self.fits &= line.len() <= MAX_LINE;
        self.page.extend_from_slice(line.as_bytes());
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Reads `page` in several ways and asserts what must hold between them.
pub(crate) fn check(page: &[u8]) {
    let mut all = Rewriter::new(true);
    let result = read(page, &mut all);

    let mut again = Rewriter::new(true);
    assert_eq!(read(page, &mut again), result, "reading twice gives the same");
    assert_eq!(again.page, all.page);

    let Ok(stats) = result else {
        assert_eq!(all.count, 0, "a refused page gives no sample");
        return;
    };
    assert_eq!(stats.wanted, stats.samples);
    assert_eq!(stats.wanted, all.count, "what was counted was given");
    assert_eq!(stats.first_skipped.is_some(), stats.skipped > 0);

    let mut none = Rewriter::new(false);
    let unwanted = read(page, &mut none);
    assert_eq!(unwanted, Ok(Stats { wanted: 0, ..stats }), "what a line is does not depend on who wants it");
    assert_eq!(none.count, 0);

    let page = page.strip_prefix("\u{feff}".as_bytes()).unwrap_or(page);
    let lines = page.split(|&byte| byte == b'\n').filter(|line| {
        let start = line.iter().position(|byte| !b" \t".contains(byte)).unwrap_or(line.len());
        let line = &line[start..];
        !line.starts_with(b"#") && !line.iter().all(|byte| b" \t\r".contains(byte))
    });
    assert_eq!(stats.samples + stats.skipped, lines.count(), "every line is a sample, skipped, blank or a comment");

    if all.fits && all.page.len() <= MAX_PAGE {
        let mut copy = Rewriter::new(true);
        let copied = read(&all.page, &mut copy).expect("what was written is a page");
        assert_eq!((copied.samples, copied.skipped), (stats.samples, 0));
        assert_eq!(
            String::from_utf8_lossy(&copy.page),
            String::from_utf8_lossy(&all.page),
            "nothing is lost in writing"
        );
    }
}
