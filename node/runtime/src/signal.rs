//! Signal names as users and images write them: `SIGQUIT`, `quit`, `3`, `SIGRTMIN+3`.

use std::str::FromStr;

use nix::sys::signal::Signal;

/// The number of a signal; none for an empty or unknown one.
pub(crate) fn number(text: &str) -> Option<i32> {
    let upper = text.trim().to_ascii_uppercase();
    if let Ok(number) = upper.parse::<i32>() {
        return (1..=libc::SIGRTMAX()).contains(&number).then_some(number);
    }
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        return real_time(libc::SIGRTMIN(), offset);
    }
    if let Some(offset) = name.strip_prefix("RTMAX") {
        return real_time(libc::SIGRTMAX(), offset);
    }
    Signal::from_str(&format!("SIG{name}")).ok().map(|signal| signal as i32)
}

fn real_time(base: i32, offset: &str) -> Option<i32> {
    let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().ok()? };
    let number = base.checked_add(offset)?;
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_and_numbers_are_understood() {
        assert_eq!([number("SIGQUIT"), number("quit"), number("3"), number("TERM")], [Some(3), Some(3), Some(3), Some(15)]);
        assert_eq!(number("SIGRTMIN+3"), Some(libc::SIGRTMIN() + 3));
        for wrong in ["", "0", "-1", "99", "SIGRTMIN+99", "RTMAX+1", "NOPE"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
