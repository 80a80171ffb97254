"""Tensors and what Python prints for them, one JSON object per line.

    tensor_repr.py            the table
    tensor_repr.py N SEED     N random tensors

A tensor is given as raw bytes, a dtype (the number of its c10::ScalarType), a shape, and steps that are
applied to it. A step is the name of an operator, such as `aten.mul.Scalar`, with the arguments that follow
`self`; or `requires_grad`, or `device` with its name. Both languages run the same steps, then print.
"""

import json
import math
import random
import sys
import warnings

import torch

warnings.simplefilter("ignore")

NUMBERS = {
    torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
    torch.float16: 5, torch.float32: 6, torch.float64: 7,
    torch.complex32: 8, torch.complex64: 9, torch.complex128: 10, torch.bool: 11,
    torch.qint8: 12, torch.quint8: 13, torch.qint32: 14, torch.bfloat16: 15,
    torch.float8_e5m2: 23, torch.float8_e4m3fn: 24,
    torch.float8_e5m2fnuz: 25, torch.float8_e4m3fnuz: 26,
    torch.uint16: 27, torch.uint32: 28, torch.uint64: 29,
    torch.float8_e8m0fnu: 44, torch.float4_e2m1fn_x2: 45,
}  # fmt: skip
DEFAULTS = {
    "precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None,
}  # fmt: skip


def from_bytes(data, dtype, shape):
    flat = torch.tensor(list(data), dtype=torch.uint8)
    return flat.view(dtype).reshape(shape)


def encode(value):
    """An argument of a step as JSON."""
    if isinstance(value, torch.Tensor):
        flat = value.reshape(-1).view(torch.uint8)
        return {"data": bytes(flat.tolist()).hex(), "dtype": NUMBERS[value.dtype], "shape": list(value.shape)}
    if isinstance(value, torch.dtype):
        return {"number": NUMBERS[value]}
    return value


def case(values, *steps, dtype=None, default_dtype=torch.float32, **options):
    """Prints one case: `values` is a tensor, nested lists, or (bytes, dtype, shape)."""
    if isinstance(values, tuple):
        tensor = from_bytes(*values)
    else:
        tensor = torch.as_tensor(values, dtype=dtype).contiguous()
    base = encode(tensor)
    for name, *arguments in steps:
        if name == "requires_grad":
            tensor = tensor.detach().requires_grad_()
        elif name == "device":
            tensor = tensor.to(*arguments)
        else:
            namespace, operator, overload = name.split(".")
            call = getattr(getattr(getattr(torch.ops, namespace), operator), overload)
            tensor = call(tensor, *arguments)
    options = {**DEFAULTS, **options}
    torch.set_printoptions(**options)
    torch.set_default_dtype(default_dtype)
    try:
        text = repr(tensor)
    except Exception:
        text = None
    torch.set_default_dtype(torch.float32)
    torch.set_printoptions(**DEFAULTS)
    if options["threshold"] == math.inf:
        options["threshold"] = 1 << 60
    print(
        json.dumps(
            {
                "base": base,
                "steps": [[name, *map(encode, arguments)] for name, *arguments in steps],
                "options": options,
                "default_dtype": NUMBERS[default_dtype],
                "repr": text,
            }
        )
    )


def floats():
    nan, inf = math.nan, math.inf
    for values in [
        0.0, -0.0, 1.0, -1.0, 0.5, 3.14159265, 1e-3, 1e-4, 9.9e-5, 1e-5, 1e-30, 1e-45, 12345.0,
        12345.678, 1e7, 99999999.0, 1e8, 1.1e8, 1e10, 1e38, -1e38, nan, inf, -inf,
        [], [0.0], [-0.0], [-0.0, 0.0], [1.0, 2.0, 3.0], [1.5, -2.25, 3.0], [0.1, 0.2, 0.3],
        [1.0, nan], [1.5, nan], [1.0, inf], [1.5, -inf], [nan, nan], [inf, -inf, nan],
        [0.0, nan, inf], [1.0, 1000.0], [1.0, 1001.0], [0.001, 1.0], [0.001, 1.001], [1e-4, 0.1],
        [9e-5, 0.01], [1e8, 1e8], [1.00001e8, 1e8], [1e9, nan, 1.0], [1e-9, inf, 1.0], [1e5, 1e-5],
        [123456.0, -7.0], [123456.5, -7.0], [0.00005, 0.0], [0.99995, 0.5], [0.999949, 0.5],
        [-0.00001, 5.0], [2.5, -0.0], [-1e-12], [16777216.0, 16777215.0], [1.0, -1000.0, 0.0],
        [0.1] * 40, [1.0] * 40, [-123.456] * 25, [1e-10, 1.0] * 15, [nan] * 40, [100.0] * 17,
        [[1.0, 2.0], [3.0, 4.0]], [[0.5], [nan]], [[-1.5, 2e5, 3e-5]],
        [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]],
        [[[[1.0, 0.25]]], [[[3.0, 4.0]]]],
    ]:  # fmt: skip
        case(values, dtype=torch.float32)
    for values in [0.1, [1 / 3, 2 / 3], [1e300, 1e-300], [5e-324], [1.7976931348623157e308], [1e16, 1.0], [1e22]]:
        case(values, dtype=torch.float64)
        case(values, dtype=torch.float64, default_dtype=torch.float64)
        case(values, dtype=torch.float64, sci_mode=False)
    for dtype in [torch.float16, torch.bfloat16]:
        for values in [0.1, [65504.0, 1.0], [6e-8, 1.0], [1.0, 2.0, 3.0], [nan, inf, 0.5], [[0.1, 0.2]] * 3, []]:
            case(values, dtype=dtype)
    case([1.0, 2.0], dtype=torch.bfloat16, default_dtype=torch.bfloat16)
    case([1.0, 2.0], dtype=torch.float32, default_dtype=torch.float64)


def integers():
    for values in [
        0, 7, -7, [], [0], [1, -1], [1, 10, 100], list(range(30)), list(range(-15, 15)),
        [2**63 - 1, -(2**63)], [[1, 2], [3, -400]], [[[1]]], [[1, 2, 3]] * 4, [10**15] * 9,
    ]:  # fmt: skip
        case(values, dtype=torch.int64)
    for dtype in [torch.uint8, torch.int8, torch.int16, torch.int32]:
        case(5, dtype=dtype)
        case([1, 20, 127], dtype=dtype)
        case([], dtype=dtype)
    case([True, False])
    case(True)
    case([False, False])
    case([[True] * 20, [False] * 20])
    case([], dtype=torch.bool)
    every = bytes(range(256))
    for dtype in [torch.uint16, torch.uint32, torch.uint64]:
        case((every[:16], dtype, [16 // dtype.itemsize]))
        case((b"\xff" * 48, dtype, [2, 24 // dtype.itemsize]))
        case((every * 16, dtype, [4, 1024 // dtype.itemsize]))
        case((every[:8], dtype, [8 // dtype.itemsize, 1, 1]))
        case((b"", dtype, [0]))
    for dtype in [
        torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e5m2fnuz, torch.float8_e4m3fnuz,
        torch.float8_e8m0fnu, torch.float4_e2m1fn_x2,
    ]:  # fmt: skip
        case((every, dtype, [256]))
        case((every[56:64], dtype, [2, 4]))
        case((every[60:61], dtype, [1]))
        case((every * 8, dtype, [32, 64]))
        case((every[60:61], dtype, []))
        case((b"", dtype, [0]))
        for byte in [0, 1, 127, 128, 255]:
            case((bytes([byte]), dtype, [1]))


def complexes():
    nan, inf = math.nan, math.inf
    for values in [
        1 + 2j, 0j, -1.5j, complex(-0.0, -0.0), [], [1 + 2j, 3 - 4j], [1.5 + 2j], [1 + 2.5j, -3 - 4j],
        [complex(nan, inf), complex(-inf, nan)], [complex(0, -inf)], [1e10 + 1j, 1 - 1e-10j],
        [1 + 1j] * 20, [-0.125 + 1000j] * 12, [[1j, 2j], [3j, -4j]],
    ]:  # fmt: skip
        case(values, dtype=torch.complex64)
    case([1 + 2j, 3.5 - 4j], dtype=torch.complex128)
    case([1 + 2j, 3.5 - 4j], dtype=torch.complex128, default_dtype=torch.float64)
    case([1 + 2j, 3.5 - 4j], dtype=torch.complex64, default_dtype=torch.float64)
    case([1 + 2j, 3.5 - 4j], dtype=torch.complex32)
    case([], dtype=torch.complex128)
    case([1 + 2j, 3 - 4.5j], ["aten._conj.default"])
    case([1 + 2j, 3 - 4.5j], ["aten._conj.default"], ["aten.imag.default"])
    case(torch.arange(1200) * (1 - 0.5j), ["aten._conj.default"])
    case([1.0, -2.5], ["aten._neg_view.default"])
    case(torch.randn(30, 40, dtype=torch.complex64))
    case([1 + 2j], ["requires_grad"])


def shapes():
    """Empties, views, summaries."""
    for shape in [(0,), (0, 3), (2, 0), (2, 0, 4), (0, 0), (1, 0)]:
        for dtype in [torch.float32, torch.int64, torch.bool, torch.float64, torch.complex64]:
            case(torch.empty(shape, dtype=dtype))
    case(torch.empty(0, 3), default_dtype=torch.float64)
    case(torch.empty(0, 3), ["requires_grad"])
    for shape in [(1,), (1, 1), (1, 1, 1, 1), (7,), (2, 3, 4), (3, 2, 2, 2), (1, 30), (30, 1), (2, 1, 3, 1, 2)]:
        count = math.prod(shape)
        case(torch.arange(count).reshape(shape))
        case(torch.arange(count, dtype=torch.float32).reshape(shape) / 3)
    for shape in [
        (1000,), (1001,), (5000,), (1001, 1), (1, 1001), (40, 40), (6, 200), (200, 6), (7, 7, 30), (3, 3, 3, 50),
        (10, 10, 10), (10, 10, 11), (11, 1, 11, 11), (6, 6, 6, 6), (2, 501), (501, 2), (2, 2, 2, 2, 2, 2, 2, 2, 2, 2),
        (2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2),
    ]:  # fmt: skip
        count = math.prod(shape)
        case(torch.arange(count).reshape(shape))
        case(torch.arange(count, dtype=torch.float32).reshape(shape))
        case(torch.arange(count, dtype=torch.float64).reshape(shape) / 7)
    case(torch.arange(1500) % 2 == 0)
    case(torch.cat([torch.zeros(500), torch.full((500,), 1e9), torch.ones(500)]))
    case(torch.linspace(-1, 1, 1200))
    case([1.0, 2.0], ["aten.expand.default", [1000000, 2]])
    case([1.5], ["aten.expand.default", [1000000, 1000000]])
    case(torch.arange(6.0).reshape(2, 3), ["aten.expand.default", [100000, 100000, 2, 3]])
    case([1], ["aten.expand.default", [2] * 9 + [9]])
    case([1.0], ["aten.expand.default", [1] * 26 + [2000, 2]])
    case(torch.arange(6).reshape(2, 3), ["aten.transpose.int", 0, 1])
    case(torch.arange(24.0).reshape(2, 3, 4), ["aten.permute.default", [2, 0, 1]])
    case(torch.arange(24.0).reshape(4, 6), ["aten.slice.Tensor", 1, 0, 6, 2])
    case(torch.arange(24.0).reshape(4, 6), ["aten.select.int", 0, -1])
    case(torch.arange(4000.0).reshape(40, 100), ["aten.transpose.int", 0, 1])
    case(torch.arange(4000.0).reshape(40, 100), ["aten.slice.Tensor", 1, 3, 100, 3])
    case([1.0, 2.0], ["aten.unsqueeze.default", 0], ["aten.unsqueeze.default", 2])
    case([1.0, 2.0, 3.0], ["aten.flip.default", [0]])


def options():
    values = torch.linspace(0, 1, 12).reshape(3, 4)
    for precision in [0, 1, 2, 8, 17]:
        case(values, precision=precision)
        case(values * 1e6, precision=precision)
        case(values * 1e6, precision=precision, sci_mode=True)
    for linewidth in [0, 10, 20, 40, 79, 81, 120, 1000]:
        case(torch.arange(60.0) / 7, linewidth=linewidth)
        case(torch.arange(60).reshape(2, 30), linewidth=linewidth)
        case(torch.arange(60, dtype=torch.int32), ["aten.abs.default"], linewidth=linewidth)
    for edgeitems in [0, 1, 2, 5]:
        for shape in [(50,), (10, 5), (2, 5, 5), ()]:
            tensor = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
            case(tensor, edgeitems=edgeitems, threshold=20)
            case(tensor, edgeitems=edgeitems)
    case(torch.arange(1001), threshold=math.inf)
    case(torch.arange(30), threshold=0)
    case(torch.tensor(3.5), threshold=0)
    for sci_mode in [True, False]:
        for tensor in [torch.tensor([1.0, 2.0]), torch.tensor([1e-9, 1e9]), torch.tensor([0.5, math.nan]), torch.zeros(2)]:
            case(tensor, sci_mode=sci_mode)
        case(torch.tensor([1e-9 + 2j, 5j]), sci_mode=sci_mode)


def graphs():
    case([1.0, 2.0], ["requires_grad"])
    case(1.0, ["requires_grad"])
    case([1.0, 2.0], ["requires_grad"], ["aten.mul.Scalar", 2])
    case([1.0, 2.0], ["requires_grad"], ["aten.add.Scalar", 2.5])
    case([1.0, 2.0], ["requires_grad"], ["aten.sum.default"])
    case([1.0, 2.0], ["requires_grad"], ["aten.detach.default"])
    case(torch.ones(3, 4), ["requires_grad"], ["aten.transpose.int", 0, 1])
    case(torch.ones(3, 4), ["requires_grad"], ["aten._log_softmax.default", 1, False])
    case(torch.ones(30, 40), ["requires_grad"], ["aten.mul.Scalar", 0.5])
    case([0.1] * 7, ["requires_grad"], ["aten.mul.Scalar", 2.0])
    case([0.1] * 8, ["requires_grad"], ["aten.mul.Scalar", 2.0])
    case([1.0, 2.0], ["requires_grad"], ["aten.mul.Scalar", 2.0], ["aten.add_.Scalar", 1.0])
    case([1.0, 2.0], ["requires_grad"], ["aten.mul.Scalar", 2.0], ["aten.select.int", 0, 0], ["aten.mul_.Scalar", 3.0])
    case(torch.tensor([1.0, 2.0], dtype=torch.float64), ["requires_grad"], ["aten.exp.default"])
    case(torch.eye(3), ["requires_grad"], ["aten.to_sparse.default"])


def layouts():
    diagonal = torch.diag(torch.tensor([1.0, 0.0, 2.5]))
    case(diagonal, ["aten.to_sparse.default"])
    case(diagonal.double(), ["aten.to_sparse.default"])
    case(diagonal.to(torch.int64), ["aten.to_sparse.default"])
    case(torch.zeros(3, 3), ["aten.to_sparse.default"])
    case(torch.zeros(0, 3), ["aten.to_sparse.default"])
    case(torch.ones(40, 40), ["aten.to_sparse.default"])
    case(torch.ones(3, 4, 2), ["aten.to_sparse.sparse_dim", 1])
    case(torch.ones(4, 4), ["aten.to_sparse_csr.default"])
    case(diagonal, ["aten.to_sparse_csr.default"])
    case(diagonal, ["aten.to_sparse_csc.default"])
    case(diagonal.double(), ["aten.to_sparse_csc.default"])
    case(torch.ones(4, 6), ["aten.to_sparse_bsr.default", [2, 3]])
    case(torch.ones(4, 6), ["aten.to_sparse_bsc.default", [2, 3]])
    case(torch.zeros(4, 6), ["aten.to_sparse_csr.default"])
    case(torch.ones(30, 60), ["aten.to_sparse_csr.default"])
    case(diagonal, ["aten.to_mkldnn.default"])
    case([0.5, 1.0, -1.0], ["aten.quantize_per_tensor.default", 0.1, 10, torch.quint8])
    case([0.5, 1.0, -1.0], ["aten.quantize_per_tensor.default", 1e-5, 0, torch.qint32])
    case(
        torch.ones(2, 3),
        ["aten.quantize_per_channel.default", torch.tensor([0.1, 0.01], dtype=torch.float64), torch.tensor([10, 0]), 0, torch.qint8],
    )
    for values in [torch.ones(2, 3), torch.ones(()), torch.ones(5, dtype=torch.int64), torch.ones(0, 2, dtype=torch.float64)]:
        for default_dtype in [torch.float32, torch.float64]:
            case(values, ["device", "meta"], default_dtype=default_dtype)
    case(torch.ones(2, 3), ["requires_grad"], ["device", "meta"])
    sizes = torch.tensor([[2, 2], [1, 2]])
    case(torch.arange(6.0), ["aten._nested_view_from_buffer.default", sizes, torch.tensor([[2, 1], [2, 1]]), torch.tensor([0, 4])])


def random_cases(count, seed):
    random.seed(seed)
    torch.manual_seed(seed)
    dtypes = [
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8,
        torch.bool, torch.complex64, torch.complex128, torch.uint16, torch.uint64, torch.float8_e5m2,
        torch.float8_e4m3fn, torch.float8_e5m2fnuz, torch.float8_e4m3fnuz, torch.float8_e8m0fnu,
    ]  # fmt: skip
    for _ in range(count):
        dtype = random.choice(dtypes)
        shape = [random.choice([0, 1, 1, 2, 3, 5, 8, 13]) for _ in range(random.randrange(5))]
        if random.random() < 0.2:
            shape = [random.randrange(1, 60), random.randrange(1, 60)]
        kind = random.random()
        if dtype.is_floating_point and dtype.itemsize > 1 or dtype.is_complex:
            tensor = torch.randn(shape, dtype=torch.complex128 if dtype.is_complex else torch.float64)
            if kind < 0.3:
                tensor = tensor * 10.0 ** random.randrange(-8, 12)
            elif kind < 0.5 and not dtype.is_complex:
                tensor = torch.round(tensor * 10.0 ** random.randrange(6))
            elif kind < 0.6 and not dtype.is_complex:
                # Ties: halves of the last printed digit.
                tensor = torch.round(tensor * 1000) / 2 ** random.randrange(12)
            elif kind < 0.7 and not dtype.is_complex:
                tensor = tensor * 10.0 ** (torch.randn(shape, dtype=torch.float64) * 4)
            if random.random() < 0.3 and tensor.numel() and not dtype.is_complex:
                flat = tensor.reshape(-1)
                for _ in range(3):
                    flat[random.randrange(flat.numel())] = random.choice([math.nan, math.inf, -math.inf, 0.0, -0.0])
                tensor = flat.reshape(shape)
            tensor = tensor.to(dtype)
        else:
            data = bytes(random.randrange(2 if dtype == torch.bool else 256) for _ in range(math.prod(shape) * dtype.itemsize))
            tensor = from_bytes(data, dtype, shape)
        steps = []
        if len(shape) > 1 and random.random() < 0.3:
            steps.append(["aten.transpose.int", 0, 1])
        chosen = {}
        if random.random() < 0.4:
            chosen = {
                "precision": random.choice([0, 2, 4, 7]),
                "threshold": random.choice([0, 10, 100, 1000, math.inf]),
                "edgeitems": random.choice([1, 2, 3, 4]),
                "linewidth": random.choice([30, 60, 80, 120]),
                "sci_mode": random.choice([None, None, True, False]),
            }
        case(tensor, *steps, default_dtype=random.choice([torch.float32, torch.float32, torch.float64]), **chosen)


if len(sys.argv) > 1:
    random_cases(int(sys.argv[1]), int(sys.argv[2]))
else:
    torch.manual_seed(0)
    for part in [floats, integers, complexes, shapes, options, graphs, layouts]:
        part()
