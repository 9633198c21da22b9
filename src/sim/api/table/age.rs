//! Ages as kubectl writes them: `duration.HumanDuration`.

/// Two figures at most: `59s`, `5m30s`, `3h20m`, `2d4h`, `400d`.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
pub(super) fn human(seconds: f64) -> String {
    let s = seconds.floor() as i64;
    let pair = |a: i64, a_unit: &str, b: i64, b_unit: &str| {
        if b == 0 { format!("{a}{a_unit}") } else { format!("{a}{a_unit}{b}{b_unit}") }
    };
    let (minutes, hours) = (s / 60, s / 3600);
    let days = hours / 24;
    match s {
        // Clocks that differ by a second or two are nothing to write about.
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{s}s"),
        120..600 => pair(minutes, "m", s % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn ages_have_two_figures_at_most() {
        let read: Vec<String> = [0.4, 119.0, 120.0, 330.0, 3600.0, 12_000.0, 200_000.0, 864_000.0].map(human).to_vec();
        assert_eq!(read, ["0s", "119s", "2m", "5m30s", "60m", "3h20m", "2d7h", "10d"]);
    }
}
