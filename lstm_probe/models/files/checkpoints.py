"""TensorFlow checkpoints and SavedModels: their variables, read without TensorFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.keras_config import check_config
from lstm_probe.models.files.places import Places
from lstm_probe.models.files.stored_cells import DEFAULTS, cells_in
from lstm_probe.models.opened import Opened, StoredCells
from lstm_probe.weights.bundle import Bundle, checkpoint_prefix

if TYPE_CHECKING:
    from lstm_probe.models.files.keras_files import Plan

__all__ = [
    "has_configuration",
    "load_checkpoint",
    "load_saved_model",
    "plan_checkpoint",
    "plan_saved_model",
    "step_of",
]

_STEPS = ("global_step", "iteration", "iter")


def load_checkpoint(path: Path) -> StoredCells:
    """Read the cells of a checkpoint of `tf.train.Checkpoint`, of Keras or of a TF1 `Saver`.

    Args:
        path: with or without `.index`, or a directory, whose latest checkpoint is read.

    Raises:
        LstmProbeError: there is none, or it is damaged, or it holds no recurrent cell.
    """
    prefix = checkpoint_prefix(path)
    bundle = Bundle(prefix)
    return _cells("a TensorFlow checkpoint", bundle, prefix)


def plan_checkpoint(
    path: Path, config: Path, layers: Sequence[str] | None = None, *, trusted: bool = False
) -> Plan:
    """Look at a checkpoint with the configuration of its model, so that Keras computes the probe.

    Args:
        path: as for `load_checkpoint`.
        config: the model's configuration.
        layers: which layers.
        trusted: load whatever the configuration names, and run the code in it.

    Raises:
        LstmProbeError: there is none, it is damaged, or its configuration names what is not known.
    """
    from lstm_probe.models.files.keras_files import plan_with_config

    prefix = checkpoint_prefix(path)
    step = _step(Bundle(prefix), prefix)
    size = prefix.with_name(f"{prefix.name}.data-00000-of-00001").stat().st_size
    return plan_with_config(
        prefix, config, size=size, step=step, is_hdf5=False, layers=layers, trusted=trusted
    )


def step_of(path: Path) -> int:
    """The training step of a checkpoint or SavedModel; 0 if it tells none.

    Raises:
        LstmProbeError: there is none, or it is damaged.
    """
    saved = path / "variables" / "variables"
    prefix = saved if (path / "saved_model.pb").is_file() else checkpoint_prefix(path)
    return _step(Bundle(prefix), prefix)


def load_saved_model(path: Path) -> StoredCells:
    """Read the cells of a SavedModel. Its graph, which is a program, is not run.

    Raises:
        LstmProbeError: it is damaged, or holds no recurrent cell.
    """
    prefix = _variables(path)
    bundle = Bundle(prefix)
    return _cells("a SavedModel", bundle, prefix)


def _cells(kind: str, bundle: Bundle, prefix: Path) -> StoredCells:
    found = cells_in(bundle, Places.of_paths(bundle.paths))
    return StoredCells(
        kind,
        found.cells,
        step=_step(bundle, prefix),
        notes=[*found.notes, DEFAULTS],
        others=found.others,
    )


def has_configuration(path: Path) -> bool:
    """Whether Keras 2 has left its model's configuration in a SavedModel, and is there to read it.

    Raises:
        LstmProbeError: it has no variables.
    """
    _variables(path)
    return (path / "keras_metadata.pb").is_file() and find_spec("tf_keras") is not None


def plan_saved_model(
    path: Path, layers: Sequence[str] | None = None, *, trusted: bool = False
) -> Plan:
    """Plan to build the model of a SavedModel anew, and to give it the variables.

    Its configuration is looked at when it is built, as tf_keras knows its format; where that
    describes no model, the variables are read alone.

    Args:
        path: the directory, which has a configuration.
        layers: which layers.
        trusted: build whatever the configuration names, and run the code in it.
    """
    from lstm_probe.models.files.keras_files import Plan

    def build() -> Opened:
        prefix = _variables(path)
        config = _keras_config(path)
        if config is None:
            return load_saved_model(path)
        if not trusted:
            size = sum(each.stat().st_size for each in prefix.parent.iterdir())
            check_config(path, config, size=size, folder=path)
        return _rebuilt(path, prefix, config, _step(Bundle(prefix), prefix), layers, trusted)

    return Plan(path, "tf_keras", build)


def _variables(path: Path) -> Path:
    prefix = path / "variables" / "variables"
    if not prefix.with_name("variables.index").is_file():
        raise LstmProbeError(
            f"{path} is a SavedModel without variables. Received: no variables/variables.index. "
            "Expected: what model.export or tf.saved_model.save writes."
        )
    return prefix


def _step(bundle: Bundle, prefix: Path) -> int:
    for name in bundle:
        if name in _STEPS or name.endswith(("/iteration", "/global_step")):
            array = bundle[name]
            if array.shape == ():
                return int(array)
    numbered = re.search(r"-(\d+)$", prefix.name)  # as Saver.save(global_step=600) names it
    return int(numbered[1]) if numbered else 0


def _keras_config(path: Path) -> dict[str, Any] | None:
    from lstm_probe.models.files.keras_files import loading

    with loading(path, "tf_keras"):
        from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

        metadata = SavedMetadata.FromString((path / "keras_metadata.pb").read_bytes())
        root = next((each for each in metadata.nodes if each.node_path == "root"), None)
        described = {} if root is None else json.loads(root.metadata)
    config = {key: described.get(key) for key in ("class_name", "config")}
    known = config["class_name"] in ("Sequential", "Functional", "Model")
    return config if known and config["config"] else None


def _rebuilt(
    path: Path,
    prefix: Path,
    config: dict[str, Any],
    step: int,
    layers: Sequence[str] | None,
    trusted: bool,
) -> Opened:
    from lstm_probe.models.files.keras_files import loading, restore, running_code
    from lstm_probe.models.files.keras_model import KerasModel

    with loading(path, "tf_keras"), running_code("tf_keras", trusted):
        import tf_keras

        model = tf_keras.models.model_from_json(json.dumps(config))
        restore(model, prefix)
    return KerasModel(model, "a SavedModel (tf_keras)", step=step, layers=layers, is_loaded=True)
