"""Records test/golden/torch_models.safetensors: logits, loss and gradients of a tiny GPT-2 and a tiny Llama.

Both are written here in plain PyTorch from the papers and the configuration fields' meaning, in float64; the weights are float32 numbers,
so that every engine holds exactly the same model. Run once, with any PyTorch: python3 test/golden/torch_models.py
"""
import json
import math
import os
import struct

import torch

torch.manual_seed(20)
F = torch.nn.functional
IDS = torch.tensor([[1, 4, 0, 12, 7, 7], [3, 9, 2, 2, 11, 5]])
TARGETS = torch.tensor([[4, 0, 12, 7, 7, 2], [9, 2, 2, 11, 5, 10]])
VOCABULARY, POSITIONS = 13, 8


def weights(shapes):
    return {name: (0.4 * torch.randn(shape)).float().double().requires_grad_() for name, shape in shapes.items()}


def causal(scores):
    time = scores.shape[-1]
    return scores.masked_fill(torch.triu(torch.ones(time, time, dtype=torch.bool), 1), -math.inf)


def heads_of(x, heads):
    batch, time, width = x.shape
    return x.view(batch, time, heads, width // heads).transpose(1, 2)


def attend(q, k, v):
    weights = causal(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    out = (weights @ v).transpose(1, 2)
    return out.reshape(out.shape[0], out.shape[1], -1)


def gpt2(width=8, heads=2, layers=2):
    shapes = {'wte.weight': (VOCABULARY, width), 'wpe.weight': (POSITIONS, width), 'ln_f.weight': (width,), 'ln_f.bias': (width,)}
    for i in range(layers):
        for name, shape in [
            ('ln_1.weight', (width,)), ('ln_1.bias', (width,)), ('ln_2.weight', (width,)), ('ln_2.bias', (width,)),
            ('attn.c_attn.weight', (width, 3 * width)), ('attn.c_attn.bias', (3 * width,)),
            ('attn.c_proj.weight', (width, width)), ('attn.c_proj.bias', (width,)),
            ('mlp.c_fc.weight', (width, 4 * width)), ('mlp.c_fc.bias', (4 * width,)),
            ('mlp.c_proj.weight', (4 * width, width)), ('mlp.c_proj.bias', (width,)),
        ]:
            shapes[f'h.{i}.{name}'] = shape
    p = weights(shapes)

    def norm(x, name):
        return F.layer_norm(x, (width,), p[f'{name}.weight'], p[f'{name}.bias'], 1e-5)

    def conv1d(x, name):
        return x @ p[f'{name}.weight'] + p[f'{name}.bias']

    def gelu_new(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    x = p['wte.weight'][IDS] + p['wpe.weight'][: IDS.shape[1]]
    for i in range(layers):
        q, k, v = conv1d(norm(x, f'h.{i}.ln_1'), f'h.{i}.attn.c_attn').split(width, -1)
        x = x + conv1d(attend(*(heads_of(y, heads) for y in (q, k, v))), f'h.{i}.attn.c_proj')
        x = x + conv1d(gelu_new(conv1d(norm(x, f'h.{i}.ln_2'), f'h.{i}.mlp.c_fc')), f'h.{i}.mlp.c_proj')
    return p, norm(x, 'ln_f') @ p['wte.weight'].T


def llama(width=16, heads=4, key_value_heads=2, inner=12, layers=2, theta=10000.0, epsilon=1e-5):
    head = width // heads
    shapes = {'model.embed_tokens.weight': (VOCABULARY, width), 'model.norm.weight': (width,), 'lm_head.weight': (VOCABULARY, width)}
    for i in range(layers):
        for name, shape in [
            ('input_layernorm.weight', (width,)), ('post_attention_layernorm.weight', (width,)),
            ('self_attn.q_proj.weight', (heads * head, width)), ('self_attn.k_proj.weight', (key_value_heads * head, width)),
            ('self_attn.v_proj.weight', (key_value_heads * head, width)), ('self_attn.o_proj.weight', (width, heads * head)),
            ('mlp.gate_proj.weight', (inner, width)), ('mlp.up_proj.weight', (inner, width)), ('mlp.down_proj.weight', (width, inner)),
        ]:
            shapes[f'model.layers.{i}.{name}'] = shape
    p = weights(shapes)

    def norm(x, name):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * p[f'{name}.weight']

    def rotary(x):
        frequency = theta ** (-torch.arange(0, head, 2).double() / head)
        angle = torch.arange(x.shape[2]).double()[:, None] * frequency
        cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
        first, second = x.split(head // 2, -1)
        return x * cos + torch.cat([-second, first], -1) * sin

    x = p['model.embed_tokens.weight'][IDS]
    for i in range(layers):
        at = f'model.layers.{i}'
        y = norm(x, f'{at}.input_layernorm')
        q = rotary(heads_of(y @ p[f'{at}.self_attn.q_proj.weight'].T, heads))
        k = rotary(heads_of(y @ p[f'{at}.self_attn.k_proj.weight'].T, key_value_heads))
        v = heads_of(y @ p[f'{at}.self_attn.v_proj.weight'].T, key_value_heads)
        k, v = (z.repeat_interleave(heads // key_value_heads, 1) for z in (k, v))
        x = x + attend(q, k, v) @ p[f'{at}.self_attn.o_proj.weight'].T
        y = norm(x, f'{at}.post_attention_layernorm')
        gate, up = y @ p[f'{at}.mlp.gate_proj.weight'].T, y @ p[f'{at}.mlp.up_proj.weight'].T
        x = x + (F.silu(gate) * up) @ p[f'{at}.mlp.down_proj.weight'].T
    return p, norm(x, 'model.norm') @ p['lm_head.weight'].T


def safetensors(tensors):
    header, data = {}, b''
    for name, x in tensors.items():
        values = x.detach().flatten().tolist()
        kind, code = ('F64', 'd') if x.dtype == torch.float64 else ('F32', 'f')
        bytes_ = struct.pack(f'<{len(values)}{code}', *values)
        header[name] = {'dtype': kind, 'shape': list(x.shape), 'data_offsets': [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + data


wide, narrow = {}, {}
for name, (p, logits) in {'gpt2': gpt2(), 'llama': llama()}.items():
    loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), TARGETS.reshape(-1))
    loss.backward()
    wide[f'{name}/logits'] = logits
    wide[f'{name}/loss'] = loss
    for path, x in p.items():
        narrow[f'{name}/parameters/{path}'] = x.float()
        wide[f'{name}/gradient/{path}'] = x.grad

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'torch_models.safetensors')
with open(path, 'wb') as file:
    file.write(safetensors({**wide, **narrow}))
