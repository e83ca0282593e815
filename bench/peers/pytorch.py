"""PyTorch as a peer: training steps, cached greedy decoding, logits, ONNX export, on weights that the asking side wrote."""
import time

from serve import serve, torch_greeting

greeting = torch_greeting()
if "absent" in greeting:
    serve(greeting, {})
    raise SystemExit

import torch
from gpt import GPT, export, export_prefill, optimizer_of, read_safetensors, train_step

state = {}


def load(weights, heads, gelu="none", threads=1):
    torch.set_num_threads(threads)
    model = GPT(read_safetensors(weights), heads, gelu)
    state.update(model=model, optimizer=optimizer_of(model))
    return {"parameters": sum(p.numel() for p in model.parameters())}


def train(x, y, rate):
    """Steps over batches x, y (steps, batch, block); the clock covers what a training loop does with ready batches."""
    x, y = torch.tensor(x), torch.tensor(y)
    start = time.perf_counter()
    losses = [train_step(state["model"], state["optimizer"], a, b, rate) for a, b in zip(x, y)]
    return {"losses": losses, "milliseconds": (time.perf_counter() - start) * 1e3}


@torch.no_grad()
def logits(ids):
    return {"logits": state["model"](torch.tensor([ids]))[0].flatten().tolist()}


@torch.no_grad()
def decode(prompt, count):
    """Feeds the prompt token by token, then times `count` greedy steps."""
    model = state["model"].eval()
    past, chosen = model.empty_past(), []
    for position, token in enumerate(prompt):
        row, past = model.step(torch.tensor([[token]]), torch.tensor([position]), past)
    start = time.perf_counter()
    for position in range(len(prompt), len(prompt) + count):
        chosen.append(int(row[0, -1].argmax()))
        row, past = model.step(torch.tensor([[chosen[-1]]]), torch.tensor([position]), past)
    return {"ids": chosen, "milliseconds": (time.perf_counter() - start) * 1e3, "logits": row.flatten().tolist()}


def to_onnx(out):
    export(state["model"].eval(), out)
    return {"out": out}


def prefill_to_onnx(out, length):
    with torch.no_grad():
        export_prefill(state["model"].eval(), out, length)
    return {"out": out}


serve(greeting, {"load": load, "train": train, "logits": logits, "decode": decode, "export": to_onnx, "exportPrefill": prefill_to_onnx})
