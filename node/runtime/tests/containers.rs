//! The embedded runtime with real containers of busybox. Needs root, control groups and `/bin/busybox` (package busybox-static).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod containers {
    mod bench;
    pub(crate) mod fixture;
    mod health;
    mod isolation;
    mod life;
    mod limits;
    mod logs;
    mod memory;
    mod network;
    mod survival;
}
