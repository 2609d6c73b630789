"""Models out of the files of Keras 3 and Keras 2, without running what is in them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import check_zip, damaged, reading
from lstm_probe.models.files.former_keras import (
    is_of_keras_1,
    naming_former_defaults,
    with_former_defaults,
)
from lstm_probe.models.files.hdf5 import check_hdf5, step_in
from lstm_probe.models.files.keras_config import check_config
from lstm_probe.models.files.keras_model import KerasModel
from lstm_probe.models.files.quiet import quietly
from lstm_probe.models.opened import Opened

__all__ = [
    "Plan",
    "WeightsAloneError",
    "loading",
    "plan_hdf5",
    "plan_keras",
    "plan_with_config",
    "restore",
    "running_code",
    "step_of",
]

#: Where a .keras file keeps the arrays.
_WEIGHTS = "model.weights.h5"


class WeightsAloneError(LstmProbeError):
    """A file holds weights and no model."""


@dataclass(frozen=True)
class Plan:
    """A file that has been looked at and found harmless, and not loaded yet.

    Attributes:
        path: the file, for messages.
        package: the Keras that loads it, `keras` or `tf_keras`.
        build: loads it.
    """

    path: Path
    package: str
    build: Callable[[], Opened]


def plan_keras(path: Path, layers: Sequence[str] | None = None, *, trusted: bool = False) -> Plan:
    """Look at a `.keras` file, of Keras 3 or Keras 2.

    Args:
        path: the file.
        layers: which layers; all recurrent ones by default.
        trusted: load whatever the file names, and run the code in it.

    Raises:
        LstmProbeError: it is damaged, names what is not known, or its Keras is not installed.
    """
    what = "a .keras file"
    check_zip(path, what)
    if path.suffix != ".keras":  # Keras would take it for a file of another kind, not looked at
        raise LstmProbeError(
            f"{path} is not loaded: it holds a model of Keras under another name. Expected: a name "
            "that ends with .keras. Rename it."
        )
    with reading(path, what), zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        metadata = json.loads(archive.read("metadata.json"))
        with archive.open(_WEIGHTS) as raw, _h5(raw) as file:
            size, step = check_hdf5(path, file), step_in(file)
    if not trusted:
        check_config(path, config, size=size)
    package = _package(path, str(metadata.get("keras_version", "")))

    def build() -> KerasModel:
        with loading(path, package):
            model = import_module(f"{package}.models").load_model(
                str(path), compile=False, safe_mode=not trusted
            )
        return KerasModel(model, f"{what} ({package})", step=step, layers=layers, is_loaded=True)

    return Plan(path, package, build)


def plan_hdf5(
    path: Path,
    *,
    config: Path | None = None,
    layers: Sequence[str] | None = None,
    trusted: bool = False,
) -> Plan:
    """Look at an `.h5` file of Keras 3 or Keras 2: a whole model, or weights with a configuration.

    Args:
        path: the file.
        config: for weights alone, the configuration of their model.
        layers: which layers; all recurrent ones by default.
        trusted: load whatever the file names, and run the code in it.

    Raises:
        WeightsAloneError: it holds weights alone, and there is no configuration.
        LstmProbeError: as `plan_keras`.
    """
    what = "a Keras .h5 file"
    if path.suffix == ".keras":  # Keras would look for an archive in it, which is not looked at
        raise LstmProbeError(
            f"{path} is not loaded: it is an HDF5 file whose name ends with .keras. Expected: a "
            "name that ends with .h5. Rename it."
        )
    with reading(path, what), _h5(str(path)) as file:
        size, step = check_hdf5(path, file), step_in(file)
        stored, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    if config is not None:
        return plan_with_config(
            path, config, size=size, step=step, is_hdf5=True, layers=layers, trusted=trusted
        )
    if stored is None:
        raise WeightsAloneError(
            f"{path} holds weights and no model, so that there is nothing to compare with; "
            "--config with what model.to_json() gives, or with the .keras file of the same model, "
            "has Keras compute the probe"
        )
    with reading(path, what):
        described = json.loads(stored)
    if is_of_keras_1(described):
        raise LstmProbeError(
            f"{path} is a model of Keras 1, whose layers no later Keras builds. Received: a "
            "configuration with output_dim. Expected: --weights-only (weights_only=True), which "
            "shows the gates from the weights; or the model as Keras 2 has saved it."
        )
    if not trusted:
        check_config(path, described, size=size, compiled=True)
    package = _package(path, version.decode() if isinstance(version, bytes) else str(version))

    def build() -> KerasModel:
        options = {"safe_mode": not trusted} if package == "keras" else {}
        with loading(path, package), with_former_defaults(package, described):
            models = import_module(f"{package}.models")
            model = models.load_model(str(path), compile=False, **options)
        return KerasModel(model, f"{what} ({package})", step=step, layers=layers, is_loaded=True)

    return Plan(path, package, build)


def step_of(path: Path) -> int:
    """The training step in an HDF5 file, or in that of a `.keras` archive; 0 if it has none.

    Raises:
        LstmProbeError: it is damaged.
    """
    what = "a Keras file"
    with reading(path, what), ExitStack() as stack:
        file: Any = str(path)
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            file = stack.enter_context(archive.open(_WEIGHTS))
        return step_in(stack.enter_context(_h5(file)))


def plan_with_config(
    path: Path,
    config: Path,
    *,
    size: int,
    step: int,
    is_hdf5: bool,
    layers: Sequence[str] | None = None,
    trusted: bool = False,
) -> Plan:
    """Look at a model's configuration, and at the weights of a file or checkpoint for it.

    Args:
        path: a `.weights.h5` file, or a checkpoint without `.index`.
        config: what `model.to_json()` gave, or a `.keras` file.
        size: how many bytes of weights there are.
        step: the training step of the weights.
        is_hdf5: the weights are an HDF5 file, which has been looked at, and no checkpoint.
        layers: which layers; all recurrent ones by default.
        trusted: load whatever the configuration names, and run the code in it.

    Raises:
        LstmProbeError: the configuration is damaged, names what is not known, or does not fit the
            weights.
    """
    text, version = _configuration(config)
    with reading(config, "a model's configuration"):
        described = json.loads(text)
    if not trusted:
        check_config(config, described, size=size, weights=path)
    package = _package(config, version)
    described.pop("compile_config", None)  # the optimizer is of no use here

    def build() -> KerasModel:
        with loading(path, package), running_code(package, trusted):
            told = json.dumps(naming_former_defaults(package, described))
            model = import_module(f"{package}.models").model_from_json(told)
            if is_hdf5:
                model.load_weights(str(path))
            else:
                restore(model, path)
        kind = f"weights with a configuration ({package})"
        return KerasModel(model, kind, step=step, layers=layers, is_loaded=True)

    return Plan(path, package, build)


@contextmanager
def running_code(package: str, trusted: bool) -> Iterator[None]:
    """Lets `model_from_json` run the code in a configuration that is trusted."""
    if not trusted:
        yield
        return
    with import_module(f"{package}.src.saving.serialization_lib").SafeModeScope(False):
        yield


def restore(model: Any, prefix: Path) -> None:
    """Give a model the weights of a checkpoint: of `model.save_weights` or
    `tf.train.Checkpoint(model=model)`."""
    import tensorflow as tf

    from lstm_probe.weights.bundle import Bundle

    nested = any(key.startswith("model/") for key in Bundle(prefix).keys_in_file)
    checkpoint = tf.train.Checkpoint(model=model) if nested else tf.train.Checkpoint(model)
    # `read` and not `restore`, which would want a save_counter as well.
    checkpoint.read(str(prefix)).expect_partial().assert_existing_objects_matched()


def _configuration(path: Path) -> tuple[str, str]:
    """The configuration as JSON, and the version of the Keras that wrote it."""
    what = "a model's configuration"
    with reading(path, what):
        if zipfile.is_zipfile(path):
            check_zip(path, what)
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json")).get("keras_version", "")
                return archive.read("config.json").decode(), version
        text = path.read_text()
        # Keras 3's model.to_json() does not say which Keras wrote it; Keras 2's does.
        return text, str(json.loads(text).get("keras_version", "3"))


def _package(path: Path, version: str) -> str:
    if not version[:1].isdigit():
        raise damaged(path, "a Keras file", "no version of Keras in it")
    package = "tf_keras" if version[0] in "12" else "keras"
    if find_spec(package) is None:
        raise LstmProbeError(
            f"{path} was written by Keras {version}, and reading it needs {package}. Expected: "
            f'pip install "lstm_probe[{"session" if package == "tf_keras" else "keras"}]".'
        )
    return package


def _h5(file: Any) -> Any:
    if find_spec("h5py") is None:
        raise LstmProbeError(
            "Reading an .h5 file needs h5py, which Keras brings along. Expected: pip install h5py."
        )
    import h5py

    return h5py.File(file, "r")


@contextmanager
def loading(path: Path, package: str) -> Iterator[None]:
    """Says that Keras refuses a file, when it raises anything."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quietly():
            import_module(f"{package}.models")
            yield
    except LstmProbeError:
        raise
    except ModuleNotFoundError as error:  # Keras without its backend
        raise LstmProbeError(
            f"{path} is not loaded by {package}. Received: {error}. Expected: the framework that "
            'Keras runs on: pip install "lstm_probe[keras]", or KERAS_BACKEND=jax or torch.'
        ) from error
    except Exception as error:  # Keras raises whatever the file makes it raise
        shown = " ".join(str(error).split())[:300]
        raise LstmProbeError(
            f"{path} is not loaded by {package}. Received: {type(error).__name__}: {shown}. "
            "Expected: a model of Keras's own layers, whole, and the weights of this model. If it "
            "has classes of your own, load it in Python and call lstm_probe.inspect(model, probe)."
        ) from error
