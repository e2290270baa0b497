# `make demo` and `make test` need Python 3.11 or newer and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Photographs, a query and ImageNet weights of your own for `make demo`.
PHOTOS ?=
QUERY ?=
WEIGHTS ?=
# The folder of real photographs that `make bench` measures on.
DATA ?= $(DELF_TEST_DATA)

.PHONY: demo test lint format bench test-backends test-milvus test-beam \
  clean

demo: $(VENV)/demo.stamp
	$(BIN)/delf-keras demo --photos="$(PHOTOS)" --query="$(QUERY)" \
	  --weights="$(WEIGHTS)" --output=demo

# In the order of the files: the longest is a single test, of the tutorial in
# docs/, and would come last.
# A worker for each core: waiting threads of OpenMP would only be in the way.
test: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto \
	  --dist=loadfile --no-loadscope-reorder

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/extraction_speed.py --data="$(DATA)/landmarks" \
	  --weights="$(DATA)/weights/resnet50_imagenet_conv1-4.weights.h5"
	$(BIN)/python benchmarks/verification_speed.py --data="$(DATA)/landmarks" \
	  --weights="$(DATA)/weights/resnet50_imagenet_conv1-4.weights.h5"
	$(BIN)/python benchmarks/retrieval_quality.py --data="$(DATA)/landmarks" \
	  --weights="$(DATA)/weights/resnet50_imagenet_conv1-4.weights.h5"

# Models and training on JAX and PyTorch, in environments without TensorFlow.
ANY_BACKEND := tests/models tests/training/options_test.py \
  tests/training/optimizers_test.py tests/training/stages_test.py \
  tests/training/state_test.py tests/training/loop_test.py
test-backends: .venv-jax/dev.stamp .venv-torch/dev.stamp
	for backend in jax torch; do \
	  KERAS_BACKEND=$$backend .venv-$$backend/bin/python -m pytest \
	    $(ANY_BACKEND) \
	    -m "not tf_only and not large and not network and not gpu" || exit; \
	done

# Search with Milvus, embedded, in an environment that has it.
test-milvus: .venv-milvus/dev.stamp
	.venv-milvus/bin/python -m pytest tests/retrieval/engines_test.py \
	  tests/cli/milvus_fill_test.py

# Building an index with Apache Beam, in an environment that has it.
test-beam: .venv-beam/dev.stamp
	.venv-beam/bin/python -m pytest tests/retrieval/distributed \
	  tests/cli/beam_index_test.py

clean:
	rm -rf $(VENV) .venv-jax .venv-torch .venv-milvus .venv-beam demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable ".[demo]"
	touch $@

$(VENV)/dev.stamp: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable ".[dev]"
	touch $@ $(VENV)/demo.stamp

PACKAGE_jax := jax
PACKAGE_torch := torch==2.13.0
EXTRAS_milvus := [cpu,milvus]
EXTRAS_beam := [beam,serving]
.venv-%/dev.stamp: pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --editable ".$(EXTRAS_$*)" \
	  $(PACKAGE_$*) pytest
	touch $@
