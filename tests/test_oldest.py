"""Each requirement has a lower bound, and `make test-oldest` is given all of them."""

from __future__ import annotations

import configparser
import re

import pytest
from checkout import ROOT
from oldest import oldest

CONFIG = """
[options]
install_requires =
    numpy >= 1.26
    rich >= 9.5
[options.extras_require]
table =
    # A comment is no requirement.
    rich >= 10
    xarray[io] >= 2024.1
all =
    lstm_probe[table,figure]
figure =
    matplotlib >= 3.8
unbounded =
    lstm_probe[table]
    pandas
other =
    scipy >= 1
"""


@pytest.fixture
def config() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_string(CONFIG)
    return config


def test_the_package_alone_has_its_own_bounds(config: configparser.ConfigParser) -> None:
    assert oldest(config, []) == {"numpy": "1.26", "rich": "9.5"}


def test_the_newer_bound_holds_when_extras_differ(config: configparser.ConfigParser) -> None:
    assert oldest(config, ["table"])["rich"] == "10"


def test_extras_are_followed_when_an_extra_names_them(config: configparser.ConfigParser) -> None:
    expected = {"numpy": "1.26", "rich": "10", "xarray": "2024.1", "matplotlib": "3.8"}
    assert oldest(config, ["all"]) == expected


def test_the_requirement_is_named_when_it_has_no_lower_bound(
    config: configparser.ConfigParser,
) -> None:
    with pytest.raises(ValueError, match=r"'pandas'.*Expected 'name >= version'"):
        oldest(config, ["unbounded"])


def test_every_requirement_of_the_project_has_a_lower_bound() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    bounds = oldest(config, config["options.extras_require"])
    assert {"numpy", "tensorboard", "keras", "tensorflow", "tf_keras", "jax", "torch"} <= set(
        bounds
    )


def test_the_table_of_versions_says_what_pip_is_told() -> None:
    """A row names an extra first and its bounds last; of the package itself it names a part."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    rows = re.findall(r"^\| (\S+) \|.*\| (\S.*) \|$", (ROOT / "docs/index.md").read_text(), re.M)
    shown = {name.strip("`"): _versions(cell) for name, cell in rows if _versions(cell)}
    package = oldest(config, [])
    assert shown.pop("none").items() <= package.items()
    assert set(shown) == {"keras", "jax", "torch", "session", "onnx", "export", "examples"}
    for extra, versions in shown.items():
        assert versions == {k: v for k, v in oldest(config, [extra]).items() if k not in package}


def _versions(cell: str) -> dict[str, str]:
    return dict(re.findall(r"([\w-]+) ([\d.]+)(?:, |$)", cell))
