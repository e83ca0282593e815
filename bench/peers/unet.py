"""The bundled model's U-Net in PyTorch, on weights in fluxion's names: training steps and deterministic denoising steps."""
import math
import time

from serve import serve, torch_greeting

greeting = torch_greeting()
if "absent" in greeting:
    serve(greeting, {})
    raise SystemExit

import torch
import torch.nn.functional as F
from gpt import read_safetensors

state = {}
FREQUENCIES = 128


def load(weights, config, threads):
    torch.set_num_threads(threads)
    parameters = {name: torch.nn.Parameter(x) for name, x in read_safetensors(weights).items()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0)
    state.update(w=parameters, config=config, optimizer=optimizer)
    return {"parameters": sum(p.numel() for p in parameters.values())}


def norm(x, name):
    return F.group_norm(x, state["config"]["norm_num_groups"], state["w"][f"{name}.weight"], state["w"][f"{name}.bias"])


def conv(x, name, stride=1):
    weight = state["w"][f"{name}.weight"]
    return F.conv2d(x, weight, state["w"][f"{name}.bias"], stride, weight.shape[-1] // 2)


def linear(x, name):
    return F.linear(x, state["w"][f"{name}.weight"], state["w"][f"{name}.bias"])


def block(x, condition, name):
    told = linear(F.silu(condition), f"{name}.emb_layers")[:, :, None, None]
    h = conv(F.silu(norm(x, f"{name}.norm1")), f"{name}.conv1") + told
    h = conv(F.silu(norm(h, f"{name}.norm2")), f"{name}.conv2")
    return (conv(x, f"{name}.conv_shortcut") if f"{name}.conv_shortcut.weight" in state["w"] else x) + h


def attend(x, name):
    batch, channels, height, width = x.shape
    heads, w = state["config"]["num_heads"], state["w"]
    pixels = norm(x, f"{name}.group_norm").flatten(2).transpose(1, 2)
    joint = pixels @ w[f"{name}.c_attn.weight"] + w[f"{name}.c_attn.bias"]
    q, k, v = (part.view(batch, height * width, heads, -1).transpose(1, 2) for part in joint.chunk(3, -1))
    mixed = (q @ k.transpose(-2, -1) / math.sqrt(channels // heads)).softmax(-1) @ v
    mixed = mixed.transpose(1, 2).reshape(batch, height * width, channels)
    out = mixed @ w[f"{name}.c_proj.weight"] + w[f"{name}.c_proj.bias"]
    return x + out.transpose(1, 2).view(x.shape)


def unet(x, times, labels):
    config = state["config"]
    levels, blocks = len(config["channel_mult"]), config["num_res_blocks"]
    angles = times[:, None] * 10000.0 ** (-torch.arange(FREQUENCIES // 2) / (FREQUENCIES // 2))
    condition = linear(torch.cat([angles.sin(), angles.cos()], 1), "time_embed.0")
    condition = linear(F.silu(condition), "time_embed.2") + state["w"]["label_emb.weight"][labels]
    x = conv(F.pixel_unshuffle(x, config["patch_size"]), "conv_in")
    skips = [x]
    for level in range(levels):
        for i in range(blocks):
            x = block(x, condition, f"down.{level}.block.{i}")
            if level in config["attention_levels"]:
                x = attend(x, f"down.{level}.attn.{i}")
            skips.append(x)
        if level + 1 < levels:
            x = conv(x, f"down.{level}.downsample", 2)
            skips.append(x)
    x = block(x, condition, "mid.block.0")
    x = block(attend(x, "mid.attn"), condition, "mid.block.1")
    for level in reversed(range(levels)):
        for i in range(blocks + 1):
            x = block(torch.cat([x, skips.pop()], 1), condition, f"up.{level}.block.{i}")
            if level in config["attention_levels"]:
                x = attend(x, f"up.{level}.attn.{i}")
        if level > 0:
            x = conv(F.interpolate(x, scale_factor=2), f"up.{level}.upsample")
    return F.pixel_shuffle(conv(F.silu(norm(x, "norm_out")), "conv_out"), config["patch_size"])


def inputs(x, target, times, labels, shape):
    return torch.tensor(x).view(shape), torch.tensor(target).view(shape), torch.tensor(times), torch.tensor(labels)


def train(steps, **batch):
    x, target, times, labels = inputs(**batch)
    losses = []
    start = time.perf_counter()
    for _ in range(steps):
        loss = F.mse_loss(unet(x, times, labels), target)
        state["optimizer"].zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state["w"].values(), 1)
        state["optimizer"].step()
        losses.append(loss.item())
    return {"losses": losses, "milliseconds": (time.perf_counter() - start) * 1e3}


@torch.no_grad()
def denoise(steps, start_level, end_level, **batch):
    """Predictions of v, each moved from one level (alpha, sigma) to the next as DDIM does."""
    x, _, times, labels = inputs(**batch)
    (a, s), (b, r) = start_level, end_level
    start = time.perf_counter()
    for _ in range(steps):
        v = unet(x, times, labels)
        moved = b * (a * x - s * v) + r * (s * x + a * v)
    milliseconds = (time.perf_counter() - start) * 1e3
    return {"sample": moved.flatten().tolist(), "milliseconds": milliseconds}


serve(greeting, {"load": load, "train": train, "denoise": denoise})
