"""Runs the optimisers and schedulers of the tables in Python.

Reads {"optimizers": [expression, ...], "schedulers": [[optimizer, scheduler], ...], ...} and prints what
each gives, with the same keys.
"""

import json
import sys
import warnings

import torch
from torch import optim

warnings.simplefilter("ignore")
LR = optim.lr_scheduler
SHAPES = [[16, 8], [8], [3, 5]]


def entry(tensor):
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return [str(tensor.dtype), list(tensor.shape), bytes(flat.tolist()).hex()]


def parameters():
    torch.manual_seed(0)
    return [torch.randn(shape, requires_grad=True) for shape in SHAPES]


def gradients(params, step):
    """New gradients; the last parameter has none in every third step."""
    torch.manual_seed(100 + step)
    for i, param in enumerate(params):
        grad = torch.randn(param.shape)
        param.grad = None if i == 2 and step % 3 == 1 else grad


def optimizer(expression):
    params = parameters()
    opt = eval(expression, {"optim": optim, "params": params})
    for step in range(10):
        gradients(params, step)
        opt.step()
    state = opt.state_dict()["state"]
    return {
        "params": [entry(p) for p in params],
        "state": {str(i): {k: entry(v) for k, v in s.items()} for i, s in state.items() if s},
        "groups": [sorted(g) for g in opt.state_dict()["param_groups"]],
        "text": repr(opt),
    }


def exact(value):
    """Floats as text: JSON readers round."""
    if isinstance(value, float):
        return repr(value)
    return [exact(item) for item in value] if isinstance(value, list) else value


def keys(state):
    return sorted(state)


def scheduler(make, over):
    params = parameters()
    opt = eval(make, {"optim": optim, "params": params})
    made = eval(over, {"LR": LR, "opt": opt})
    rates = [made.get_last_lr()]
    momenta = []
    for _ in range(50):
        opt.step()
        made.step()
        rates.append(list(made.get_last_lr()))
        group = opt.param_groups[0]
        momenta.append(group["momentum"] if "momentum" in group else group["betas"][0])
    # A constructor writes into the groups: only what follows the second load counts.
    opt2 = eval(make, {"optim": optim, "params": parameters()})
    again = eval(over, {"LR": LR, "opt": opt2})
    for _ in range(17):
        opt2.step()
        again.step()
    return {"rates": exact(rates), "momenta": exact(momenta), "keys": keys(again.state_dict())}


def plateau(expression, metrics):
    opt = optim.SGD(parameters(), lr=0.1)
    made = eval(expression, {"LR": LR, "opt": opt})
    rates = []
    for metric in metrics:
        made.step(metric)
        rates.append([opt.param_groups[0]["lr"], float(made.num_bad_epochs), float(made.best)])
    return {"rates": exact(rates), "keys": keys(made.state_dict())}


def lbfgs(options, dtype):
    """Rosenbrock's valley, from the usual start."""
    xy = torch.tensor([-1.2, 1.0], dtype=getattr(torch, dtype), requires_grad=True)
    opt = eval(f"optim.LBFGS([xy], {options})", {"optim": optim, "xy": xy})
    path = []

    def closure():
        opt.zero_grad()
        loss = (1 - xy[0]) ** 2 + 100 * (xy[1] - xy[0] ** 2) ** 2
        loss.backward()
        return loss

    for _ in range(6):
        opt.step(closure)
        path.append(entry(xy))
    state = opt.state_dict()["state"][0]
    return {"path": path, "evals": [state["func_evals"], state["n_iter"]]}


def main():
    work = json.load(sys.stdin)
    json.dump(
        {
            "optimizers": [optimizer(e) for e in work.get("optimizers", [])],
            "schedulers": [scheduler(*pair) for pair in work.get("schedulers", [])],
            "plateaus": [plateau(*pair) for pair in work.get("plateaus", [])],
            "lbfgs": [lbfgs(*pair) for pair in work.get("lbfgs", [])],
        },
        sys.stdout,
    )


main()
