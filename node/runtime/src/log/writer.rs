//! Cuts what a container writes into lines and keeps them in rotated files. Called by the keeper only; never blocks on a reader, and drops
//! (and counts) lines when the disk refuses them, so that the container goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{LogLimits, MAX_LINE, files, format};
use crate::LogLine;

/// The unfinished line of each stream, and the file that is written.
pub(crate) struct LogWriter {
    dir: PathBuf,
    limits: LogLimits,
    number: u64,
    file: File,
    size: u64,
    pending: [Vec<u8>; 2],
    dropped: u64,
}

impl LogWriter {
    /// Opens the log in a container's folder and goes on behind what is there.
    pub(crate) fn open(dir: &Path, limits: LogLimits) -> io::Result<Self> {
        let number = files::numbers(dir)?.last().copied().unwrap_or(1);
        let file = open_append(&files::path(dir, number))?;
        let size = file.metadata()?.len();
        let mut writer = Self { dir: dir.to_owned(), limits, number, file, size, pending: [Vec::new(), Vec::new()], dropped: 0 };
        if size > 0 {
            // An earlier keeper may have been killed in the middle of a record.
            writer.append(b"\n");
        }
        Ok(writer)
    }

    /// Takes bytes that came from stdout or stderr at a moment (nanoseconds since the epoch).
    pub(crate) fn push(&mut self, stderr: bool, bytes: &[u8], at_ns: u64) {
        let mut pending = std::mem::take(&mut self.pending[usize::from(stderr)]);
        let mut out = Vec::with_capacity(bytes.len() + 64);
        for byte_line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match byte_line.split_last() {
                Some((b'\n', text)) => (text, true),
                Some(_) | None => (byte_line, false),
            };
            take_text(&mut pending, text, &mut |part| encode(&mut out, stderr, at_ns, part, true));
            if ended {
                encode(&mut out, stderr, at_ns, &pending, false);
                pending.clear();
            }
        }
        self.pending[usize::from(stderr)] = pending;
        self.write(&out);
    }

    /// Writes lines that never got their end: the container is gone.
    pub(crate) fn finish(&mut self, at_ns: u64) {
        for stderr in [false, true] {
            let text = std::mem::take(&mut self.pending[usize::from(stderr)]);
            if !text.is_empty() {
                let mut out = Vec::new();
                encode(&mut out, stderr, at_ns, &text, false);
                self.write(&out);
            }
        }
    }

    fn write(&mut self, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        if self.size >= self.limits.file_bytes {
            self.rotate();
        }
        self.append(records);
    }

    fn append(&mut self, records: &[u8]) {
        if self.file.write_all(records).is_ok() {
            self.size += records.len() as u64;
        } else {
            // A full disk: what was half written goes, so that the next record starts on a line of its own.
            self.dropped += 1;
            let _ = self.file.set_len(self.size);
        }
    }

    fn rotate(&mut self) {
        let Ok(file) = open_append(&files::path(&self.dir, self.number + 1)) else { return };
        self.number += 1;
        self.file = file;
        self.size = 0;
        let oldest = self.number.saturating_sub(self.limits.files.max(1));
        for number in files::numbers(&self.dir).unwrap_or_default().into_iter().filter(|number| *number <= oldest) {
            let _ = std::fs::remove_file(files::path(&self.dir, number));
        }
    }
}

/// Moves `text` into the pending line and hands out full parts of it.
fn take_text(pending: &mut Vec<u8>, mut text: &[u8], part: &mut dyn FnMut(&[u8])) {
    while pending.len() + text.len() > MAX_LINE {
        let (head, tail) = text.split_at(MAX_LINE - pending.len());
        pending.extend_from_slice(head);
        part(pending);
        pending.clear();
        text = tail;
    }
    pending.extend_from_slice(text);
}

fn encode(out: &mut Vec<u8>, stderr: bool, at_ns: u64, text: &[u8], partial: bool) {
    format::encode(out, &LogLine { at_ns, stderr, text: text.to_vec(), partial });
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_lines(dir: &Path) -> Vec<LogLine> {
        let numbers = files::numbers(dir).unwrap();
        let bytes: Vec<u8> = numbers.into_iter().flat_map(|number| std::fs::read(files::path(dir, number)).unwrap()).collect();
        bytes.split(|byte| *byte == b'\n').filter_map(format::decode).collect()
    }

    #[test]
    fn lines_are_cut_where_they_end_and_long_ones_are_marked() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(dir.path(), LogLimits::default()).unwrap();
        writer.push(false, b"one\ntw", 1);
        writer.push(true, b"err\n", 2);
        writer.push(false, b"o\n\n", 3);
        writer.push(false, &[b'x'; MAX_LINE + 5], 4);
        writer.finish(5);
        let lines = all_lines(dir.path());
        let texts: Vec<(usize, bool, bool)> = lines.iter().map(|line| (line.text.len(), line.stderr, line.partial)).collect();
        assert_eq!(
            texts,
            [(3, false, false), (3, true, false), (3, false, false), (0, false, false), (MAX_LINE, false, true), (5, false, false)]
        );
    }

    #[test]
    fn old_files_go_and_the_newest_lines_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(dir.path(), LogLimits { file_bytes: 100, files: 2 }).unwrap();
        for number in 0..100 {
            writer.push(false, format!("line {number}\n").as_bytes(), number);
        }
        assert_eq!(files::numbers(dir.path()).unwrap().len(), 2);
        assert_eq!(all_lines(dir.path()).last().unwrap().text, b"line 99");
    }

    #[test]
    fn a_second_writer_goes_on_behind_a_torn_record() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(files::path(dir.path(), 1), b"5 o F whole\n6 o F to").unwrap();
        let mut writer = LogWriter::open(dir.path(), LogLimits::default()).unwrap();
        writer.push(false, b"next\n", 7);
        let texts: Vec<Vec<u8>> = all_lines(dir.path()).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, [b"whole".to_vec(), b"to".to_vec(), b"next".to_vec()]);
    }
}
