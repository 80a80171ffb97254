"""Runs the cases of cases.txt in Python: results and gradients as raw bytes.

Reads {"prelude": [statement, ...], "leaves": [name, ...], "cases": [expression, ...]} and prints one entry
per case: {"values": [[dtype, shape, hex], ...], "grads": [entry or null, ...]} or {"error": text}.
"""

import json
import sys
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors(item)]
    if isinstance(value, (int, float)):
        return [torch.tensor(value)]
    return []


def entry(tensor):
    if tensor is None:
        return None
    flat = tensor.detach().resolve_conj().to_dense().contiguous().reshape(-1)
    data = flat.view(torch.uint8) if flat.numel() else flat.to(torch.uint8)
    return [str(tensor.dtype), list(tensor.shape), bytes(data.tolist()).hex()]


def main():
    work = json.load(sys.stdin)
    results = []
    for case in work["cases"]:
        names = {"torch": torch, "F": F, "inf": float("inf")}
        torch.manual_seed(0)
        for line in work["prelude"]:
            exec(line, names)
        torch.manual_seed(1)
        try:
            values = tensors(eval(case, names))
            leaves = [names[name] for name in work["leaves"]]
            loss = [v.abs().square().sum() for v in values if v.requires_grad]
            grads = []
            if loss:
                grads = torch.autograd.grad(sum(loss), leaves, allow_unused=True)
            results.append({"values": [entry(v) for v in values], "grads": [entry(g) for g in grads]})
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout)


main()
