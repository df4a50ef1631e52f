# Everything a person types. Needs Python 3.11 to 3.13, git and make; each target sets up the rest by itself.
#   make start    lesson 00, run and opened as a page                        make lab    the lessons in JupyterLab
#   make course   run the lessons on the samples and open their summary      make site   the web site, from the executed lessons
#   make test     all tests, notebooks included                              make bench  ratios against other tools
#   make check    style, and whether notebooks are built                     make wheelhouse  packages for a room without network
#   and test-browser, test-colab, test-backends, test-readers, test-reliability, release-check: see CONTRIBUTING.md
# Choose an interpreter with  make course PYTHON=/path/to/python3.12

PYTHON ?= python3.13 python3.12 python3.11 python3 python
VENV   ?= .venv
JOBS   ?= 2
BIN    := $(VENV)/bin
INPUTS := requirements.txt pyproject.toml setup.py constraints.txt
PIP    := -m pip --disable-pip-version-check install

.PHONY: help start environment course test lab bench check notebooks site wheelhouse release-check test-browser test-colab test-backends \
  test-readers test-reliability clean
.DELETE_ON_ERROR:

help:
	@sed -n '2,7p' Makefile

environment: $(VENV)/nbtools.stamp

start: environment
	@$(BIN)/nbtools start

course: environment
	$(BIN)/nbtools course --fast $(COURSE)

test: environment
	@mkdir -p .make
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope $(TESTS); code=$$?; echo $$code > .make/pytest-status; exit $$code

lab: environment $(VENV)/lab.stamp
	$(BIN)/jupyter lab notebooks

bench: environment
	$(BIN)/python benchmarks/run.py

check: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python notebooks/build.py --check

notebooks: environment
	$(BIN)/python notebooks/build.py

$(VENV)/nbtools.stamp: $(INPUTS) | $(BIN)/python
	@echo "Installing into $(VENV): three to eight minutes and about 3 GB the first time."
	@$(BIN)/python $(PIP) -c constraints.txt -e ".[tf,test,browser]"
	@touch $@

# Offline once its packages are there; SITE="--course runs/course-…" chooses the executed lessons.
site: environment $(VENV)/site.stamp
	$(BIN)/python docs/build.py $(SITE)

# Every package of the course as a file, for this Python on this system; then, elsewhere, without network:
#   python3 -m venv .venv && .venv/bin/python -m pip install --no-index --find-links wheelhouse "nbtools[tf,lab]"
wheelhouse: | $(BIN)/python
	$(BIN)/python -m pip --disable-pip-version-check wheel -c constraints.txt --wheel-dir wheelhouse ".[tf,lab]"

release-check:
	$(BIN)/python notebooks/build.py --check
	$(BIN)/python notebooks/repository.py

$(VENV)/site.stamp: $(VENV)/nbtools.stamp
	@$(BIN)/python $(PIP) -c constraints.txt -e ".[site]"
	@touch $@

$(VENV)/lab.stamp: $(VENV)/nbtools.stamp
	@$(BIN)/python $(PIP) -c constraints.txt -e ".[lab]"
	@touch $@

# An interpreter counts only if it really runs (version managers leave names behind that do not), fits, and can make an environment.
$(BIN)/python:
	@found=; bare=; for name in $(PYTHON); do \
	  $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 || continue; \
	  if $$name -c 'import venv, ensurepip' >/dev/null 2>&1; then found=$$name; break; fi; bare=$$name; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	  echo "Python must be able to make environments. Received: $$bare without ensurepip. On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "Python 3.11, 3.12 or 3.13 must be installed. Received: none of: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if [ -f $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi; \
	echo "Making $(VENV) with $$($$found --version)."; $$found -m venv $(VENV)

# Whole notebooks, too, in Chromium under JupyterLab; the short tests in a browser are part of `make test`.
test-browser: environment
	$(BIN)/python -m pytest -m "tour or not tour" tests/browser $(TESTS)

# Kills, damaged files, strangers, and files of the user in the way: the long runs; a few of each are part of `make test`.
test-reliability: environment
	$(BIN)/python tests/reliability/run.py

# What Google Colab ships today, as far as that can be had outside of it.
test-colab:
	@$(MAKE) --no-print-directory VENV=.venv-colab .venv-colab/colab.stamp
	@.venv-colab/bin/python -m pytest $(TESTS)

# The same weights on TensorFlow, JAX and PyTorch.
test-backends:
	@$(MAKE) --no-print-directory VENV=.venv-backends .venv-backends/backends.stamp
	@.venv-backends/bin/python -m pytest -n $(JOBS) -m backends tests/test_backends.py $(TESTS)

# What is exported, loaded by programs that others wrote: bioimage.io, RO-Crate, QuPath's and COCO's outlines, OME-Zarr, napari, BIAFLOWS.
test-readers: environment
	@$(MAKE) --no-print-directory VENV=.venv-readers .venv-readers/readers.stamp
	@READERS=$(CURDIR)/.venv-readers/bin/python $(BIN)/python -m pytest tests/test_export_readers.py tests/test_export_biaflows.py \
	  tests/test_export_bioimageio_core.py $(TESTS)

# of biomero only the file that reads descriptors is run: the rest of what it asks for talks to servers
.venv-readers/readers.stamp: tests/readers.txt | .venv-readers/bin/python
	@.venv-readers/bin/python $(PIP) -r tests/readers.txt
	@.venv-readers/bin/python $(PIP) --no-deps biomero
	@touch $@

.venv-backends/backends.stamp: $(INPUTS) | .venv-backends/bin/python
	@.venv-backends/bin/python $(PIP) -c constraints.txt -e ".[tf,test]" jax torch
	@touch $@

.venv-colab/colab.stamp: tests/colab.txt tests/colab_freeze.txt $(INPUTS) | .venv-colab/bin/python
	@.venv-colab/bin/python $(PIP) -c tests/colab_freeze.txt -r tests/colab.txt
	@.venv-colab/bin/python $(PIP) -c tests/colab_freeze.txt -c tests/colab.txt -e .
	@touch $@

clean:
	rm -rf .make build dist *.egg-info .pytest_cache .ruff_cache
