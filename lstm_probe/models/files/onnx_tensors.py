"""Every tensor of an ONNX model, on every graph: those kept in other files, and those too large.

Graphs have graphs within them (the branches of an `If`, the body of a `Loop`), functions and
attributes, and a tensor anywhere may say that its numbers are in another file. So all messages of
the model are walked through. A file is read here, and only beside the model; ONNX Runtime, which
would look for it from the working directory, is then given a model that names no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import damaged

__all__ = ["check_filled", "read_external"]

_WHAT = "an .onnx file"
_EXTERNAL = 1
#: How many values one `ConstantOfShape` may make.
_LARGEST = 2**26
#: Bytes of each number, by the number of its type in onnx.proto; four bits count as one byte.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2} | (
    dict.fromkeys((14,), 8) | dict.fromkeys((15,), 16) | dict.fromkeys(range(17, 25), 1)
)
#: What protobuf can hold in one message.
_MESSAGE = 2**31 - 1


def read_external(path: Path, model: Any) -> None:
    """Put the numbers that are in files beside the model into the model.

    Args:
        path: the model's file.
        model: an `onnx.ModelProto`, which is changed.

    Raises:
        LstmProbeError: a tensor names a file elsewhere, or one that does not hold its numbers.
    """
    found = [each for each in _messages(model) if _is_tensor(each) and _is_external(each)]
    sizes = [(each, *_place(path, each)) for each in found]
    total = sum(size for _, _, _, size in sizes)
    if total > _MESSAGE:
        raise LstmProbeError(
            f"{path} is not read: its tensors in other files are too large for one message of "
            f"ONNX. Received: {total:,} bytes. Expected: at most {_MESSAGE:,}. Give the recurrent "
            "layers' weights alone, such as an .npz or .safetensors file."
        )
    for tensor, file, offset, size in sizes:
        with file.open("rb") as data:
            data.seek(offset)
            tensor.raw_data = data.read(size)
        del tensor.external_data[:]
        tensor.data_location = 0


def check_filled(path: Path, model: Any) -> None:
    """Refuse a model that fills huge arrays out of a few bytes.

    Raises:
        LstmProbeError: a `ConstantOfShape` whose shape is in the file is too large.
    """
    import onnx

    shapes = {
        each.name: each for each in _messages(model) if _is_tensor(each) and len(each.dims) < 2
    }
    for node in _messages(model):
        if node.DESCRIPTOR.name == "NodeProto" and node.op_type == "ConstantOfShape":
            shape = shapes.get(node.input[0]) if node.input else None
            if shape is None or math.prod(shape.dims) > 64:
                continue
            count = math.prod(max(int(n), 0) for n in onnx.numpy_helper.to_array(shape).ravel())
            if count > _LARGEST:
                raise LstmProbeError(
                    f"{path} is not run: its node {node.name[:80]!a} (ConstantOfShape) would fill "
                    f"the memory. Received: an array of {count:,} values. Expected: at most "
                    f"{_LARGEST:,}. If you know who made it, --trusted (trusted=True) runs it."
                )


def _messages(message: Any) -> Iterator[Any]:
    """A message and all that are in it, at any depth."""
    waiting = [message]
    while waiting:
        each = waiting.pop()
        yield each
        for field, value in each.ListFields():
            if field.message_type is not None:
                repeated = hasattr(value, "__len__") and not hasattr(value, "ListFields")
                waiting.extend(value if repeated else [value])


def _is_tensor(message: Any) -> bool:
    return bool(message.DESCRIPTOR.name == "TensorProto")


def _is_external(tensor: Any) -> bool:
    return tensor.data_location == _EXTERNAL or len(tensor.external_data) > 0


def _place(path: Path, tensor: Any) -> tuple[Path, int, int]:
    """In which file a tensor is, where it begins there, and how many bytes it has."""
    said = {each.key: each.value for each in tensor.external_data}
    location = said.get("location", "")
    file = path.parent / location
    plain = location and not PurePosixPath(location).is_absolute() and "\\" not in location
    inside = plain and ".." not in PurePosixPath(location).parts and "\0" not in location
    # A link beside the model may lead anywhere.
    inside = inside and file.resolve().is_relative_to(path.parent.resolve()) and file.is_file()
    if not inside:
        raise LstmProbeError(
            f"{path} keeps its tensor {tensor.name[:80]!a} in another file, which is not beside "
            f"it. Received: {location[:120]!a}. Expected: a file in the folder of the model; or "
            "one file: onnx.save(model, path, save_as_external_data=False)."
        )
    numbers = [said.get("offset") or "0", said.get("length") or "0"]
    if not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        raise damaged(path, _WHAT, f"tensor {tensor.name[:80]!a} at no place of {location[:80]!a}")
    offset, length = map(int, numbers)
    count = math.prod(tensor.dims) * _BYTES.get(tensor.data_type, 0)
    size = length if "length" in said else count
    there = file.stat().st_size
    if min(tensor.dims, default=0) < 0 or size > count or offset + size > there:
        raise damaged(
            path, _WHAT,
            f"tensor {tensor.name[:80]!a} of {count:,} bytes, for which {location[:80]!a} has "
            f"{max(there - offset, 0):,}",
        )  # fmt: skip
    return file, offset, size
