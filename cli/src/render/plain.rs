//! Text from outside, made safe for a terminal: escapes and other control characters become visible instead of acting.

use std::borrow::Cow;

/// The text with control characters shown as `\x1b` or `\u{9b}`; tabs stay.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\t' || !acts(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\t' => safe.push(c),
            c if !acts(c) => safe.push(c),
            c if u32::from(c) < 0x80 => safe.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => safe.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and those that turn the direction of a line.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\r\u{9b}c\u{202e}"), "a\\x1b[31mb\\x0d\\u{9b}c\\u{202e}");
        assert_eq!(plain("ü\tok"), "ü\tok");
    }
}
