"""One of the processes of a distributed training; test_torch_distribution.py starts them.

python torch_worker.py LOG_DIR KIND, under torchrun. KIND is `ddp`, `ddp without`, `fsdp1`, `fsdp2`
or `early`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lstm_probe.callbacks import TorchProbe
from lstm_probe.core.errors import LstmProbeError


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.memory = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.3)
        self.head = nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(self.norm(x))[0][:, -1])


def main(log_dir: str, kind: str) -> None:
    if kind == "early":  # before the processes know each other
        probe = TorchProbe(Model(), torch.ones(2, 5, 3), log_dir)
        say(f"rank {os.environ['RANK']} captured {probe.report.captured}")
        probe.close()
        return
    dist.init_process_group("gloo")
    torch.manual_seed(3)
    if kind.startswith("fsdp"):
        say(f"rank {dist.get_rank()} refused {_refused(kind, log_dir)}")
    else:
        model = DistributedDataParallel(Model())
        say(f"rank {dist.get_rank()} {_trained(model, log_dir, kind)}")
    dist.destroy_process_group()


def say(line: str) -> None:
    """One line in one piece: two processes write to the same place."""
    os.write(1, f"{line}\n".encode())


def _trained(model: nn.Module, log_dir: str, kind: str) -> str:
    rank = dist.get_rank()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(rank)
    enabled = kind == "ddp"
    x = torch.ones(2, 5, 3)
    with TorchProbe(
        model, x, log_dir, optimizer=optimizer, every=2, max_overhead=None, enabled=enabled
    ) as probe:
        for _ in range(6):
            optimizer.zero_grad()
            model(torch.randn(4, 5, 3, generator=generator)).square().mean().backward()
            optimizer.step()
    left = [*model.parameters(), *model.buffers(), torch.get_rng_state()]
    state = hashlib.sha256(b"".join(each.detach().numpy().tobytes() for each in left)).hexdigest()
    layers = ",".join(probe.analyses)
    return f"captured {probe.report.captured} layers {layers or 'none'} state {state}"


def _refused(kind: str, log_dir: str) -> bool:
    from torch.distributed import fsdp

    model = Model()
    if kind == "fsdp1":
        model = fsdp.FullyShardedDataParallel(model, device_id=torch.device("cpu"))
    else:
        fsdp.fully_shard(model)
    try:
        TorchProbe(model, torch.ones(2, 5, 3), log_dir)
    except LstmProbeError as error:
        return "spread over several processes" in str(error) and "lstm-probe replay" in str(error)
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    # PyTorch's own threads may abort a process while it ends, with the probe and without it.
    os._exit(0)
