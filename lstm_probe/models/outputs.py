"""How much of what a model gives for the probe is kept at each capture."""

from __future__ import annotations

from typing import Final

__all__ = ["LARGEST_OUTPUT", "MOST_OUTPUTS"]

#: How many numbers of a model's output are kept of one sequence: 10 classes at each of 512
#: timesteps are, the 50,000 words of a language model are not.
LARGEST_OUTPUT: Final = 2**14
#: How many outputs of a model with several are kept.
MOST_OUTPUTS: Final = 8
