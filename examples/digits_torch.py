"""Train an LSTM of PyTorch that reads handwritten digits row by row, and watch its gates.

python examples/digits_torch.py
python examples/digits_torch.py --data digits.npz --epochs 3
"""

from __future__ import annotations

import argparse

import digits_data
import torch
from torch import nn

from lstm_probe.callbacks import TorchProbe


class Reader(nn.Module):
    """Reads a digit from its first row of pixels to its last, and says which one it is."""

    def __init__(self, columns: int, units: int) -> None:
        super().__init__()
        self.reader = nn.LSTM(columns, units, batch_first=True)
        self.drop, self.digit = nn.Dropout(0.2), nn.Linear(units, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        states, _ = self.reader(rows)
        scores: torch.Tensor = self.digit(self.drop(states[:, -1]))
        return scores


def main() -> None:
    options = parse_options()
    torch.manual_seed(options.seed)
    digits = digits_data.load(options.data)
    rows, columns = digits.x_train.shape[1:]
    print(f"{digits.name}: {len(digits.x_train)} digits to train on, {rows} rows of {columns}")
    x, y = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
    x_test, y_test = torch.from_numpy(digits.x_test), torch.from_numpy(digits.y_test)

    model = Reader(columns, options.units)
    optimizer = torch.optim.Adam(model.parameters(), 0.002)

    with TorchProbe(
        model, x_test[:1], options.log_dir, optimizer=optimizer, every=options.every
    ) as probe:
        for epoch in range(1, options.epochs + 1):
            model.train()
            for batch in torch.randperm(len(x)).split(options.batch_size):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
            print(f"epoch {epoch}: loss {loss.item():.3f}")

    model.eval()
    with torch.no_grad():
        right = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"\nAccuracy on {len(x_test)} digits never seen: {right:.1%}\n")
    print(probe.report)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="sklearn", help="sklearn, or an .npz file (default: sklearn)")
    add("--log-dir", default="logs/digits_torch", help="where the logs go")
    add("--every", type=int, default=20, help="steps between captures (default: 20)")
    add("--units", type=int, default=128, help="units of the LSTM (default: 128)")
    add("--epochs", type=int, default=10, help="rounds over the data (default: 10)")
    add("--batch-size", type=int, default=32, help="digits per training step (default: 32)")
    add("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
