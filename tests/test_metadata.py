"""What the project says about itself in several places is the same."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
import yaml
from checkout import ROOT

import lstm_probe


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def names(requirements: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return {re.split(r"[ <>=!~]", line)[0] for line in lines if line}


def test_the_citation_names_this_version_and_license(config: configparser.ConfigParser) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == lstm_probe.__version__
    assert citation["license"] == config["metadata"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_classifiers_name_the_versions_of_python_that_are_allowed(
    config: configparser.ConfigParser,
) -> None:
    minors = re.findall(r"Python :: 3\.(\d+)", config["metadata"]["classifiers"])
    assert minors == ["10", "11", "12", "13"]
    assert config["options"]["python_requires"] == f">= 3.{minors[0]}"


def test_every_folder_with_python_is_a_package_that_is_installed(
    config: configparser.ConfigParser,
) -> None:
    places = "lstm_probe", "callbacks"
    folders = {path.parent for place in places for path in (ROOT / place).rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    listed = names(config["options"]["packages"])
    assert {re.sub("^callbacks", "lstm_probe.callbacks", name) for name in found} == listed


def test_extras_install_what_the_project_uses(config: configparser.ConfigParser) -> None:
    extras = {k: names(v) for k, v in config["options.extras_require"].items()}
    named = {extra for v in extras.values() for extra in _named(v)}
    assert named <= set(extras)
    for path in (ROOT / "lstm_probe").rglob("*.py"):
        for extra in re.findall(r'extra="(\w+)"|lstm_probe\[(\w+)\]', path.read_text()):
            assert (extra[0] or extra[1]) in extras, path


def test_extras_that_pages_name_exist(config: configparser.ConfigParser) -> None:
    extras = set(config["options.extras_require"])
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for extra in re.findall(r"lstm_probe\[([\w,]+)\]", path.read_text()):
            assert set(extra.split(",")) <= extras, path.name


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(lstm_probe.__file__).parent / "py.typed").is_file()


def _named(requirements: set[str]) -> set[str]:
    found = [re.fullmatch(r"lstm_probe\[([\w,]+)\]", name) for name in requirements]
    return {extra for match in found if match for extra in match[1].split(",")}
