"""Trains an MLP on scikit-learn's handwritten digits: what notebooks/digits.rhai does, without its
progress bar and its picture."""

import os
import pathlib
import sysconfig
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 30
BATCH = 32

torch.manual_seed(0)
site = pathlib.Path(sysconfig.get_paths()["purelib"])
table = np.loadtxt(site / "sklearn/datasets/data/digits.csv.gz", delimiter=",", dtype=np.float32)
x = torch.from_numpy(table[:, :64]) / 16
y = torch.from_numpy(table[:, 64]).long()
order = torch.randperm(len(x))
held = len(x) // 5
test, train = order[:held], order[held:]


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def accuracy(model):
    with torch.no_grad():
        return (model(x[test]).argmax(dim=1) == y[test]).float().mean().item()


def fit(model):
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=BATCH, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=EPOCHS * len(loader))
    for _ in range(EPOCHS):
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


model = mlp()
fit(model)
reached = accuracy(model)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "digits.safetensors")
    save_file(model.state_dict(), path)
    again = mlp()
    again.load_state_dict(load_file(path))
    assert accuracy(again) == reached
print(f"test accuracy {reached:.4f}")
