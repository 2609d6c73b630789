"""Train an LSTM that writes like Python's own manual, with Lightning, and watch its gates.

The text is real English that ships with Python: what `help("topics")` shows.

python examples/char_lightning.py
"""

from __future__ import annotations

import argparse
from pydoc_data.topics import topics

import lightning.pytorch as pl
import torch
from torch import nn

from lstm_probe.callbacks.lightning import ProbeCallback

CHARACTERS = "".join(sorted({c for text in topics.values() for c in text if c.isascii()}))


class Writer(pl.LightningModule):
    """Tells of each character in a text which one comes next."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(len(CHARACTERS), 16)
        self.memory = nn.LSTM(16, units, batch_first=True)
        self.next = nn.Linear(units, len(CHARACTERS))
        self.losses: list[float] = []

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.next(self.memory(self.characters(text))[0])
        return scores

    def training_step(self, batch: tuple[torch.Tensor], index: int) -> torch.Tensor:
        (text,) = batch
        scores = self(text[:, :-1])
        loss = nn.functional.cross_entropy(scores.transpose(1, 2), text[:, 1:])
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.005)


def main() -> None:
    options = parse_options()
    pl.seed_everything(options.seed, verbose=False)
    text = encoded("".join(topics[name] for name in sorted(topics)))
    pieces = text[: len(text) // 65 * 65].reshape(-1, 65)
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(pieces), batch_size=32, shuffle=True
    )
    print(f"{len(text)} characters of Python's manual, {len(CHARACTERS)} different ones")

    sentence = "The following statement imports a module: import sys"
    probe = ProbeCallback(
        encoded(sentence)[None], options.log_dir, every=options.every, labels=sentence
    )
    model = Writer(options.units)
    trainer = pl.Trainer(
        max_steps=options.steps, callbacks=[probe], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_model_summary=False,
        enable_progress_bar=options.progress,
    )  # fmt: skip
    trainer.fit(model, data)

    first, last = (sum(part) / len(part) for part in (model.losses[:20], model.losses[-20:]))
    print(f"\nLoss of the first 20 steps: {first:.2f}, of the last 20: {last:.2f}\n")
    print(probe.report)


def encoded(text: str) -> torch.Tensor:
    """A text as numbers of its characters; others than those of `CHARACTERS` are left out."""
    numbers = {character: number for number, character in enumerate(CHARACTERS)}
    return torch.tensor([numbers[character] for character in text if character in numbers])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--log-dir", default="logs/characters", help="where the logs go")
    add("--every", type=int, default=25, help="steps between captures (default: 25)")
    add("--steps", type=int, default=300, help="training steps (default: 300)")
    add("--units", type=int, default=64, help="units of the LSTM (default: 64)")
    add("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    add("--progress", action="store_true", help="show Lightning's progress bar")
    return parser.parse_args()


if __name__ == "__main__":
    main()
