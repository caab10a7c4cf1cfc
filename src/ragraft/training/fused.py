"""Layers of a network with fewer passes over memory: the same functions, one autograd node each. Knows tensors only.

A small model on a CPU spends a third of its step on moving activations. PEFT's LoRA layer under autocast casts, scales
and adds whole activations; the products can be accumulated where they are made instead. A norm keeps its input and one
number a row, not three copies.
"""

from __future__ import annotations

from typing import Any

import torch

from ragraft.training.objective import widened

NORMS = ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm", "SmolLM3RMSNorm")


def fuse_layers(network: Any) -> int:
    """Replace the forward of every layer that one of these is equal to; returns how many were."""
    found = 0
    for module in network.modules():
        for fits, forward in ((_is_plain_lora, _lora_forward), (_is_plain_norm, _norm_forward)):
            if fits(module):
                module.forward = forward(module)
                found += 1
    return found


def _narrow(tensor: torch.Tensor) -> torch.dtype:
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


def _is_plain_lora(module: Any) -> bool:
    """A PEFT LoRA layer with one adapter over a plain linear layer; no dropout, no DoRA, no quantized weights."""
    from peft.tuners.lora import Linear as LoraLinear

    if type(module) is not LoraLinear or type(module.base_layer) is not torch.nn.Linear or module.fan_in_fan_out:
        return False
    one = len(module.active_adapters) == 1 and len(module.lora_A) == 1
    if not one or module.merged or module.disable_adapters:
        return False
    name = module.active_adapters[0]
    bare = isinstance(module.lora_dropout[name], torch.nn.Identity) and not module.lora_bias[name]
    return bare and not module.lora_variant.get(name)


def _lora_forward(module: Any) -> Any:
    name = module.active_adapters[0]
    base, down, up = module.base_layer, module.lora_A[name], module.lora_B[name]
    scale = float(module.scaling[name])

    def forward(x: torch.Tensor) -> torch.Tensor:
        narrow = _narrow(x)
        y: torch.Tensor = _Lora.apply(x.to(narrow), base.weight.to(narrow), down.weight, up.weight, scale)
        return y if base.bias is None else y + base.bias.to(narrow)

    return forward


class _Lora(torch.autograd.Function):
    """x Wᵀ + s (x Aᵀ) Bᵀ with W frozen (Hu et al. 2021, 2106.09685, section 4.1)."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, down: Any, up: Any, scale: float) -> Any:  # noqa: PLR0917
        rows = x.flatten(0, -2)
        narrow_down, narrow_up = down.to(x.dtype), up.to(x.dtype)
        inner = rows @ narrow_down.T
        y = (rows @ weight.T).addmm_(inner, narrow_up.T, alpha=scale)
        ctx.save_for_backward(rows, weight, narrow_down, narrow_up, inner)
        ctx.scale, ctx.kinds = scale, (down.dtype, up.dtype)
        return y.unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, slope: Any) -> Any:
        rows, weight, down, up, inner = ctx.saved_tensors
        slopes = slope.flatten(0, -2)
        through = (slopes @ up).mul_(ctx.scale)
        grad_up = (slopes.T @ inner).to(ctx.kinds[1]).mul_(ctx.scale)
        grad_down = (through.T @ rows).to(ctx.kinds[0])
        grad = None
        if ctx.needs_input_grad[0]:
            grad = (slopes @ weight).addmm_(through, down).unflatten(0, slope.shape[:-1])
        return grad, None, grad_down, grad_up, None


def _is_plain_norm(module: Any) -> bool:
    """Llama's RMSNorm: computed in float32, narrowed, then scaled; its copies in other models carry the same name."""
    return type(module).__name__ in NORMS and hasattr(module, "variance_epsilon") and not module.weight.requires_grad


def _norm_forward(module: Any) -> Any:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = _Norm.apply(x, module.weight, module.variance_epsilon)
        return y

    return forward


class _Norm(torch.autograd.Function):
    """w · x / rms(x) with w frozen (Zhang and Sennrich 2019, 1910.07467, section 3)."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, epsilon: float) -> Any:
        wide = widened(x)
        inverse = wide.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return weight * (wide * inverse).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, slope: Any) -> Any:
        x, weight, inverse = ctx.saved_tensors
        wide = widened(slope * weight)
        unit = widened(x) * inverse
        projected = (wide * unit).mean(-1, keepdim=True)
        return (wide - unit.mul_(projected)).mul_(inverse).to(x.dtype), None, None
