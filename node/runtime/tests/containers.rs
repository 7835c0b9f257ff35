//! The embedded runtime with real containers of busybox. Needs root, control groups and `/bin/busybox` (package busybox-static).

mod containers {
    pub(crate) mod fixture;
    mod life;
}
