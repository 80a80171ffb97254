"""Evaluates the Python side of conformance cases.

Reads a JSON list of cases from standard input, each with `setup`, `code`, `same` and `print`, and prints one
JSON object per case: `value` (see `encode`), or `error` with the names of the exception's classes. Every
case starts from seed 0 in a namespace of its own. `same` says that the code is the script's own text, from
which the few spellings that differ are translated.
"""

import ast
import json
import math
import re
import sys
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")


def translate(code):
    """A script's text as Python's, for code that is otherwise the same in both languages."""
    code = re.sub(r"\b(let|const) ", "", code)
    code = re.sub(r"\b([A-Za-z_]\w*): ", r"\1=", code)
    code = re.sub(r"\btrue\b", "True", code)
    code = re.sub(r"\bfalse\b", "False", code)
    # Unit, where it is a value and not the end of a call.
    code = re.sub(r"(?<=[(,=\s\[])\(\)(?=\s*[,)\];]|$)", "None", code)
    return code.strip().rstrip(";")


def number(value):
    if isinstance(value, bool) or isinstance(value, int):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    return {"complex": [repr(value.real), repr(value.imag)]}


def flat(tensor):
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype == torch.complex32:
        tensor = tensor.to(torch.complex64)
    return [number(value) for value in tensor.reshape(-1).tolist()]


def encode(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float, complex)):
        return number(value)
    if isinstance(value, torch.Tensor):
        return {
            "tensor": str(value.dtype),
            "shape": list(value.shape),
            "grad": value.requires_grad,
            "data": flat(value),
        }
    if isinstance(value, tuple) and type(value).__module__ in ("torch.return_types", "torch.autograd.forward_ad"):
        return {"names": list(type(value).__match_args__), "values": [encode(item) for item in value]}
    if isinstance(value, (tuple, list, range)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"map": {str(key): encode(item) for key, item in value.items()}}
    return {"other": str(value)}


def run(case):
    namespace = {"torch": torch, "F": F, "nn": torch.nn, "optim": torch.optim, "math": math}
    torch.manual_seed(0)
    parts = [case["setup"], case["code"]]
    if case["setup_same"]:
        parts[0] = translate(parts[0])
    if case["same"]:
        parts[1] = translate(parts[1])
    exec(parts[0], namespace)
    tree = ast.parse(parts[1])
    value = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, "case", "exec"), namespace)
        value = eval(compile(last, "case", "eval"), namespace)
    else:
        exec(compile(tree, "case", "exec"), namespace)
    return str(value) if case["print"] else encode(value)


def main():
    for case in json.load(sys.stdin):
        try:
            answer = {"value": run(case)}
        except Exception as error:
            names = [cls.__name__ for cls in type(error).__mro__[:-1]]
            answer = {"error": names, "message": str(error)}
        # What a case switched must not reach the next.
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        print(json.dumps(answer))


main()
