# `make demo` and `make test` do all the set-up on a machine with git, make and Python 3.10-3.13.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find lstm_probe callbacks -name '*.py' -o -name '*.js' -o -name '*.css' -o -name py.typed) \
	setup.cfg pyproject.toml README.md

export TF_CPP_MIN_LOG_LEVEL ?= 2

# A file's tests share a process, so that frameworks are imported and models trained once.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
# Of the tests that `make test-long` runs, in all of its environments, the k-th of n shares: SHARE=k/n.
SHARE ?=
LONG := $(PARALLEL) $(if $(SHARE),--share $(SHARE))
# The tests of the callback that run on every backend of Keras 3.
BACKEND_TESTS := tests/backends tests/callbacks/test_keras_callback.py tests/models/test_keras_reader.py \
	tests/callbacks/test_keras_background.py tests/models/test_keras_by_hand.py tests/models/test_keras_loops.py \
	tests/models/test_keras_own_equations.py tests/models/test_rest.py tests/callbacks/test_explained_callback.py
TORCH_VERSION ?= 2.13.0
# What depends most on the versions of other packages: frameworks, files, log and command line.
OLDEST_TESTS := tests/core tests/weights tests/cells tests/logs tests/models tests/pictures/test_notebook.py \
	tests/pictures/test_render_figure.py tests/callbacks/test_keras_callback.py \
	tests/callbacks/test_tf_keras_callback.py tests/callbacks/test_session_hook.py \
	tests/cli/test_cli_inspect_kinds.py tests/cli/test_cli_inspect_alone.py tests/cli/test_cli_report.py

# How long each reader is fuzzed.
FUZZ_SECONDS ?= 60

# The older commit of `make compare`; and a folder with the newer package, if it is not that of VENV.
OLD ?= dc3c620
NEW ?=

.PHONY: help demo tensorboard test test-long test-backends test-torch bench-gpu test-oldest compare fuzz bench docs format clean serve

help:
	@echo "make demo         train an LSTM on handwritten digits with the probe attached"
	@echo "make serve        look at it on http://127.0.0.1:6007"
	@echo "make tensorboard  look at it in TensorBoard, on http://127.0.0.1:6006/#gates"
	@echo "make test         formatter, linter, type checker and all tests"
	@echo "make test-long    the grid of layers, which takes minutes"
	@echo "make bench        what captures cost, beside what else there is: a table in docs/cost.md"
	@echo "make docs         the documentation, as pages in build/site"
	@echo "make test-backends  the Keras callback on JAX and PyTorch, without TensorFlow"
	@echo "make test-torch   native PyTorch with Lightning, transformers and others, which takes minutes"
	@echo "make bench-gpu    what a capture of native PyTorch costs, on a GPU with DEVICE=cuda"
	@echo "make test-oldest  the oldest versions of other packages that setup.cfg allows"
	@echo "make compare      does the package still do what an older commit did? OLD=<commit>"
	@echo "make fuzz         looks for bytes that our readers do not survive, a minute for each of them"
	@echo "make format       format the code"

demo: $(VENV)/installed
	$(BIN)/python examples/digits_keras.py --log-dir logs/digits
	@echo "    make serve         the gates alone, on http://127.0.0.1:6007"
	@echo "    make tensorboard   in TensorBoard, on http://127.0.0.1:6006/#gates"

serve: $(VENV)/installed
	$(BIN)/lstm-probe serve logs

tensorboard: $(VENV)/installed
	@echo "the gates: http://127.0.0.1:6006/#gates"
	$(BIN)/tensorboard --logdir logs --host 127.0.0.1 --port 6006

test: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd tests && ../$(BIN)/mypy -p lstm_probe
	$(BIN)/pytest $(PARALLEL)

bench: $(VENV)/installed
	$(BIN)/python benchmarks/run.py

test-long: $(VENV)/installed $(VENV)/ecosystem
	$(BIN)/pytest -m long $(LONG)
	$(MAKE) test-backends
	$(MAKE) test-torch
	if $(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then $(MAKE) test-oldest; \
	    else echo "not tested: the oldest versions, which have wheels for Python 3.10 and 3.11 only"; fi

# Tuners and trackers, for the tests of docs/trackers.md alone.
$(VENV)/ecosystem: $(VENV)/dependencies
	$(BIN)/python -m pip install --quiet '.[ecosystem]'
	rm -rf build lstm_probe.egg-info
	touch $@

# One environment for each backend, so that TensorFlow is not there.
test-backends: $(VENV)-jax/installed $(VENV)-torch/installed
	KERAS_BACKEND=jax $(VENV)-jax/bin/pytest $(LONG) $(BACKEND_TESTS)
	KERAS_BACKEND=torch $(VENV)-torch/bin/pytest $(LONG) $(BACKEND_TESTS) tests/weights/test_weights_torch.py tests/pytorch

# What trains on PyTorch: Lightning, transformers, forecasts, reinforcement learning. The other tests of
# tests/pytorch run in test-backends.
test-torch: $(VENV)-torch-more/installed
	$(VENV)-torch-more/bin/pytest -m long $(LONG) tests/pytorch

# What a capture of native PyTorch costs; on a GPU with DEVICE=cuda.
DEVICE ?= cpu
bench-gpu: $(VENV)-torch/installed
	$(VENV)-torch/bin/python benchmarks/torch_training.py --device $(DEVICE)

test-oldest: $(VENV)-oldest/installed
	$(VENV)-oldest/bin/pytest $(LONG) $(OLDEST_TESTS)

compare: $(if $(NEW),,$(VENV)/installed)
	$(BIN)/python tests/compare/run.py $(OLD) $(if $(NEW),--new $(NEW))

fuzz: $(VENV)/installed
	$(BIN)/python -m pip install --quiet '.[fuzz]'
	rm -rf build lstm_probe.egg-info
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(FUZZ_SECONDS)

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open it with: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000"

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-jax $(VENV)-torch $(VENV)-torch-more $(VENV)-oldest build dist *.egg-info

# The dependencies are installed once for each setup.cfg, the package itself after every change:
# tests and type checker see what a user installs, not the checkout.
$(VENV)/dependencies: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("lstm_probe needs Python 3.10 or newer, not " + sys.version) if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet '.[dev]'
	touch $@

$(VENV)/installed: $(VENV)/dependencies $(SOURCES)
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall .
	rm -rf build lstm_probe.egg-info
	touch $@

$(VENV)-jax/dependencies: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-jax/bin/python -m pip install --quiet '.[jax]' 'pytest >= 8' 'pytest-xdist >= 3.6.1'
	touch $@

# A build for processors only, where one is within reach of pip; else the one with CUDA, which is
# ten times as large. Either is named first, so that the extra does not choose another.
$(VENV)-torch/dependencies: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-torch/bin/python -m pip install --quiet 'torch == $(TORCH_VERSION)+cpu' \
	    || $(VENV)-torch/bin/python -m pip install --quiet 'torch == $(TORCH_VERSION)'
	$(VENV)-torch/bin/python -m pip install --quiet '.[torch]' 'keras >= 3.10' 'pytest >= 8' 'pytest-xdist >= 3.6.1'
	touch $@

$(VENV)-torch-more/dependencies: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)-torch-more
	$(VENV)-torch-more/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-torch-more/bin/python -m pip install --quiet 'torch == $(TORCH_VERSION)+cpu' \
	    || $(VENV)-torch-more/bin/python -m pip install --quiet 'torch == $(TORCH_VERSION)'
	$(VENV)-torch-more/bin/python -m pip install --quiet '.[torch-ecosystem]' 'pytest >= 8' 'pytest-xdist >= 3.6.1'
	touch $@

# The lower bounds stand in setup.cfg alone. Nothing is compiled: where an oldest version has no wheel for
# this Python, pip says so. The environment starts empty, so that nothing in it is left from other bounds.
$(VENV)-oldest/dependencies: setup.cfg pyproject.toml tests/oldest.py
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-oldest/bin/python tests/oldest.py test >$(VENV)-oldest/oldest.txt
	$(VENV)-oldest/bin/python -m pip install --quiet --only-binary :all: \
	    --constraint $(VENV)-oldest/oldest.txt '.[test]'
	touch $@

$(VENV)-%/installed: $(VENV)-%/dependencies $(SOURCES)
	$(VENV)-$*/bin/python -m pip install --quiet --no-deps --force-reinstall .
	rm -rf build lstm_probe.egg-info
	touch $@
