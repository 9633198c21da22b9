//! Damaged pages: whatever arrives, the reader neither panics nor contradicts itself.

use proptest::prelude::*;

use super::invariants;
use super::pages;

/// Pieces that sample lines are made of, whole and broken.
const PIECES: [&str; 30] = [
    "a",
    "vllm:x",
    "_total",
    "{",
    "}",
    "\"",
    "\\",
    "\\n",
    "=",
    ",",
    "x=\"1\"",
    " ",
    "\t",
    "\n",
    "\r\n",
    "#",
    "# EOF\n",
    "# {",
    "1",
    "-",
    ".",
    "e+0",
    "Inf",
    "NaN",
    "99999999999999999999",
    "{\"q.\u{e9}\"",
    "\u{e9}",
    "\0",
    "<",
    "[",
];

/// One change to a page: where (as a fraction of its length), how many bytes go, and what comes in their place.
fn edit() -> impl Strategy<Value = (f64, usize, Vec<u8>)> {
    let piece = prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    let bytes = prop::collection::vec(any::<u8>(), 0..8);
    (0.0..1.0, 0_usize..60, prop_oneof![piece, bytes])
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(mut page in prop::collection::vec(any::<u8>(), 0..400), ends in any::<bool>()) {
        page.extend(ends.then_some(b'\n'));
        invariants::check(&page);
    }

    #[test]
    fn any_sequence_of_pieces_keeps_the_invariants(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60)
    ) {
        invariants::check((pieces.concat() + "\n").as_bytes());
    }
}

proptest! {
    // Each case reads several pages of 50 KB.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn damaged_real_pages_keep_the_invariants(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..12),
    ) {
        let (_, mut page) = which.get(&pages::all()).clone();
        for (place, length, bytes) in edits {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "a place within a small page")]
            let start = (place * page.len() as f64) as usize;
            let end = (start + length).min(page.len());
            page.splice(start..end, bytes);
        }
        page.push(b'\n');
        invariants::check(&page);
    }
}
