//! Where progress is shown: a live line for each service on a terminal, one line for each change elsewhere. Words only, so on stderr.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::Step;
use crate::print;
use crate::render::age::took;
use crate::render::paint::Paint;
use crate::render::plain::plain;

/// How progress is shown.
#[derive(Debug, Clone)]
pub(crate) enum Screen {
    /// A line for each service, drawn again and again.
    Live(MultiProgress),
    /// One line for each change.
    Lines,
    /// Only the end.
    Quiet,
}

/// What shows one service.
#[derive(Debug)]
pub(crate) struct Report {
    screen: Screen,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// Live on a terminal that is one, and not in CI.
    pub(crate) fn choose(quiet: bool) -> Self {
        let set = |name, not: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != not);
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match (quiet, std::io::stderr().is_terminal() && !dumb && !set("CI", "false")) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Live(MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            (false, false) => Self::Lines,
        }
    }

    /// A place for one service.
    pub(crate) fn report(&self, name: &str) -> Report {
        let bar = match self {
            Self::Live(all) => {
                let bar = all.add(ProgressBar::new(0).with_style(style()).with_prefix(plain(name).into_owned()));
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            Self::Lines | Self::Quiet => None,
        };
        Report { screen: self.clone(), bar }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn close(&self) {
        if let Self::Live(all) = self {
            let _ = all.clear();
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix}  [{bar:20}] {pos}/{len} {wide_msg}";
    ProgressStyle::with_template(template).map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("## "))
}

impl Report {
    /// Shows what a look found.
    pub(crate) fn step(&self, step: &Step) {
        step.warnings.iter().for_each(|warning| self.warn(warning));
        match (&self.screen, &self.bar) {
            (Screen::Live(_), Some(bar)) => {
                bar.set_length(step.goal);
                bar.set_position(step.running.min(step.goal));
                bar.set_message(format!("{}   {}", step.unit, plain(&step.now)));
            }
            (Screen::Lines, _) => step.lines.iter().for_each(|line| print::words(line)),
            (Screen::Live(_) | Screen::Quiet, _) => {}
        }
    }

    /// Says what is wrong, whoever watches.
    fn warn(&self, warning: &str) {
        match &self.screen {
            Screen::Live(all) => all.suspend(|| print::words(warning)),
            Screen::Lines | Screen::Quiet => print::words(warning),
        }
    }

    /// Says that it still goes on, where no live line does.
    pub(crate) fn heartbeat(&self, step: &Step, elapsed: Duration) {
        if matches!(self.screen, Screen::Lines) {
            print::words(&heartbeat(step, elapsed));
        }
    }

    /// The end, which stays on the screen, and what to do next.
    pub(crate) fn done(&self, text: &str, next: Option<&str>) {
        self.close();
        let next = next.map(|next| format!("\n    {}", plain(next))).unwrap_or_default();
        let line = format!("{}  {}{next}", Paint::stderr().good("ok"), plain(text));
        match &self.screen {
            Screen::Live(all) => all.suspend(|| print::raw_words(&line)),
            Screen::Lines => print::raw_words(&line),
            Screen::Quiet => {}
        }
    }

    /// Takes the live line away.
    pub(crate) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `still at 3/5 after 30 s: web.4 on n2: preparing`.
pub(super) fn heartbeat(step: &Step, elapsed: Duration) -> String {
    let now = if step.now.is_empty() { String::new() } else { format!(": {}", step.now) };
    format!("still at {}/{} after {}{now}", step.running, step.goal, took(elapsed))
}
