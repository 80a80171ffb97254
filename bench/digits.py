"""Trains an MLP on scikit-learn's handwritten digits, in eager PyTorch: what notebooks/digits.rhai does,
line for line, without its progress bar and its picture.

    digits.py path/to/digits.csv.gz
"""

import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

EPOCHS = 40
BATCH_SIZE = 64

torch.manual_seed(0)
table = torch.from_numpy(np.loadtxt(sys.argv[1], delimiter=",", dtype=np.float32))
images = table[:, 0:64] / 16
digits = table[:, 64].long()
dataset = TensorDataset(images, digits)
parts = random_split(dataset, [0.8, 0.2], generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(parts[0], batch_size=BATCH_SIZE, shuffle=True)
test_loader = DataLoader(parts[1], batch_size=512)


def make_model():
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def accuracy(model, loader):
    model.eval()
    right = 0
    total = 0
    with torch.no_grad():
        for x, y in loader:
            guess = model(x).argmax(dim=1)
            right += (guess == y).sum().item()
            total += len(guess)
    return right / total


def train(model):
    optimizer = optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.01)
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.01, total_steps=EPOCHS * len(train_loader)
    )
    losses = []
    for _ in range(EPOCHS):
        model.train()
        total = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
            total += loss.item()
    return losses


model = make_model()
train(model)
reached = accuracy(model, test_loader)
print(f"test accuracy: {100 * reached:.2f} %")

os.makedirs("runs/digits", exist_ok=True)
path = "runs/digits/model.safetensors"
save_file(model.state_dict(), path)
reloaded = make_model()
reloaded.load_state_dict(load_file(path))
assert accuracy(reloaded, test_loader) == reached
assert reached >= 0.97
