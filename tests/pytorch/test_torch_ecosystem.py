"""What trains on PyTorch runs with one line more: Lightning, the HF Trainer, forecasts, RL.

`make test-torch` installs all of it; here, what is not installed is left out.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from event_reading import captured_steps
from processors import in_bfloat16
from torch import nn

from lstm_probe.callbacks import TorchProbe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.reader import RunReader

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # of the packages themselves

X = torch.randn(64, 6, 3, generator=torch.Generator().manual_seed(2))
Y = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
TAG = "memory/l0/parity/max_abs_error"


def steps_in(log_dir: Path, tag: str = TAG) -> list[int]:
    return sorted(set(captured_steps(log_dir, tag)))


# Lightning


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def probe_class(pl: Any) -> Any:
    """The callback, for the package that is in use: in a program there is only one."""
    from lstm_probe.callbacks import lightning

    base = lightning.Callback
    assert issubclass(base, pl.Callback) or base.__mro__[1].__name__ == "Callback"
    return lightning.ProbeCallback


def module(pl: Any, **options: Any) -> Any:
    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.memory = nn.LSTM(3, 8, 2, batch_first=True, dropout=0.2)
            self.head = nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.memory(x)[0][:, -1])

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            loss = nn.functional.mse_loss(self(x), y)
            self.log("loss", loss)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            x, y = batch
            self.log("val_loss", nn.functional.mse_loss(self(x), y))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 0.01)

    return Module()


def loader(batch: int = 8) -> Any:
    data = torch.utils.data.TensorDataset(X, Y)
    return torch.utils.data.DataLoader(data, batch_size=batch)


def trainer(pl: Any, folder: Path, *callbacks: Any, **options: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return pl.Trainer(
        default_root_dir=folder, callbacks=list(callbacks), **{"max_epochs": 2, **quiet, **options}
    )


def test_lightning_captures_under_its_own_steps_in_its_own_directory(
    pl: Any, tmp_path: Path
) -> None:
    probe = probe_class(pl)(X[:2], every=3, analyses=["ablation"])
    own = trainer(pl, tmp_path, probe, accumulate_grad_batches=2)
    own.fit(module(pl), loader(), loader())
    assert own.global_step == 8
    log_dir = Path(own.log_dir or tmp_path)
    assert steps_in(log_dir) == [0, 3, 6, 8]
    assert "lightning_logs" in str(log_dir)
    assert probe.analyses["memory/l1"].snapshot.epoch == 2
    assert "ablation" in probe.explained["memory/l1"].findings
    points = RunReader(log_dir / "lstm_probe").course
    assert "loss" in points[1].training
    assert "val_loss" in points[-1].training


def test_a_training_of_lightning_is_not_changed(pl: Any, tmp_path: Path) -> None:
    states = []
    for callbacks in ([], [probe_class(pl)(X[:2], every=1, max_overhead=None)]):
        own = module(pl)
        pl.seed_everything(5, verbose=False)
        trainer(pl, tmp_path, *callbacks, logger=False).fit(own, loader(), loader())
        states.append([p.detach().numpy().tobytes() for p in own.parameters()])
    assert states[0] == states[1]
    assert len(steps_in(tmp_path)) == 17


@pytest.mark.parametrize(
    ("precision", "verdict"),
    [("bf16-mixed", "reduced precision (bfloat16)"), ("bf16-true", "match"), ("64-true", "match")],
)
def test_the_precision_of_lightning_is_that_of_the_capture(
    pl: Any, precision: str, verdict: str, tmp_path: Path
) -> None:
    probe = probe_class(pl)(X[:2], tmp_path, every=4)
    with in_bfloat16() if precision == "bf16-mixed" else nullcontext():
        trainer(pl, tmp_path, probe, precision=precision).fit(module(pl), loader())
    found = [each.parity for each in probe.analyses.values()]
    assert [str(each.verdict) for each in found if each is not None] == [verdict] * 2


def test_a_resumed_training_of_lightning_continues_the_log(pl: Any, tmp_path: Path) -> None:
    first = trainer(pl, tmp_path, probe_class(pl)(X[:2], tmp_path, every=4))
    first.fit(module(pl), loader())
    first.save_checkpoint(tmp_path / "last.ckpt")
    again = trainer(pl, tmp_path, probe_class(pl)(X[:2], tmp_path, every=4), max_epochs=3)
    again.fit(module(pl), loader(), ckpt_path=tmp_path / "last.ckpt")
    assert steps_in(tmp_path) == [0, 4, 8, 12, 16, 20, 24]
    assert not (tmp_path / "lstm_probe_2").exists()


def test_lightning_stops_when_an_alert_asks_for_it(pl: Any, tmp_path: Path) -> None:
    class Breaking(pl.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
            if trainer.global_step == 3:
                with torch.no_grad():
                    module.memory.weight_hh_l0.fill_(torch.nan)

    probe = probe_class(pl)(X[:2], tmp_path, every=1, on_alert="stop")
    own = trainer(pl, tmp_path, Breaking(), probe, max_epochs=20)
    own.fit(module(pl), loader())
    assert own.global_step < 20


def test_what_lightning_cannot_probe_is_refused_before_the_first_step(
    pl: Any, tmp_path: Path
) -> None:
    own = trainer(pl, tmp_path, probe_class(pl)(X[:2, :, :1], tmp_path))
    with pytest.raises(LstmProbeError, match="does not take the probe"):
        own.fit(module(pl), loader())
    assert own.global_step == 0
    off = trainer(pl, tmp_path, probe_class(pl)(None, tmp_path, enabled=False))
    off.fit(module(pl), loader())
    assert not list(tmp_path.glob("lstm_probe*"))


DDP = """
    import sys
    sys.path[:0] = {paths}
    import lightning.pytorch as pl, torch
    from test_torch_ecosystem import X, loader, module, trainer
    from lstm_probe.callbacks.lightning import ProbeCallback
    probe = ProbeCallback(X[:2], sys.argv[1], every=2)
    options = dict(accelerator="cpu", devices=2, strategy="ddp")
    trainer(pl, sys.argv[1], probe, **options).fit(module(pl), loader())
    print(torch.distributed.get_rank(), probe.report.captured, flush=True)
"""


def test_rank_zero_of_lightning_captures(tmp_path: Path) -> None:
    pytest.importorskip("lightning.pytorch")
    script = tmp_path / "ddp.py"
    here = Path(__file__).parent
    script.write_text(textwrap.dedent(DDP.format(paths=[str(here), str(here.parent)])))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 5" in done.stdout
    assert steps_in(tmp_path) == [0, 2, 4, 6, 8]


# The Trainer of transformers


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.words, self.memory = nn.Embedding(50, 8), nn.GRU(8, 16, batch_first=True, dropout=0.0)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(16, 2)

    def forward(self, input_ids: Any, labels: Any = None) -> Any:
        logits = self.head(self.drop(self.memory(self.words(input_ids))[0][:, -1]))
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def sentences() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [
        {"input_ids": torch.tensor(rng.integers(0, 50, 12)), "labels": int(rng.integers(2))}
        for _ in range(64)
    ]


def hf_trained(folder: Path, *callbacks: Any, resume: bool = False, **options: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    arguments = transformers.TrainingArguments(
        str(folder), **{"num_train_epochs": 2, **options}, per_device_train_batch_size=8,
        report_to="none", save_steps=8, use_cpu=True, disable_tqdm=True, seed=5,
    )  # fmt: skip
    own = transformers.Trainer(
        Classifier(), arguments, train_dataset=sentences(), callbacks=list(callbacks)
    )
    own.train(resume_from_checkpoint=resume or None)
    return own


def hf_probe(**options: Any) -> Any:
    pytest.importorskip("transformers")
    from lstm_probe.callbacks.huggingface import ProbeCallback

    return ProbeCallback({"input_ids": sentences()[0]["input_ids"][None]}, **options)


def test_the_hf_trainer_captures_under_its_own_steps_and_goes_on_when_resumed(
    tmp_path: Path,
) -> None:
    probe = hf_probe(every=3)
    hf_trained(tmp_path, probe, gradient_accumulation_steps=2)
    assert steps_in(tmp_path / "runs") == [0, 3, 6, 8]
    assert probe.analyses["memory/l0"].snapshot.epoch == 2
    hf_trained(
        tmp_path, hf_probe(every=3), gradient_accumulation_steps=2, num_train_epochs=3, resume=True
    )
    assert steps_in(tmp_path / "runs") == [0, 3, 6, 8, 9, 12]
    assert not (tmp_path / "runs" / "lstm_probe_2").exists()


def test_a_training_of_the_hf_trainer_is_not_changed(tmp_path: Path) -> None:
    states = []
    for callbacks in ([], [hf_probe(every=1, max_overhead=None)]):
        own = hf_trained(tmp_path, *callbacks)
        states.append([p.detach().numpy().tobytes() for p in own.model.parameters()])
    assert states[0] == states[1]


def test_autocast_of_the_hf_trainer_is_a_reduced_precision(tmp_path: Path) -> None:
    probe = hf_probe(every=8)
    hf_trained(tmp_path, probe, bf16=True)
    parity = probe.analyses["memory/l0"].parity
    assert str(parity.verdict) == "reduced precision (bfloat16)"


def test_what_the_hf_trainer_cannot_probe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LstmProbeError, match="no module of that name"):
        hf_trained(tmp_path, hf_probe(layers=["encoder"]))


# What others have built on PyTorch and Lightning


def test_an_lstm_of_neuralforecast_is_probed_by_one_line(tmp_path: Path) -> None:
    neuralforecast = pytest.importorskip("neuralforecast")
    from neuralforecast.models import LSTM
    from neuralforecast.utils import AirPassengersDF

    from lstm_probe.callbacks.lightning import ProbeCallback

    probe = ProbeCallback(torch.randn(1, 24, 1), tmp_path, every=5, at="layer", max_overhead=None)
    model = LSTM(
        h=12, input_size=24, max_steps=12, encoder_hidden_size=16, accelerator="cpu",
        callbacks=[probe], enable_progress_bar=False, logger=False, enable_model_summary=False,
    )  # fmt: skip
    neuralforecast.NeuralForecast(models=[model], freq="ME").fit(df=AirPassengersDF)
    assert steps_in(tmp_path, "hist_encoder/l0/parity/max_abs_error") == [0, 5, 10, 12]


def test_an_lstm_of_darts_is_probed_by_one_line(tmp_path: Path) -> None:
    pytest.importorskip("darts")
    from darts.models import RNNModel
    from darts.utils.timeseries_generation import sine_timeseries

    from lstm_probe.callbacks.lightning import ProbeCallback

    probe = ProbeCallback(torch.randn(1, 24, 1), tmp_path, every=2, at="layer", max_overhead=None)
    options = {"callbacks": [probe], "accelerator": "cpu", "enable_progress_bar": False}
    model = RNNModel(
        24, model="LSTM", training_length=30, n_epochs=2, hidden_dim=16, pl_trainer_kwargs=options
    )
    model.fit(sine_timeseries(length=200).astype(np.float32))
    found = steps_in(tmp_path, "rnn/l0/parity/max_abs_error")
    assert found[:3] == [0, 2, 4]


def test_recurrent_ppo_is_probed_by_one_line(tmp_path: Path) -> None:
    sb3 = pytest.importorskip("sb3_contrib")
    model = sb3.RecurrentPPO(
        "MlpLstmPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=2,
        policy_kwargs={"lstm_hidden_size": 16}, device="cpu", seed=1,
    )  # fmt: skip
    policy = model.policy
    with TorchProbe(
        policy, torch.randn(20, 1, 4), tmp_path, optimizer=policy.optimizer, every=4, at="layer",
        layers=["lstm_actor"], max_overhead=None,
    ) as probe:  # fmt: skip
        model.learn(256)
    assert probe.report.failed == 0
    found = steps_in(tmp_path, "lstm_actor/l0/parity/max_abs_error")
    assert found[:4] == [0, 4, 8, 12]
    assert str(probe.analyses["lstm_actor/l0"].parity.verdict) == "match"
