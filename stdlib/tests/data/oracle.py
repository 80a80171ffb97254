"""Files as NumPy, safetensors and Pillow write them, and checks of what scripts made of them.

    oracle.py write FOLDER    writes FOLDER/in/…
    oracle.py check FOLDER    compares FOLDER/out/… with them, bit by bit
    oracle.py shuffle         prints what PyTorch's samplers and loaders draw
    oracle.py random          prints what Python's random module draws
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image

DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]
TORCH_ONLY = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]
SHAPES = {"scalar": (), "vector": (5,), "matrix": (3, 4), "cube": (2, 3, 4), "empty": (0, 3)}


def array(code, shape, seed):
    """Random bits: with nan of any payload, infinities, and numbers of every size."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(code)
    if dtype == bool:
        return rng.integers(0, 2, shape).astype(bool)
    count = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(rng.bytes(count), dtype).reshape(shape)


def arrays():
    for i, code in enumerate(DTYPES):
        for j, (name, shape) in enumerate(SHAPES.items()):
            yield f"{code}-{name}", array(code, shape, 100 * i + j)


def tensors():
    for name, a in arrays():
        if not name.startswith("c16"):  # safetensors has no complex128
            yield name, torch.from_numpy(a.copy())
    for i, dtype in enumerate(TORCH_ONLY):
        # Every value that 8 bits can be, or every second one of 16.
        bits = np.arange(256, dtype="u1") if "8" in dtype[5:7] else np.arange(0, 65536, 2).astype("u2")
        yield f"{dtype}-all", torch.from_numpy(bits).view(getattr(torch, dtype)).reshape(-1, 4)
    yield "float16-all", torch.arange(65536).to(torch.uint16).view(torch.float16)


def write(folder):
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    names = []
    for name, a in arrays():
        np.save(folder / "in" / f"{name}.npy", a)
        np.save(folder / "in" / f"{name}.fortran.npy", a.copy(order="F"))
        np.save(folder / "in" / f"{name}.big.npy", a.astype(a.dtype.newbyteorder(">")))
        for version in [(2, 0), (3, 0)]:
            with open(folder / "in" / f"{name}.v{version[0]}.npy", "wb") as file:
                np.lib.format.write_array(file, a, version=version)
        names += [name, *(f"{name}.{kind}" for kind in ["fortran", "big", "v2", "v3"])]
    (folder / "names.json").write_text(json.dumps(names))
    np.savez(folder / "in" / "all.npz", **dict(arrays()))
    np.savez_compressed(folder / "in" / "small.npz", **dict(arrays()))
    safetensors.torch.save_file(dict(tensors()), folder / "in" / "all.safetensors")

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    safetensors.torch.save_file(model.state_dict(), folder / "in" / "model.safetensors")
    torch.save(model.state_dict(), folder / "in" / "model.pt")

    rng = np.random.default_rng(0)
    for mode, channels in [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)]:
        pixels = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(folder / "in" / f"{mode}.png")
        np.save(folder / "in" / f"{mode}.pixels.npy", pixels.transpose(2, 0, 1))
    palette = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).quantize(8)
    palette.save(folder / "in" / "palette.png")
    np.save(folder / "in" / "palette.pixels.npy", np.asarray(palette.convert("RGB")).transpose(2, 0, 1))
    deep = rng.integers(0, 65536, (4, 5), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "in" / "deep.png")
    np.save(folder / "in" / "deep.pixels.npy", deep[None])
    # Smooth, or JPEG's own loss would hide a wrong decoder.
    y, x = np.mgrid[0:32, 0:48]
    smooth = np.stack([x * 5, y * 7, 255 - x * 5], -1).clip(0, 255).astype(np.uint8)
    Image.fromarray(smooth).save(folder / "in" / "photo.jpg", quality=90)
    np.save(folder / "in" / "photo.pixels.npy", np.asarray(Image.open(folder / "in" / "photo.jpg")).transpose(2, 0, 1))


def same(found, expected, name):
    assert found.dtype == expected.dtype, f"{name}: {found.dtype}, expected {expected.dtype}"
    assert tuple(found.shape) == tuple(expected.shape), f"{name}: {found.shape}, {expected.shape}"
    if isinstance(found, torch.Tensor):
        found, expected = (t.contiguous().flatten().view(torch.uint8).numpy() for t in (found, expected))
    assert found.tobytes() == expected.tobytes(), f"{name}: other bits"


def check(folder):
    expected = dict(arrays())
    out = folder / "out"
    for name, a in expected.items():
        assert (out / f"{name}.npy").read_bytes() == (folder / "in" / f"{name}.npy").read_bytes(), name
    for name in ["all", "small"]:
        found = np.load(out / f"{name}.npz")
        assert sorted(found.files) == sorted(expected), name
        for key, a in expected.items():
            same(found[key], a, f"{name}.npz {key}")
    assert (out / "small.npz").stat().st_size < (out / "all.npz").stat().st_size

    found = safetensors.torch.load_file(out / "all.safetensors")
    wanted = dict(tensors())
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    for key, tensor in wanted.items():
        same(found[key], tensor, f"all.safetensors {key}")
    with safetensors.safe_open(out / "all.safetensors", "pt") as file:
        assert file.metadata() == {"made by": "a test"}, file.metadata()

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    model.load_state_dict(safetensors.torch.load_file(out / "model.safetensors"))
    for key, tensor in safetensors.torch.load_file(folder / "in" / "model.safetensors").items():
        same(model.state_dict()[key], tensor, f"model.safetensors {key}")
    nested = safetensors.torch.load_file(out / "nested.safetensors")
    assert sorted(nested) == ["model.0.bias", "model.0.weight", "moments.0", "moments.1"], sorted(nested)

    for mode in ["L", "LA", "RGB", "RGBA"]:
        found = np.asarray(Image.open(out / f"{mode}.png"))
        found = found[None] if found.ndim == 2 else found.transpose(2, 0, 1)
        same(found, np.load(folder / "in" / f"{mode}.pixels.npy"), f"{mode}.png")
    photo = np.asarray(Image.open(out / "photo.jpg")).transpose(2, 0, 1).astype(int)
    assert np.abs(photo - np.load(folder / "in" / "photo.pixels.npy").astype(int)).mean() < 3
    found = np.loadtxt(out / "table.csv", delimiter=",", skiprows=1)
    assert found.tolist() == [[0.1, 2.0], [-1e-30, 1e300]], found
    print("ok")


def shuffle():
    from torch.utils.data import (
        BatchSampler, ConcatDataset, DataLoader, RandomSampler, SubsetRandomSampler, TensorDataset,
        WeightedRandomSampler, random_split,
    )  # fmt: skip

    def epochs(loader, n=2):
        return [[batch[0].tolist() for batch in loader] for _ in range(n)]

    rows = TensorDataset(torch.arange(10))
    out = {}
    torch.manual_seed(0)
    out["default"] = epochs(DataLoader(rows, batch_size=4, shuffle=True))
    generator = torch.Generator().manual_seed(7)
    out["generator"] = epochs(DataLoader(rows, batch_size=5, shuffle=True, generator=generator), 3)
    out["drop_last"] = epochs(
        DataLoader(rows, batch_size=3, shuffle=True, drop_last=True, generator=torch.Generator().manual_seed(1))
    )
    torch.manual_seed(3)
    out["workers"] = epochs(DataLoader(rows, batch_size=2, shuffle=True, num_workers=2))
    out["split"] = [part.indices for part in random_split(rows, [0.75, 0.25], torch.Generator().manual_seed(42))]
    torch.manual_seed(5)
    out["split_default"] = [part.indices for part in random_split(rows, [3, 7])]
    torch.manual_seed(6)
    out["replacement"] = list(RandomSampler(rows, replacement=True, num_samples=70))
    out["more"] = list(RandomSampler(rows, num_samples=25, generator=torch.Generator().manual_seed(2)))
    out["subset"] = list(SubsetRandomSampler([5, 6, 7, 8], generator=torch.Generator().manual_seed(2)))
    out["weighted"] = list(
        WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 6, generator=torch.Generator().manual_seed(2))
    )
    out["batches"] = list(BatchSampler(range(7), 3, False)) + list(BatchSampler(range(7), 3, True))
    both = ConcatDataset([rows, TensorDataset(torch.arange(10, 16))])
    out["concat"] = epochs(
        DataLoader(both, batch_size=5, shuffle=True, generator=torch.Generator().manual_seed(4)), 1
    )
    print(json.dumps(out))


def python_random():
    random.seed(123)
    out = [random.random(), random.uniform(-1, 2), random.randint(1, 6), random.randrange(100)]
    out += [random.gauss(1, 2), random.gauss(), random.choice("abcdef"), random.getrandbits(40)]
    out += [random.choices("abc", k=4), random.choices("abc", [1, 5, 2], k=4)]
    out += [random.sample(range(10), 4), random.sample(range(1000), 4), random.sample(range(1000), 30)]
    items = list(range(10))
    random.shuffle(items)
    print(json.dumps([*out, items]))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder]:
            write(Path(folder))
        case ["check", folder]:
            check(Path(folder))
        case ["shuffle"]:
            shuffle()
        case ["random"]:
            python_random()
