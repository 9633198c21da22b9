//! Decimal numbers as Prometheus writes them, correctly rounded.

use super::cursor::{Cursor, is_blank};

/// Powers of ten that a double holds exactly, as far as [`short`] needs them.
const TENS: [f64; 20] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];

/// More digits than this may have overflowed the integer they were gathered in.
const MAX_DIGITS: usize = 19;

/// The number that fills the token at `cursor`; `None` where it is none, and the cursor may then stand anywhere in it.
///
/// Accepted is what `f64::from_str` accepts: decimals with or without exponent, `Inf`, `Infinity` and `NaN` in any
/// case, each with an optional sign.  No hexadecimal, no digit separators, no trailing garbage.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Option<f64> {
    if let Some((value, length)) = short(cursor.rest()) {
        cursor.skip(length);
        return Some(value);
    }
    cursor.token().parse().ok()
}

/// A plain decimal of few digits and the bytes it takes, with the same result as `f64::from_str` in a quarter of its
/// instructions: an integer up to 2^53 and a power of ten up to 10^22 are exact doubles, so that one division rounds
/// once.  (Clinger 1990, "How to Read Floating Point Numbers Accurately", section 3.)
fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let mut mantissa = 0;
    let mut length = usize::from(negative);
    let whole = digits(&bytes[length..], &mut mantissa);
    length += whole;
    let mut fraction = 0;
    if bytes.get(length) == Some(&b'.') {
        fraction = digits(&bytes[length + 1..], &mut mantissa);
        length += 1 + fraction;
    }
    let ends = bytes.get(length).is_none_or(|&byte| is_blank(byte));
    if !ends || whole + fraction == 0 || whole + fraction > MAX_DIGITS || mantissa > 1 << f64::MANTISSA_DIGITS {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as just tested")]
    let value = mantissa as f64 / TENS[fraction];
    Some((if negative { -value } else { value }, length))
}

/// Appends the digits that `bytes` begin with to `mantissa`, and how many there are.
fn digits(bytes: &[u8], mantissa: &mut u64) -> usize {
    let mut count = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let (value, length) = short(text.as_bytes()).expect("a short decimal");
        assert_eq!(length, text.len(), "{text}");
        assert_eq!(value.to_bits(), text.parse::<f64>().expect("a number").to_bits(), "{text}");
    }

    #[test]
    fn the_short_way_is_bit_for_bit_the_standard_one() {
        for text in ["0", "-0.0", "1.", ".5", "48.0", "0.04139776800047912", "9007199254740992", "0.9007199254740992"] {
            check(text);
        }
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mantissa = state >> 11;
            let text = mantissa.to_string();
            check(&text);
            let point = usize::try_from(state % 17).expect("small") % (text.len() + 1);
            check(&format!("{}.{}", &text[..point], &text[point..]));
            check(&format!("-0.{text}")[..text.len().min(16) + 3]);
        }
    }

    #[test]
    fn what_is_not_short_is_left_to_the_standard_way() {
        for text in ["", "-", ".", "-.", "1e5", "+1", "Inf", "0x10", "1_000", "1.2.3", "9007199254740993"] {
            assert_eq!(short(text.as_bytes()), None, "{text}");
        }
        assert_eq!(short(b"00000000000000000001"), None, "20 digits");
    }
}
