//! Tests of the state as a whole: single steps by example, everything else over random logs.

mod examples;
mod logs;
mod samples;
