"""Nanoseconds per training step of a small MLP, ten times: what step.rhai does."""

import time

import torch
import torch.nn.functional as F
from torch import nn, optim

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = optim.AdamW(model.parameters(), lr=1e-3)
x = torch.randn(32, 64)
y = torch.randint(10, (32,))


def train(model, optimizer, x, y, n):
    loss = None
    start = time.perf_counter()
    for _ in range(n):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / n * 1e9, loss.item()


train(model, optimizer, x, y, 200)
for _ in range(10):
    step, loss = train(model, optimizer, x, y, 200)
    print("step", step)
print("loss", loss)
