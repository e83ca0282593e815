"""nanoGPT's CPU configuration trained in PyTorch and scored on all of the validation text; about 100 s a seed on one core."""
import math

from serve import serve, torch_greeting

greeting = torch_greeting()
if "absent" in greeting:
    serve(greeting, {})
    raise SystemExit

import torch
from gpt import GPT, optimizer_of, train_step

WIDTH, HEADS, LAYERS, BLOCK, BATCH, STEPS = 128, 4, 4, 64, 12, 2000


def fresh(vocabulary):
    def normal(*shape, deviation=0.02):
        return torch.randn(*shape) * deviation

    tensors = {"wte.weight": normal(vocabulary, WIDTH), "wpe.weight": normal(BLOCK, WIDTH), "ln_f.weight": torch.ones(WIDTH)}
    small = 0.02 / math.sqrt(2 * LAYERS)
    for i in range(LAYERS):
        tensors[f"h.{i}.ln_1.weight"] = torch.ones(WIDTH)
        tensors[f"h.{i}.ln_2.weight"] = torch.ones(WIDTH)
        tensors[f"h.{i}.attn.c_attn.weight"] = normal(WIDTH, 3 * WIDTH)
        tensors[f"h.{i}.attn.c_proj.weight"] = normal(WIDTH, WIDTH, deviation=small)
        tensors[f"h.{i}.mlp.c_fc.weight"] = normal(WIDTH, 4 * WIDTH)
        tensors[f"h.{i}.mlp.c_proj.weight"] = normal(4 * WIDTH, WIDTH, deviation=small)
    return tensors


def rate(step):
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (STEPS - 100))) * 9e-4


def train(corpus, seed):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    text = open(corpus, encoding="utf8").read()
    index = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([index[c] for c in text])
    cut = int(0.9 * len(ids))
    training, validation = ids[:cut], ids[cut:]
    model = GPT(fresh(len(index)), HEADS)
    optimizer = optimizer_of(model)
    for step in range(STEPS):
        at = torch.randint(len(training) - BLOCK, (BATCH,))
        x = torch.stack([training[i : i + BLOCK] for i in at])
        y = torch.stack([training[i + 1 : i + 1 + BLOCK] for i in at])
        train_step(model, optimizer, x, y, rate(step))
    windows = (len(validation) - 1) // BLOCK
    x = validation[: windows * BLOCK].view(-1, BLOCK)
    y = validation[1 : windows * BLOCK + 1].view(-1, BLOCK)
    with torch.no_grad():
        total = sum(model.loss(a, b).item() * len(a) for a, b in zip(x.split(256), y.split(256)))
    return {"loss": total / windows}


serve(greeting, {"train": train})
