"""Nanoseconds per crossing, ten times: what crossing.rhai does, with what Python has for it: DLPack for handing
a tensor over, and plain calls."""

import time

import torch
from torch.utils.dlpack import from_dlpack, to_dlpack

torch.set_num_threads(1)


def there_and_back(tensors, n):
    start = time.perf_counter()
    for _ in range(n):
        [from_dlpack(to_dlpack(t)) for t in tensors]
    return (time.perf_counter() - start) / (n * len(tensors)) * 1e9


def first(a, b):
    return a


def calls(f, a, b, n):
    start = time.perf_counter()
    for _ in range(n):
        f(a, b)
    return (time.perf_counter() - start) / n * 1e9


a = torch.ones(4)
b = torch.ones(4)
tensors = [torch.ones(4) for _ in range(100)]
for warm in range(11):
    crossed = there_and_back(tensors, 500)
    called = calls(first, a, b, 20_000)
    back = calls(lambda a, b: a, a, b, 20_000)
    if warm > 0:
        print("crossed", crossed)
        print("called", called)
        print("back", back)
