//! Stands in for the crate of the same name, which openraft always feeds and only its feature `runtime-stats` reads. That crate makes tables
//! for all its resolutions at the first sample and keeps them: 26 MiB, more than half of what an idle manager held (docs/performance.md).
//!
//! This one has the part of the interface that openraft compiles against and keeps nothing. The root manifest patches it in; it goes when a
//! release of openraft can do without.

use std::fmt;
use std::marker::PhantomData;

/// Takes samples and forgets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram<T = ()>(PhantomData<T>);

impl<T> Histogram<T> {
    /// One without samples, as it stays.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// A sample.
    pub const fn record(&mut self, _: u64) {}

    /// Many equal samples.
    pub const fn record_n(&mut self, _: u64, _: u64) {}

    /// Of no samples.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats::default()
    }
}

/// What a histogram tells: the number of samples, and below which value so many percent of them lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PercentileStats {
    /// Number of samples.
    pub samples: u64,
    /// 0.1 percent.
    pub p0_1: u64,
    /// 1 percent.
    pub p1: u64,
    /// 5 percent.
    pub p5: u64,
    /// 10 percent.
    pub p10: u64,
    /// 50 percent.
    pub p50: u64,
    /// 90 percent.
    pub p90: u64,
    /// 99 percent.
    pub p99: u64,
    /// 99.9 percent.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no samples")
    }
}

/// A drawing of histograms: empty.
#[derive(Debug, Clone, Default)]
pub struct AsciiChart;

impl AsciiChart {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// Stays empty.
    #[must_use]
    pub fn add<T>(self, _: &str, _: Histogram<T>) -> Self {
        self
    }
}
