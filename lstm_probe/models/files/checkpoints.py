"""TensorFlow checkpoints and SavedModels: their variables, read without TensorFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.keras_config import check_config
from lstm_probe.models.files.stored_cells import cells_in
from lstm_probe.models.opened import Opened, StoredCells
from lstm_probe.weights.bundle import Bundle, checkpoint_prefix

__all__ = ["load_checkpoint", "load_saved_model", "step_of"]

_STEPS = ("global_step", "iteration", "iter")


def load_checkpoint(
    path: Path,
    *,
    config: Path | None = None,
    layers: Sequence[str] | None = None,
    trusted: bool = False,
) -> Opened:
    """Open a checkpoint of `tf.train.Checkpoint`, of Keras or of a TF1 `Saver`.

    Args:
        path: with or without `.index`, or a directory, whose latest checkpoint is read.
        config: the model's configuration: with it Keras computes the probe too.
        layers: with a configuration: which layers.
        trusted: load whatever the configuration names, and run the code in it.

    Raises:
        LstmProbeError: there is none, or it is damaged, or it holds no recurrent cell.
    """
    prefix = checkpoint_prefix(path)
    bundle = Bundle(prefix)
    step = _step(bundle, prefix)
    if config is not None:
        from lstm_probe.models.files.keras_files import load_with_config

        size = prefix.with_name(f"{prefix.name}.data-00000-of-00001").stat().st_size
        return load_with_config(
            prefix, config, size=size, step=step, is_hdf5=False, layers=layers, trusted=trusted
        )
    return StoredCells("a TensorFlow checkpoint", cells_in(bundle), step=step)


def step_of(path: Path) -> int:
    """The training step of a checkpoint or SavedModel; 0 if it tells none.

    Raises:
        LstmProbeError: there is none, or it is damaged.
    """
    saved = path / "variables" / "variables"
    prefix = saved if (path / "saved_model.pb").is_file() else checkpoint_prefix(path)
    return _step(Bundle(prefix), prefix)


def load_saved_model(
    path: Path,
    *,
    layers: Sequence[str] | None = None,
    trusted: bool = False,
    weights_only: bool = False,
) -> Opened:
    """Open a SavedModel. Its graph, which is a program, is not run.

    Where Keras 2 has left the model's configuration in it, and tf_keras is installed, the model is
    built anew and given the variables; else the variables are read alone.

    Args:
        path: the directory.
        layers: which layers, where the model is built anew.
        trusted: build whatever the configuration names, and run the code in it.
        weights_only: read the variables alone, whatever else there is.

    Raises:
        LstmProbeError: it is damaged, or holds no recurrent cell.
    """
    from importlib.util import find_spec

    prefix = path / "variables" / "variables"
    if not prefix.with_name("variables.index").is_file():
        raise LstmProbeError(
            f"{path} is a SavedModel without variables. Received: no variables/variables.index. "
            "Expected: what model.export or tf.saved_model.save writes."
        )
    bundle = Bundle(prefix)
    described = (path / "keras_metadata.pb").is_file() and not weights_only
    if described and find_spec("tf_keras") is not None:
        config = _keras_config(path)
        if config is not None:
            if not trusted:
                size = sum(each.stat().st_size for each in prefix.parent.iterdir())
                check_config(path, config, size=size, folder=path)
            return _rebuilt(path, prefix, config, _step(bundle, prefix), layers, trusted)
    return StoredCells("a SavedModel", cells_in(bundle), step=_step(bundle, prefix))


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
    from lstm_probe.models.files.keras_files import KerasModel, loading, restore, running_code

    with loading(path, "tf_keras"), running_code("tf_keras", trusted):
        import tf_keras

        model = tf_keras.models.model_from_json(json.dumps(config))
        restore(model, prefix)
    return KerasModel(model, "a SavedModel (tf_keras)", step=step, layers=layers)
