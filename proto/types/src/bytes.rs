//! Sizes of memory as users write them: `512M`, `1g`, `64MiB`. Powers of 1024 always, as in the compose specification (`cli.md` 5).

/// Bytes of a size such as `300`, `64k`, `512M`, `1.5g`, `2GiB`. The error says what is wrong.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(format!("`{text}` has the unknown unit `{unit}`: use b, k, m, g or t (powers of 1024)")),
    };
    let wrong = || format!("`{text}` is not a size: write it like 512M or 2g");
    let overflow = || format!("`{text}` is too large");
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(overflow);
    }
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = value * factor as f64;
    if !bytes.is_finite() || bytes < 0.0 || bytes >= u64::MAX as f64 {
        return Err(overflow());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked; parts of a byte are dropped")]
    Ok(bytes as u64)
}

/// A size for people: `512 MiB`, `1.5 GiB`.
#[must_use]
pub fn print_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{text} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("50M"), Ok(52_428_800));
        assert_eq!(parse_bytes("1.5g"), Ok(1_610_612_736));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert!(parse_bytes("12x").is_err() && parse_bytes("").is_err() && parse_bytes("99999999999t").is_err());
        assert_eq!(print_bytes(1_610_612_736), "1.5 GiB");
    }
}
