"""Configurations from strangers: what they might name, and the files that they come in."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

__all__ = ["ENTRANCES", "FUNCTIONS", "OBJECTS", "Entrance", "add_layer", "function_layer"]

#: Functions of TensorFlow that do more than compute, and arguments that leave a trace in a folder.
FUNCTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "io.write_file": lambda target: {"filename": target, "contents": "owned"},
    "io.read_file": lambda target: {"filename": target},
    "io.matching_files": lambda target: {"pattern": target},
    "io.gfile.makedirs": lambda target: {"path": target},
    "io.gfile.mkdir": lambda target: {"path": target},
    "io.gfile.rmtree": lambda target: {"path": target},
    "io.gfile.remove": lambda target: {"path": target},
    "io.gfile.copy": lambda target: {"src": "/etc/hostname", "dst": target},
    "io.gfile.rename": lambda target: {"src": target, "dst": f"{target}2"},
    "io.gfile.glob": lambda target: {"pattern": target},
    "io.write_graph": lambda target: {"graph_or_graph_def": "", "logdir": target, "name": "g"},
    "io.decode_png": lambda target: {"contents": target},
    "print": lambda target: {"input": "owned", "output_stream": f"file://{target}"},
    "raw_ops.WriteFile": lambda target: {"filename": target, "contents": "owned"},
    "raw_ops.SaveV2": lambda target: {"prefix": target, "tensor_names": ["a"]},
    "raw_ops.PrintV2": lambda target: {"input": "owned", "output_stream": f"file://{target}"},
    "raw_ops.MutexV2": lambda target: {"shared_name": target},
    "load_op_library": lambda target: {"library_filename": target},
    "load_library": lambda target: {"library_location": target},
    "py_function": lambda target: {"func": "os.mkdir", "inp": [target], "Tout": []},
    "numpy_function": lambda target: {"func": "os.mkdir", "inp": [target], "Tout": []},
    "function": lambda target: {"func": target},
    "map_fn": lambda target: {"fn": target, "elems": [1.0]},
    "while_loop": lambda target: {"cond": target, "body": target, "loop_vars": [0]},
    "saved_model.load": lambda target: {"export_dir": target},
    "saved_model.save": lambda target: {"obj": None, "export_dir": target},
    "summary.create_file_writer": lambda target: {"logdir": target},
    "train.load_checkpoint": lambda target: {"ckpt_dir_or_file": target},
    "debugging.experimental.enable_dump_debug_info": lambda target: {"dump_root": target},
    "profiler.experimental.start": lambda target: {"logdir": target},
    "data.experimental.save": lambda target: {"dataset": None, "path": target},
    "data.TFRecordDataset": lambda target: {"filenames": target},
    "distribute.Server": lambda target: {"server_or_cluster_def": target},
    "experimental.register_filesystem_plugin": lambda target: {"plugin_location": target},
    "random.set_seed": lambda target: {"seed": 1},
    "config.run_functions_eagerly": lambda target: {"run_eagerly": True},
    "Variable": lambda target: {"initial_value": 1.0, "name": target},
    "compat.v1.get_variable": lambda target: {"name": target, "shape": [1]},
    "compat.v1.gfile.MakeDirs": lambda target: {"dirname": target},
    "compat.v1.py_func": lambda target: {"func": "os.mkdir", "inp": [target], "Tout": []},
    "queue.FIFOQueue": lambda target: {"capacity": 1, "dtypes": ["float32"]},
    "lookup.TextFileInitializer": lambda target: {"filename": target},
    "keras.utils.get_file": lambda target: {"fname": target, "origin": f"file://{target}"},
    "keras.models.load_model": lambda target: {"filepath": target},
    "keras.backend.clear_session": lambda target: {},
}


def function_layer(function: str, target: str) -> dict[str, Any]:
    """A model inside of the model, in which a layer of Keras 2 calls a function of TensorFlow."""
    evil = {
        "class_name": "TFOpLambda",
        "module": "tf_keras.src.layers.core.tf_op_layer",
        "registered_name": "TFOpLambda",
        "config": {"name": "evil", "trainable": True, "dtype": "float32", "function": function},
        "name": "evil",
        "inbound_nodes": [["_CONSTANT_VALUE", -1, *_called_with(FUNCTIONS[function](target))]],
    }
    shape = {"batch_input_shape": [None, 2], "dtype": "float32", "name": "inner_input"}
    start = {"class_name": "InputLayer", "config": shape, "name": "inner_input"}
    start |= {"inbound_nodes": []}
    ends = {"input_layers": [["inner_input", 0, 0]], "output_layers": [["inner_input", 0, 0]]}
    return {
        "class_name": "Functional",
        "config": {"name": "inner", "layers": [start, evil], **ends},
    }


def _called_with(arguments: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    first, *rest = arguments.items() if arguments else [("x", 1.0)]
    return first[1], dict(rest)


def _layer(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    node = {"class_name": name, "config": {"name": "evil", **config}, "name": "evil"}
    node |= {"inbound_nodes": []}
    return node if module is None else {**node, "module": module, "registered_name": None}


def _lstm(**config: Any) -> dict[str, Any]:
    return _layer("LSTM", **{"units": 4, **config})


def _function(name: str, module: str = "builtins", registered: str | None = None) -> dict[str, Any]:
    return {"class_name": "function", "config": name, "module": module} | {
        "registered_name": registered
    }


#: Objects that a configuration has no business with, each made for a file that must not be touched.
OBJECTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Lambda": lambda target: _layer("Lambda", function=[target, None, None]),
    "Lambda, registered": lambda target: _layer("keras>Lambda", None, function=target),
    "lambda as activation": lambda target: _lstm(
        activation={"class_name": "__lambda__", "config": {"value": target}}
    ),
    "TFSMLayer": lambda target: _layer("TFSMLayer", filepath=target),
    "TorchModuleWrapper": lambda target: _layer("TorchModuleWrapper", module=target),
    "JaxLayer": lambda target: _layer("JaxLayer", call_fn=target),
    "FlaxLayer": lambda target: _layer("FlaxLayer", call_fn=target),
    "SlicingOpLambda": lambda target: _layer("SlicingOpLambda", None, function="io.write_file"),
    "ClassMethod": lambda target: _layer(
        "ClassMethod", None, cls_symbol="io.TFRecordWriter", method_name="__init__"
    ),
    "StringLookup, a relative path": lambda target: _layer("StringLookup", vocabulary="precious"),
    "InstanceMethod": lambda target: _layer("InstanceMethod", None, attr_name="__init__"),
    "InstanceProperty": lambda target: _layer("InstanceProperty", None, attr_name="__dict__"),
    "TensorFlowOpLayer": lambda target: _layer("TensorFlowOpLayer", None, node_def=target),
    "DenseFeatures": lambda target: _layer(
        "DenseFeatures",
        feature_columns=[
            {"class_name": "VocabularyFileCategoricalColumn", "config": {"vocabulary_file": target}}
        ],
    ),
    "ResidualWrapper": lambda target: _layer(
        "ResidualWrapper", None, residual_fn=[target], residual_fn_type="lambda"
    ),
    "DeviceWrapper": lambda target: _layer("DeviceWrapper", None, device=target),
    "StringLookup": lambda target: _layer("StringLookup", vocabulary=target),
    "StringLookup, a URL": lambda target: _layer("StringLookup", vocabulary=f"file://{target}"),
    "IntegerLookup": lambda target: _layer("IntegerLookup", vocabulary=target),
    "TextVectorization": lambda target: _layer("TextVectorization", vocabulary=target),
    "TextVectorization, bytes": lambda target: _layer(
        "TextVectorization", vocabulary={"class_name": "__bytes__", "config": {"value": target}}
    ),
    "os.system": lambda target: _layer("system", "os", command=f"touch {target}"),
    "os.system as function": lambda target: _lstm(activation=_function("system", "os")),
    "get_file": lambda target: _layer("get_file", "keras.utils", origin=target),
    "get_file as function": lambda target: _lstm(
        activation=_function("get_file", "keras.utils", "get_file")
    ),
    "get_file, registered": lambda target: _lstm(
        activation=_function("relu", "keras.utils", "get_file")
    ),
    "load_model": lambda target: _lstm(activation=_function("load_model", "keras.models")),
    "enable_unsafe_deserialization": lambda target: _layer(
        "enable_unsafe_deserialization", "keras.config"
    ),
    "a function of Keras as a word": lambda target: _lstm(activation="deserialize"),
    "a function of another list": lambda target: _lstm(activation="mean_squared_error"),
    "an initializer of one's own": lambda target: _lstm(kernel_initializer="os.system"),
    "an initializer that is a layer": lambda target: _lstm(kernel_initializer=_lstm()),
    "a regularizer that is a layer": lambda target: _lstm(kernel_regularizer=_layer("Dense")),
    "a type of somebody's own": lambda target: _lstm(
        units={"class_name": "__typespec__", "spec_name": "system", "module": "os"}
        | {"config": [], "registered_name": None}
    ),
    "a type under another name": lambda target: _lstm(
        units={"class_name": "TypeSpec", "type_spec": "tf.StructuredTensor.Spec", "serialized": []}
    ),
    "a composite tensor": lambda target: _lstm(
        units={"class_name": "CompositeTensor", "spec": {}, "tensors": []}
    ),
    "a layer that is registered as another": lambda target: {
        **_lstm(),
        "registered_name": "Custom>Evil",
    },
    "a layer of a module that opens files": lambda target: {
        **_lstm(),
        "module": "keras.src.utils.file_utils",
    },
    "a layer of a module of somebody's own": lambda target: {**_lstm(), "module": "evil.layers"},
    "an object among the arguments of a call": lambda target: {
        **_lstm(),
        "inbound_nodes": [{"args": [_layer("Lambda")], "kwargs": {}}],
    },
    "an object in how it was built": lambda target: {**_lstm(), "build_config": _layer("Lambda")},
    "an object in how it was compiled": lambda target: {
        **_lstm(),
        "compile_config": {"loss": _function("get_file", "keras.utils")},
    },
    "passive": lambda target: _lstm(
        units={**_layer("Lambda", None), "__passive_serialization__": True}
    ),
    "a type with two names": lambda target: _lstm(
        units={"class_name": "TypeSpec", "spec_name": "TensorSpec", "serialized": []}
        | {"type_spec": "tf.linalg.LinearOperatorZerosSpec"}
    ),
    "a layer's name that is an expression without an end": lambda target: _lstm(
        dtype={"class_name": "DTypePolicyMap", "module": "keras.dtype_policies"}
        | {"config": {"policy_map": {"(a+)+$": "float32"}}}
    ),
    "in a nested model": lambda target: {
        **_layer("Sequential", "keras"),
        "config": {"name": "inner", "layers": [_layer("Lambda", function=target)]},
    },
    "in a wrapper": lambda target: _layer("TimeDistributed", layer=_layer("Lambda")),
    "in a cell": lambda target: _layer(
        "RNN", cell=_layer("StackedRNNCells", cells=[_layer("TorchModuleWrapper", module=target)])
    ),
    "a class without a text": lambda target: _lstm(units={"class_name": [], "config": {}}),
}


def add_layer(config: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """A model's configuration with one layer more."""
    inner = config["config"]
    return {**config, "config": {**inner, "layers": [*inner["layers"], layer]}}


class Entrance:
    """A way for a configuration to come in.

    Args:
        good: a folder in which `write_keras` has left the files of a good model.
        package: the Keras that wrote them, `keras` or `tf_keras`.
    """

    def __init__(self, good: Path, package: str) -> None:
        self.good, self.package = good, package

    def write(self, folder: Path, layer: dict[str, Any]) -> list[str]:
        """Write the model with one layer more; returns the arguments that open it."""
        raise NotImplementedError


class _Archive(Entrance):
    def write(self, folder: Path, layer: dict[str, Any]) -> list[str]:
        path = folder / "bad.keras"
        with (
            zipfile.ZipFile(self.good / "model.keras") as good,
            zipfile.ZipFile(path, "w") as bad,
        ):
            for name in good.namelist():
                data = good.read(name)
                if name == "config.json":
                    data = json.dumps(add_layer(json.loads(data), layer)).encode()
                bad.writestr(name, data)
        return [str(path)]


class _Hdf5(Entrance):
    def write(self, folder: Path, layer: dict[str, Any]) -> list[str]:
        path = folder / "bad.h5"
        shutil.copy(self.good / "model.h5", path)
        with h5py.File(path, "a") as file:
            config = add_layer(json.loads(file.attrs["model_config"]), layer)
            del file.attrs["model_config"]
            file.attrs.create("model_config", json.dumps(config))
        return [str(path)]


class _Config(Entrance):
    def write(self, folder: Path, layer: dict[str, Any]) -> list[str]:
        config = json.loads((self.good / "model.json").read_text())
        (folder / "bad.json").write_text(json.dumps(add_layer(config, layer)))
        return [str(self.good / "model.weights.h5"), "--config", str(folder / "bad.json")]


class _SavedModel(Entrance):
    def write(self, folder: Path, layer: dict[str, Any]) -> list[str]:
        from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

        path = folder / "bad"
        shutil.copytree(self.good / "saved", path)
        metadata = SavedMetadata.FromString((path / "keras_metadata.pb").read_bytes())
        for node in metadata.nodes:
            if node.node_path == "root":
                node.metadata = json.dumps(add_layer(json.loads(node.metadata), layer))
        (path / "keras_metadata.pb").write_bytes(metadata.SerializeToString())
        return [str(path)]


ENTRANCES: dict[str, tuple[type[Entrance], str]] = {
    ".keras of Keras 3": (_Archive, "keras"),
    ".keras of Keras 2": (_Archive, "tf_keras"),
    ".h5 of Keras 3": (_Hdf5, "keras"),
    ".h5 of Keras 2": (_Hdf5, "tf_keras"),
    "--config of Keras 3": (_Config, "keras"),
    "--config of Keras 2": (_Config, "tf_keras"),
    "SavedModel of Keras 2": (_SavedModel, "tf_keras"),
}
