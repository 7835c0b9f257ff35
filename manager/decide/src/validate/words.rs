//! The forms of words in specs, and how they are quoted in a reason.

use std::fmt;

use cluster_types::limits;

/// Longest part of a user's text that a reason repeats, in characters.
const QUOTED: usize = 80;

/// Quotes a user's text: cut when long, control characters escaped.
pub(super) struct Words<'a>(pub(super) &'a str);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        for c in self.0.chars().take(QUOTED) {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }?;
        }
        f.write_str(if self.0.chars().nth(QUOTED).is_some() { "…`" } else { "`" })
    }
}

/// Whether a text is one label of a DNS name, in lower case.
pub(super) fn is_dns_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= limits::NAME_CHARACTERS && text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
}

/// Whether a text is a host name: DNS labels of either case with dots between them, as long as the kernel takes.
pub(super) fn is_host_name(text: &str) -> bool {
    text.len() <= limits::NAME_CHARACTERS && text.split('.').all(|label| is_dns_label(&label.to_ascii_lowercase()))
}

/// Whether a constraint can name or compare with it.
pub(super) fn is_constraint_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c))
}

/// Whether a node can offer such a kind of generic resource: a CDI kind such as `vendor.com/gpu` is one.
pub(super) fn is_generic_kind(text: &str) -> bool {
    text.len() <= limits::NAME_CHARACTERS && is_constraint_word(text) && !text.contains(':')
}

/// Whether the kernel can take it as an argument, a path or a variable.
pub(super) fn has_nul(text: &str) -> bool {
    text.contains('\0')
}
