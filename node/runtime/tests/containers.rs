//! The embedded runtime with real containers of busybox. Needs root, control groups and `/bin/busybox` (package busybox-static).

mod containers {
    pub(crate) mod fixture;
    mod isolation;
    mod life;
    mod limits;
    mod logs;
    mod survival;
}
