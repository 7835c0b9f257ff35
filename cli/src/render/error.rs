//! Errors: `error[E0501]: what`, then causes, then what to do next.

use super::paint::Paint;
use super::plain::plain;
use crate::failure::Failure;

/// The lines of a failure, each with its end.
pub(crate) fn error(failure: &Failure, paint: Paint) -> String {
    let label = failure.code.as_ref().map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
    let mut what = failure.what.lines();
    let mut text = format!("{}: {}\n", paint.bad(&label), plain(what.next().unwrap_or_default()));
    what.for_each(|line| text.push_str(&format!("  {}\n", plain(line))));
    block(&mut text, "cause:", &failure.causes);
    block(&mut text, "fix:", &failure.fixes);
    if let Some(note) = &failure.note {
        text.push_str(&format!("  {}\n", plain(note)));
    }
    text
}

fn block(text: &mut String, label: &str, lines: &[String]) {
    let label = std::iter::once(label).chain(std::iter::repeat(""));
    for (label, line) in label.zip(lines.iter().flat_map(|line| line.lines())) {
        text.push_str(&format!("  {label:<6} {}\n", plain(line)));
    }
}
