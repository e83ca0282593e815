"""GPT in PyTorch, with nanoGPT's choices, over weights in GPT-2's names and layout (Conv1D: input x output).

One model serves training, cached decoding and the ONNX export. Biases exist where the weights have them.
"""
import json
import math
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F


def read_safetensors(path):
    """F32 tensors by name, without a leading `transformer.`."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}, expected F32"
        start, end = entry["data_offsets"]
        values = torch.frombuffer(data, dtype=torch.float32, offset=start, count=(end - start) // 4)
        tensors[name[len("transformer."):] if name.startswith("transformer.") else name] = values.view(entry["shape"]).clone()
    return tensors


class Norm(nn.Module):
    def __init__(self, tensors, name):
        super().__init__()
        self.weight = nn.Parameter(tensors[f"{name}.weight"])
        self.bias = nn.Parameter(tensors[f"{name}.bias"]) if f"{name}.bias" in tensors else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class Linear(nn.Module):
    """PyTorch keeps (output, input), so Conv1D's weight is transposed once."""

    def __init__(self, tensors, name):
        super().__init__()
        self.weight = nn.Parameter(tensors[f"{name}.weight"].t().contiguous())
        self.bias = nn.Parameter(tensors[f"{name}.bias"]) if f"{name}.bias" in tensors else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Block(nn.Module):
    def __init__(self, tensors, name, heads, gelu, mask):
        super().__init__()
        self.heads, self.gelu, self.mask = heads, gelu, mask
        self.norm1, self.norm2 = Norm(tensors, f"{name}.ln_1"), Norm(tensors, f"{name}.ln_2")
        self.qkv, self.projection = Linear(tensors, f"{name}.attn.c_attn"), Linear(tensors, f"{name}.attn.c_proj")
        self.expand, self.contract = Linear(tensors, f"{name}.mlp.c_fc"), Linear(tensors, f"{name}.mlp.c_proj")

    def forward(self, x, past=None):
        batch, time, width = x.shape
        split = self.qkv(self.norm1(x)).split(width, 2)
        q, k, v = (z.view(batch, time, self.heads, width // self.heads).transpose(1, 2) for z in split)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(width // self.heads))
        if past is None:
            scores = scores.masked_fill(self.mask[:time, :time], float("-inf"))
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, width)
        x = x + self.projection(mixed)
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate=self.gelu)), (k, v)


class GPT(nn.Module):
    """`gelu` is PyTorch's: "none" (exact, nanoGPT) or "tanh" (GPT-2). The head shares the token embedding."""

    def __init__(self, tensors, heads, gelu="none"):
        super().__init__()
        self.tokens, self.positions = nn.Parameter(tensors["wte.weight"]), nn.Parameter(tensors["wpe.weight"])
        self.block_size = self.positions.shape[0]
        mask = torch.triu(torch.ones(self.block_size, self.block_size, dtype=torch.bool), 1)
        layers = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("h."))
        self.blocks = nn.ModuleList(Block(tensors, f"h.{i}", heads, gelu, mask) for i in range(layers))
        self.norm = Norm(tensors, "ln_f")
        self.heads, self.width = heads, self.tokens.shape[1]

    def forward(self, ids):
        x = F.embedding(ids, self.tokens) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x, _ = block(x)
        return F.linear(self.norm(x), self.tokens)

    def loss(self, x, y):
        return F.cross_entropy(self(x).view(-1, self.tokens.shape[0]), y.view(-1))

    def step(self, ids, position, past):
        """One token: ids (1, 1), position (1), past (layer, 2) of (1, heads, t, head width)."""
        x, kept = F.embedding(ids, self.tokens) + F.embedding(position, self.positions), []
        for block, kv in zip(self.blocks, past):
            x, kv = block(x, kv)
            kept.append(kv)
        return F.linear(self.norm(x), self.tokens), kept

    def empty_past(self, length=0):
        shape = (1, self.heads, length, self.width // self.heads)
        return [(torch.zeros(shape), torch.zeros(shape)) for _ in self.blocks]


def optimizer_of(model, rate=1e-3):
    """nanoGPT's: decay on matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))


def train_step(model, optimizer, x, y, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = model.loss(x, y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


class FlatStep(nn.Module):
    """`step` with flat keys and values, as ONNX wants it."""

    def __init__(self, gpt):
        super().__init__()
        self.gpt = gpt

    def forward(self, ids, position, *past):
        logits, kept = self.gpt.step(ids, position, list(zip(past[0::2], past[1::2])))
        return (logits, *(z for kv in kept for z in kv))


def export(model, path):
    """One cached decoding step, its keys and values growing by one position."""
    past = [z for kv in model.empty_past(8) for z in kv]
    inputs = ["ids", "position", *(f"past{i}" for i in range(len(past)))]
    outputs = ["logits", *(f"next{i}" for i in range(len(past)))]
    torch.onnx.export(
        FlatStep(model),
        (torch.zeros(1, 1, dtype=torch.long), torch.tensor([8]), *past),
        path,
        input_names=inputs,
        output_names=outputs,
        opset_version=14,
        dynamic_axes={name: {2: "time"} for name in inputs[2:] + outputs[1:]},
    )


class FlatPrefill(nn.Module):
    """A prompt's keys and values, and the logits of its last position."""

    def __init__(self, gpt):
        super().__init__()
        self.gpt = gpt

    def forward(self, ids):
        gpt = self.gpt
        x, kept = F.embedding(ids, gpt.tokens) + gpt.positions[: ids.shape[1]], []
        for block in gpt.blocks:
            x, kv = block(x)
            kept.extend(kv)
        return (F.linear(gpt.norm(x[:, -1:]), gpt.tokens), *kept)


def export_prefill(model, path, length):
    """A prompt of a fixed length, which lets a runtime plan for it."""
    outputs = ["logits", *(f"next{i}" for i in range(2 * len(model.blocks)))]
    ids = torch.zeros(1, length, dtype=torch.long)
    torch.onnx.export(FlatPrefill(model), (ids,), path, input_names=["ids"], output_names=outputs, opset_version=14)
