//! Gives back the memory that a keeper or an init needed for its start and does not need for its life.
//!
//! There is a keeper and an init for every container, so what each holds counts. Freed heap goes back to the kernel, and so does the unused
//! stack; pages of code are unmapped and come back from the file, a few, when they are run again.

use std::convert::Infallible;
use std::fs;
use std::ops::Range;

/// What may still be used below the current stack frame.
const STACK_MARGIN: usize = 64 * 1024;

/// Size of a page: the kernel rounds to it, and a wrong guess here gives back less.
const PAGE: usize = 4096;

/// Gives back what can be given back. Failures leave things as they are.
pub(super) fn slim() {
    // SAFETY: it only releases memory that the allocator has free.
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "malloc_trim has no safe form")]
    unsafe {
        libc::malloc_trim(0)
    };
    let mark = 0_u8;
    let frame = &raw const mark as usize;
    for line in fs::read_to_string("/proc/self/maps").unwrap_or_default().lines() {
        if let Some(range) = disposable(line, frame) {
            discard(range);
        }
    }
}

/// The part of a mapping that can be thrown away: program code (never written, so the file has it), and the stack below this frame.
fn disposable(line: &str, frame: usize) -> Option<Range<usize>> {
    let mut fields = line.split_whitespace();
    let Range { start, end } = range(fields.next()?)?;
    let (rights, name) = (fields.next()?, fields.nth(3).unwrap_or_default());
    if rights == "r-xp" && name.starts_with('/') {
        return Some(start..end);
    }
    let unused = frame.saturating_sub(STACK_MARGIN) / PAGE * PAGE;
    (name == "[stack]" && unused > start).then_some(start..unused)
}

/// As [`slim`], for a process that never touches the heap again: all of it goes, also what is still owned.
pub(super) fn slim_without_heap(goes_on: impl FnOnce() -> Infallible) -> ! {
    slim();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let heap = maps.lines().find(|line| line.ends_with("[heap]")).and_then(|line| line.split_whitespace().next()).and_then(range);
    drop(maps);
    if let Some(heap) = heap {
        discard(heap);
    }
    match goes_on() {}
}

fn range(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

fn discard(range: Range<usize>) {
    // SAFETY: private mappings of code are unchanged copies of their file, so they are read from it again; nothing uses the stack below
    // the current frame and its margin; the heap is discarded only by a process that does not use it until its end.
    #[expect(unsafe_code, reason = "madvise has no safe form")]
    unsafe {
        libc::madvise(range.start as *mut libc::c_void, range.end - range.start, libc::MADV_DONTNEED)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_unused_stack_are_given_back() {
        let part = |line: &str| disposable(line, 0x7ffd_0010_0000);
        assert_eq!(part("1000-3000 r-xp 00000000 fe:00 1 /bin/x"), Some(0x1000..0x3000));
        assert_eq!(part("1000-3000 r-xp 00000000 00:00 0 [vdso]"), None);
        assert_eq!(part("1000-3000 r--p 00000000 fe:00 1 /bin/x"), None);
        assert_eq!(part("1000-3000 rw-p 00000000 00:00 0 [heap]"), None);
        assert_eq!(part("7ffd00000000-7ffd00200000 rw-p 00000000 00:00 0 [stack]"), Some(0x7ffd_0000_0000..0x7ffd_000f_0000));
        assert_eq!(part("nonsense"), None);
    }

    #[test]
    fn the_process_lives_on() {
        slim();
        assert_eq!(vec![1; 1000].iter().sum::<i32>(), 1000);
    }
}
