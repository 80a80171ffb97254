//! The log of a trial: what it prints, as it comes; of very much the last part.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A log that is kept below a number of bytes: once half of them are full it becomes `log.1`, in the place of the one before.
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    most: u64,
    /// Bytes that were dropped.
    lost: u64,
    /// Bytes of `log.1`.
    before: u64,
}

impl Log {
    /// Goes on with the log of a run. Without a log the trial runs all the same.
    pub fn open(path: &Path, most: u64) -> Log {
        let file = File::options().create(true).append(true).open(path).ok();
        let length =
            file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |about| about.len());
        let before = fs::metadata(older(path)).map_or(0, |about| about.len());
        Log { path: path.to_owned(), file, length, most, lost: 0, before }
    }

    /// Appends what was printed; a disk that is full keeps nothing of it.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() as u64 > self.most / 2 {
            self.turn();
        }
        if let Some(file) = &mut self.file
            && file.write_all(bytes).is_ok()
        {
            self.length += bytes.len() as u64;
        }
    }

    fn turn(&mut self) {
        if self.length == 0 || fs::rename(&self.path, older(&self.path)).is_err() {
            return;
        }
        self.lost += self.before;
        self.before = self.length;
        self.length = 0;
        self.file = File::options().create(true).append(true).open(&self.path).ok();
        if self.lost > 0 {
            let note = format!(
                "[{} bytes that were printed before log.1 are not kept: --max-log]\n",
                self.lost
            );
            self.write(note.as_bytes());
        }
    }
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_much_the_last_part_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut log = Log::open(&path, 1000);
        for i in 0..200 {
            log.write(format!("line {i:03} of two hundred\n").as_bytes());
        }
        let read = |path: &Path| fs::read_to_string(path).expect("a log");
        let (last, before) = (read(&path), read(&older(&path)));
        assert!(last.len() + before.len() <= 1000);
        assert!(last.starts_with('[') && last.contains("--max-log"), "{last}");
        assert!(last.ends_with("line 199 of two hundred\n"));
        let lines: Vec<&str> =
            before.lines().chain(last.lines()).filter(|line| line.starts_with("line")).collect();
        let numbers: Vec<usize> = lines.iter().filter_map(|line| line[5..8].parse().ok()).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        assert_eq!(folder.path().read_dir().expect("files").count(), 2);
    }
}
