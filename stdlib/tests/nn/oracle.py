"""What PyTorch makes of layers (weights, outputs, gradients, printed forms) and of expressions.

Usage: oracle.py layers.txt functions.txt OUT.safetensors OUT.json
"""

import json
import re
import sys
import warnings

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

warnings.filterwarnings("ignore")


def python(text, tuples):
    """A script's expression as Python: keywords, literals, arrays."""
    text = re.sub(r"\b([a-z_]+): ", r"\1=", text)
    text = re.sub(r"\btrue\b", "True", text)
    text = re.sub(r"\bfalse\b", "False", text)
    text = re.sub(r"(?<=[=,;\[ ])\(\)|^\(\)$", "None", text)
    if tuples:
        # `torch.tensor([…])` keeps its lists.
        parts = re.split(r"(torch\.tensor\(\[.*?\]\))", text)
        parts = [p if p.startswith("torch.tensor") else p.replace("[", "(").replace("]", ",)") for p in parts]
        text = "".join(parts).replace(",,)", ",)")
    return text


def tensors(value):
    """The tensors in a result, however nested."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors(item)]
    return []


def run(layer, inputs, index, store):
    def put(key, value):
        store[f"{index}.{key}"] = value.detach().clone().contiguous()

    torch.manual_seed(0)
    module = eval(python(layer, True))
    for name, value in module.state_dict().items():
        put(f"start.{name}", value)
    torch.manual_seed(1)
    texts = [text.strip() for text in inputs.split(";")]
    args = [eval(python(text, False)) for text in texts]
    # What was drawn at random gets a gradient; what is written down is a target or a mask.
    leaves = [x for x, text in zip(args, texts) if text.startswith("torch.rand")]
    for leaf in leaves:
        if "inplace: true" not in layer:
            leaf.requires_grad_()
    torch.manual_seed(2)
    outputs = tensors(module(*args))
    for i, output in enumerate(outputs):
        put(f"out.{i}", output)
    total = sum(output.sum() for output in outputs if output.is_floating_point())
    if total.requires_grad:
        total.backward()
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            put(f"grad.{name}", parameter.grad)
    for i, leaf in enumerate(leaves):
        if leaf.grad is not None:
            put(f"input_grad.{i}", leaf.grad)
    for name, value in module.state_dict().items():
        put(f"after.{name}", value)
    module.eval()
    torch.manual_seed(1)
    args = [eval(python(text, False)) for text in texts]
    with torch.no_grad():
        for i, output in enumerate(tensors(module(*args))):
            put(f"eval.{i}", output)
    return {
        "layer": layer,
        "keys": list(module.state_dict()),
        "parameters": [name for name, _ in module.named_parameters()],
        "repr": repr(module),
    }


def lines_of(path):
    with open(path) as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith("#")]


def main(layers, functions, tensors_out, facts_out):
    store, facts = {}, []
    for index, line in enumerate(lines_of(layers)):
        layer, inputs = line.split(" | ")
        try:
            facts.append(run(layer, inputs, index, store))
        except Exception as error:
            raise RuntimeError(f"{line}: {error}") from error
    for index, line in enumerate(lines_of(functions)):
        torch.manual_seed(0)
        store[f"function.{index}"] = eval(python(line, False)).detach().clone()
    save_file(store, tensors_out)
    with open(facts_out, "w") as file:
        json.dump(facts, file)


main(*sys.argv[1:])
