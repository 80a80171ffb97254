//! Files and folders: `fs`. Every path is asked of the sandbox; what is written is written whole or
//! not at all.

use std::fs;
use std::path::{Path, PathBuf};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use rhai::{Array, Dynamic};

use super::glob::glob;
use crate::io::files;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "fs.exists(str path) -> bool",
        doc: "Whether there is a file or folder.",
        example: "fs.exists(\"no/such/file\")",
        call: |args| Ok(readable(args)?.exists().into()),
    },
    Function {
        schema: "fs.is_file(str path) -> bool",
        doc: "Whether there is a file.",
        example: "fs.is_file(\".\")",
        call: |args| Ok(readable(args)?.is_file().into()),
    },
    Function {
        schema: "fs.is_dir(str path) -> bool",
        doc: "Whether there is a folder.",
        example: "fs.is_dir(\".\")",
        call: |args| Ok(readable(args)?.is_dir().into()),
    },
    Function {
        schema: "fs.list(str path='.') -> str[]",
        doc: "The names of the files and folders in a folder, sorted.",
        example: "fs.mkdir(\"runs/doc/list\");\n\
                  fs.write_text(\"runs/doc/list/a.txt\", \"a\");\n\
                  fs.list(\"runs/doc/list\")",
        call: |args| {
            let path = readable(args)?;
            let entries = fs::read_dir(&path).map_err(|error| files::explain(&path, &error))?;
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|error| files::explain(&path, &error))?;
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names.into_iter().map(Dynamic::from).collect::<Array>().into())
        },
    },
    Function {
        schema: "fs.glob(str pattern) -> str[]",
        doc: "The paths that fit a pattern, sorted: `*` is any part of a name, `?` any one \
              character, `[ab]` one of these, `**` any number of folders. As in Python, `*` \
              leaves out names that begin with a dot.",
        example: "fs.mkdir(\"runs/doc/list\");\n\
                  fs.write_text(\"runs/doc/list/a.txt\", \"a\");\n\
                  fs.glob(\"runs/doc/l*/*.txt\")",
        call: |args| {
            let paths = glob(&args.str(0)?, args.ctx())?;
            Ok(paths.into_iter().map(Dynamic::from).collect::<Array>().into())
        },
    },
    Function {
        schema: "fs.read_text(str path) -> str",
        doc: "The text of a file, which must be UTF-8.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/note.txt\", \"hello\");\n\
                  fs.read_text(\"runs/doc/note.txt\")",
        call: |args| {
            let path = readable(args)?;
            let text = String::from_utf8(files::read(&path)?).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                Error::io(&path, format!("is not UTF-8 text: byte {at} does not fit"))
            })?;
            Ok(text.into())
        },
    },
    Function {
        schema: "fs.write_text(str path, str text) -> None",
        doc: "Writes a text file: the whole text or, where that fails, nothing.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/note.txt\", \"hello\")",
        call: |args| {
            let path = writable(args, 0)?;
            files::write_bytes(&path, args.str(1)?.as_bytes())?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "fs.append_text(str path, str text) -> None",
        doc: "Adds text to the end of a file, which is made where there is none: for logs.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.append_text(\"runs/doc/log.txt\", \"step 1\\n\")",
        call: |args| {
            let path = writable(args, 0)?;
            let text = args.str(1)?;
            let file = fs::File::options().append(true).create(true).open(&path);
            file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
                .map_err(|error| files::explain(&path, &error))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "fs.mkdir(str path) -> None",
        doc: "Makes a folder and those above it; nothing happens where it is there.",
        example: "fs.mkdir(\"runs/doc/a/b\")",
        call: |args| {
            let path = writable(args, 0)?;
            fs::create_dir_all(&path).map_err(|error| files::explain(&path, &error))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "fs.remove(str path, *, bool recursive=False) -> None",
        doc: "Removes a file or an empty folder; with `recursive: true` a folder and all in it. A \
              link is removed, not what it leads to.",
        example: "fs.mkdir(\"runs/doc/gone\");\n\
                  fs.remove(\"runs/doc/gone\")",
        call: remove,
    },
    Function {
        schema: "fs.rename(str source, str target) -> None",
        doc: "Moves a file or folder within a file system; a file at the target is replaced.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/a.txt\", \"a\");\n\
                  fs.rename(\"runs/doc/a.txt\", \"runs/doc/b.txt\")",
        call: |args| {
            let (source, target) = (writable(args, 0)?, writable(args, 1)?);
            fs::rename(&source, &target).map_err(|error| files::explain(&source, &error))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "fs.copy(str source, str target) -> None",
        doc: "Copies a file.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/a.txt\", \"a\");\n\
                  fs.copy(\"runs/doc/a.txt\", \"runs/doc/c.txt\")",
        call: |args| {
            let (source, target) = (readable(args)?, writable(args, 1)?);
            let (mut file, _) = files::open(&source)?;
            files::write(&target, |out| {
                std::io::copy(&mut file, out).map_err(|error| files::explain(&source, &error))?;
                Ok(())
            })?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "fs.size(str path) -> int",
        doc: "The length of a file in bytes.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/a.txt\", \"four\");\n\
                  fs.size(\"runs/doc/a.txt\")",
        call: |args| {
            let path = readable(args)?;
            let data = fs::metadata(&path).map_err(|error| files::explain(&path, &error))?;
            Ok((data.len() as i64).into())
        },
    },
    Function {
        schema: "fs.modified(str path) -> float",
        doc: "When a file was last written, in seconds since 1970.",
        example: "fs.modified(\".\") > 0.0",
        call: |args| {
            let path = readable(args)?;
            let time = fs::metadata(&path).and_then(|data| data.modified());
            let time = time.map_err(|error| files::explain(&path, &error))?;
            let since = time.duration_since(std::time::UNIX_EPOCH);
            Ok(since.map_or(0.0, |since| since.as_secs_f64()).into())
        },
    },
    Function {
        schema: "fs.cwd() -> str",
        doc: "The folder that relative paths begin in.",
        example: "fs.is_dir(fs.cwd())",
        call: |args| {
            args.ctx().readable(".")?;
            let path =
                std::env::current_dir().map_err(|error| files::explain(Path::new("."), &error));
            Ok(shown(&path?).into())
        },
    },
    Function {
        schema: "fs.absolute(str path) -> str",
        doc: "The path from the root, without `.` and `..`.",
        example: "fs.absolute(\"notebooks/..\") == fs.cwd()",
        call: |args| {
            let path = readable(args)?;
            let absolute =
                std::path::absolute(&path).map_err(|error| files::explain(&path, &error))?;
            Ok(shown(&normalised(&absolute)).into())
        },
    },
    Function {
        schema: "fs.join(*str parts) -> str",
        doc: "Parts of a path put together; a part that begins with / starts anew.",
        example: "fs.join(\"runs\", \"digits\", \"model.safetensors\")",
        call: |args| {
            let parts = args.array(0)?;
            let path: PathBuf = parts.iter().map(|part| part.to_string()).collect();
            Ok(shown(&path).into())
        },
    },
    Function {
        schema: "fs.basename(str path) -> str",
        doc: "The last part of a path.",
        example: "fs.basename(\"runs/digits/model.safetensors\")",
        call: |args| Ok(part(args, |path| path.file_name().map(Path::new))?.into()),
    },
    Function {
        schema: "fs.dirname(str path) -> str",
        doc: "A path without its last part.",
        example: "fs.dirname(\"runs/digits/model.safetensors\")",
        call: |args| Ok(part(args, Path::parent)?.into()),
    },
    Function {
        schema: "fs.stem(str path) -> str",
        doc: "The last part of a path without its suffix.",
        example: "fs.stem(\"runs/digits/model.safetensors\")",
        call: |args| Ok(part(args, |path| path.file_stem().map(Path::new))?.into()),
    },
    Function {
        schema: "fs.suffix(str path) -> str",
        doc: "The suffix of a path with its dot, or an empty text.",
        example: "fs.suffix(\"runs/digits/model.safetensors\")",
        call: |args| {
            let suffix = part(args, |path| path.extension().map(Path::new))?;
            Ok(if suffix.is_empty() { suffix } else { format!(".{suffix}") }.into())
        },
    },
];

fn readable(args: &Args<'_>) -> Result<PathBuf> {
    args.ctx().readable(&args.str(0)?)
}

fn writable(args: &Args<'_>, i: usize) -> Result<PathBuf> {
    args.ctx().writable(&args.str(i)?)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Paths are taken apart as text: nothing on the disk is asked.
fn part(args: &Args<'_>, get: impl Fn(&Path) -> Option<&Path>) -> Result<String> {
    Ok(get(Path::new(&args.str(0)?)).map(shown).unwrap_or_default())
}

fn normalised(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn remove(args: &mut Args<'_>) -> Result<Dynamic> {
    let text = args.str(0)?;
    let allowed = args.ctx().writable(&text)?;
    // The sandbox resolves links; what is removed is the link itself, unless its place is not
    // allowed.
    let given = Path::new(&text);
    let is_link = fs::symlink_metadata(given).is_ok_and(|data| data.is_symlink());
    let path = if is_link {
        let parent = given.parent().filter(|parent| !parent.as_os_str().is_empty());
        args.ctx().writable(&shown(parent.unwrap_or(Path::new("."))))?;
        given.to_owned()
    } else {
        allowed
    };
    let data = fs::symlink_metadata(&path).map_err(|error| files::explain(&path, &error))?;
    let result = match (data.is_dir(), args.bool(1)?) {
        (true, true) => fs::remove_dir_all(&path),
        (true, false) => fs::remove_dir(&path),
        (false, _) => fs::remove_file(&path),
    };
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::DirectoryNotEmpty => Error::io(&path, "the folder is not empty")
            .help("fs.remove(path, recursive: true) removes it with all in it"),
        _ => files::explain(&path, &error),
    })?;
    Ok(Dynamic::UNIT)
}
