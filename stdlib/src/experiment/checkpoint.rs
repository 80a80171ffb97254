//! Files of checkpoints: numbered, whole or not there, the last few.

use std::fs;
use std::path::{Path, PathBuf};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, convert};
use rhai::{Dynamic, Map};

use crate::io::save;

/// The version of what a checkpoint holds.
const FORMAT: i64 = 1;
const SUFFIX: &str = ".safetensors";

/// What a checkpoint holds.
pub(super) struct Checkpoint {
    /// What the script gave, by name.
    pub state: Map,
    /// Where random numbers were.
    pub randomness: Map,
    /// How many records there were, and the bytes of the files that they are in.
    pub records: i64,
    pub metrics: u64,
    pub events: u64,
}

/// The checkpoints in a folder with their numbers, oldest first.
pub(super) fn list(folder: &Path) -> Vec<(u64, PathBuf)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut numbered: Vec<(u64, PathBuf)> = files
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
            Some((name.parse().ok()?, path))
        })
        .collect();
    numbered.sort();
    numbered
}

impl Checkpoint {
    /// Writes it behind the others, of which the last `keep` stay, this one included.
    ///
    /// # Errors
    /// A `TypeError` for a value that cannot be saved; an `IoError` for a full disk.
    pub fn write(self, folder: &Path, keep: usize) -> Result<()> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let known = list(folder);
        let number = known.last().map_or(0, |(number, _)| *number) + 1;
        let mut map = Map::new();
        map.insert("format".into(), FORMAT.into());
        map.insert("state".into(), self.state.into());
        map.insert("randomness".into(), self.randomness.into());
        for (name, count) in [
            ("records", self.records),
            ("metrics", self.metrics as i64),
            ("events", self.events as i64),
        ] {
            map.insert(name.into(), count.into());
        }
        save::save(&folder.join(format!("{number:06}{SUFFIX}")), &map.into())?;
        let old = known.len().saturating_sub(keep.max(1) - 1);
        for (_, path) in &known[..old] {
            // It takes room and does no harm.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Reads one.
    ///
    /// # Errors
    /// An `IoError` for a damaged file; a `ValueError` for one of another version, which must not be passed over.
    fn read(path: &Path, ctx: &Context<'_>) -> Result<Checkpoint> {
        let damaged = || Error::io(path, "is no checkpoint");
        let map = save::load(path, None, ctx)?.try_cast::<Map>().ok_or_else(damaged)?;
        let int = |name: &str| map.get(name).and_then(convert::int).ok_or_else(damaged);
        let format = int("format")?;
        if format != FORMAT {
            return Err(Error::value(format!(
                "the checkpoint {} has format {format}, and this version of Flambeau reads format {FORMAT}",
                path.display()
            ))
            .help("go on with the version that wrote it, or remove the folder of checkpoints to begin anew"));
        }
        let inner = |name: &str| {
            map.get(name).and_then(|map| map.clone().try_cast::<Map>()).ok_or_else(damaged)
        };
        Ok(Checkpoint {
            state: inner("state")?,
            randomness: inner("randomness")?,
            records: int("records")?,
            metrics: int("metrics")? as u64,
            events: int("events")? as u64,
        })
    }

    /// The newest that can be read, and what was said of newer ones that cannot.
    ///
    /// # Errors
    /// One of another version; an interrupt.
    pub fn newest(folder: &Path, ctx: &Context<'_>) -> Result<(Option<Checkpoint>, Vec<String>)> {
        let mut passed = Vec::new();
        for (_, path) in list(folder).iter().rev() {
            match Checkpoint::read(path, ctx) {
                Ok(checkpoint) => return Ok((Some(checkpoint), passed)),
                Err(error) => {
                    ctx.check()?;
                    if error.kind != flambeau_runtime::error::Kind::Io {
                        return Err(error);
                    }
                    passed.push(error.message);
                }
            }
        }
        Ok((None, passed))
    }
}

/// A value that the map of a script has, as saved.
pub(super) fn entries(
    state: &Map,
    save: impl Fn(&str, &Dynamic) -> Result<Dynamic>,
) -> Result<Map> {
    state.iter().map(|(name, value)| Ok((name.clone(), save(name, value)?))).collect()
}
