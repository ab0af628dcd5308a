# Two commands set everything up: `make demo` and `make test`. The rest is for those who change the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^torch==\([^ ;]*\).*/\1/p' constraints.txt)
PYTEST := $(BIN)/python -m pytest
PEERS := b1@224 seg-b1-cityscapes@256x512 seg-b1-cityscapes@512x1024

export ORT_DISABLE_TELEMETRY = 1

.PHONY: demo test check test-slow test-boards test-tensorflow bench-plain bench-peers noise-floor format clean

demo: $(VENV)/.installed  ## export, verify, benchmark, show: the main job
	PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh demo

test: $(VENV)/.installed  ## the whole suite
	$(PYTEST) -n 2 --dist loadfile -m "not slow and not boards and not peers and not tensorflow"

check: $(VENV)/.installed  ## exactly what CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

test-slow: $(VENV)/.installed  ## every model variant in both formats, the emulated board; about an hour
	$(PYTEST) -m slow

test-boards: $(VENV)/.installed  ## longer runs on emulated boards over ssh and adb; five minutes
	$(PYTEST) -m boards

test-tensorflow: $(VENV)/.installed  ## TensorFlow's interpreter as a second opinion; installs TensorFlow
	$(BIN)/pip install --quiet -c constraints.txt -e '.[tensorflow]'
	$(PYTEST) -m tensorflow

bench-plain: $(VENV)/.installed  ## ARM instructions of our exports against the published model's plain ones
	$(BIN)/python -m evit_deploy.benchmarks.against_plain

bench-peers: $(VENV)/.installed  ## ours beside other exporters and engines; writes docs/peers.md; an hour
	$(BIN)/evit-bench peers $(PEERS) --count-up-to 2 --markdown docs/peers.md

noise-floor: $(VENV)/.installed  ## what the tolerances are derived from
	$(BIN)/python -m evit_deploy.exporters.noise_floor

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo artifacts results build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

# The CPU build of torch. On x86-64 Linux a plain install brings gigabytes of CUDA; where the configured
# package index has no CPU build, uv knows where to find it.
$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade -c constraints.txt pip setuptools wheel
	if [ "$$(uname -sm)" = "Linux x86_64" ]; then \
	  $(BIN)/pip install --quiet -c constraints.txt 'torch==$(TORCH)+cpu' || \
	  { $(BIN)/pip install --quiet -c constraints.txt uv && \
	    $(BIN)/uv pip install --python $(BIN)/python --torch-backend cpu -c constraints.txt 'torch==$(TORCH)'; }; \
	fi
	$(BIN)/pip install --quiet -c constraints.txt -e '.[export,datasets,report,adb,native,gate,dev]'
	touch $@
