//! Tensors in NumPy's and safetensors' files, as scripts read and write them.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Dynamic, Map};

use super::raw::RawTensor;
use super::{files, npy, npz, safetensors};
use crate::nn::StateDict;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.read_npy(str path) -> Tensor",
        doc: "Reads an array that numpy.save wrote: format versions 1 to 3, row- or column-major, \
              little- or big-endian, every dtype that torch has too. Pickled objects are refused.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_npy(torch.arange(6).reshape([2, 3]), \"runs/doc/a.npy\");\n\
                  data.read_npy(\"runs/doc/a.npy\")",
        call: |args| {
            let path = args.ctx().readable(&args.str(0)?)?;
            let raw = npy::parse(&files::read(&path)?).map_err(|cause| Error::io(&path, cause))?;
            Ok(Dynamic::from(raw.into_tensor(args.ctx())?))
        },
    },
    Function {
        schema: "data.write_npy(Tensor tensor, str path) -> None",
        doc: "Writes a tensor as numpy.save does; the file has the same bytes.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_npy(torch.arange(6).reshape([2, 3]), \"runs/doc/a.npy\")",
        call: |args| {
            let path = args.ctx().writable(&args.str(1)?)?;
            files::write_bytes(&path, &npy::serialise(&RawTensor::of(&args.tensor(0)?)?)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "data.read_npz(str path) -> Map",
        doc: "Reads an archive that numpy.savez or numpy.savez_compressed wrote: its arrays by \
              name.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_npz(#{x: torch.ones([2]), y: torch.eye(2)}, \"runs/doc/a.npz\");\n\
                  data.read_npz(\"runs/doc/a.npz\").y",
        call: |args| {
            let path = args.ctx().readable(&args.str(0)?)?;
            let mut map = Map::new();
            for (name, raw) in npz::read(&path)? {
                map.insert(name.into(), Dynamic::from(raw.into_tensor(args.ctx())?));
            }
            Ok(map.into())
        },
    },
    Function {
        schema: "data.write_npz(Any tensors, str path, *, bool compressed=False) -> None",
        doc: "Writes a map of tensors as numpy.savez does (`compressed: true`: \
              numpy.savez_compressed).",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_npz(#{x: torch.ones([2]), y: torch.eye(2)}, \"runs/doc/a.npz\")",
        call: |args| {
            let path = args.ctx().writable(&args.str(1)?)?;
            let mut arrays = Vec::new();
            for (name, tensor) in named_tensors(args, 0)? {
                arrays.push((name, RawTensor::of(&tensor)?));
            }
            files::write_bytes(&path, &npz::serialise(&arrays, args.bool(2)?)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "data.read_safetensors(str path, *, Device? device=None) -> Map",
        doc: "Reads the tensors of a safetensors file by name: all dtypes of the Python package, \
              bit by bit. The file's length and header are checked before anything is read.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_safetensors(#{w: torch.ones([2, 2])}, \"runs/doc/w.safetensors\");\n\
                  data.read_safetensors(\"runs/doc/w.safetensors\").w",
        call: read_safetensors,
    },
    Function {
        schema: "data.write_safetensors(Any tensors, str path, *, Map? metadata=None) -> None",
        doc: "Writes a map or state dict of tensors as safetensors, which Python's \
              safetensors.torch reads. `metadata` is a map of texts that goes into the header.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_safetensors(#{w: torch.ones([2, 2])}, \"runs/doc/w.safetensors\")",
        call: write_safetensors,
    },
];

/// The tensors of a map or state dict.
fn named_tensors(args: &Args<'_>, i: usize) -> Result<Vec<(String, Tensor)>> {
    let value = args.get(i);
    if let Some(state) = value.read_lock::<StateDict>() {
        return Ok(super::save::entries(&state)
            .into_iter()
            .filter_map(|(name, value)| Some((name, convert::tensor(&value)?)))
            .collect());
    }
    let Some(map) = value.read_lock::<Map>() else {
        return Err(args.mismatch(i, "a map of tensors"));
    };
    map.iter()
        .map(|(name, value)| match convert::tensor(value) {
            Some(tensor) => Ok((name.to_string(), tensor)),
            None => Err(Error::type_(format!(
                "{}(): '{name}' is a {}, not a Tensor",
                args.schema().short_name(),
                convert::type_name(value)
            ))
            .help("torch.save(value, path) writes nested values")),
        })
        .collect()
}

fn read_safetensors(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.ctx().readable(&args.str(0)?)?;
    let device = args.opt_device(1)?.map(|device| device.tch()).transpose()?;
    let mut reader = safetensors::Reader::open(&path)?;
    let names: Vec<String> = reader.names().map(str::to_owned).collect();
    let mut map = Map::new();
    for (i, name) in names.into_iter().enumerate() {
        args.ctx().check()?;
        let mut tensor = reader.read(i)?.into_tensor(args.ctx())?;
        if let Some(device) = device {
            tensor = tensor.f_to_device(device)?.into();
        }
        map.insert(name.into(), Dynamic::from(tensor));
    }
    Ok(map.into())
}

fn write_safetensors(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.ctx().writable(&args.str(1)?)?;
    let tensors = named_tensors(args, 0)?;
    let mut metadata = Vec::new();
    for (key, value) in args.map(2)? {
        let text = convert::string(&value).ok_or_else(|| {
            Error::type_(format!(
                "write_safetensors(): metadata '{key}' is a {}, not a string",
                convert::type_name(&value)
            ))
        })?;
        metadata.push((key, text));
    }
    let metadata: Vec<(&str, String)> =
        metadata.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    safetensors::write(&path, &tensors, &metadata)?;
    Ok(Dynamic::UNIT)
}
