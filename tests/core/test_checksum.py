"""The checksum of event files and checkpoints is the one that TensorBoard computes by itself."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c as of_tensorboard

from lstm_probe.core.checksum import masked_crc32c


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1000])
def test_a_checksum_is_tensorboards_when_data_are_random(
    size: int, rng: np.random.Generator
) -> None:
    for _ in range(20):
        data = rng.bytes(size)
        assert masked_crc32c(data) == of_tensorboard(data)
