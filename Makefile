# Two commands: `make demo` and `make test`. Each makes .venv and installs what it needs; a second run installs nothing.
#
# All paths are relative, and programs of .venv are run as `python -m`, because the checkout's path may hold spaces:
# make splits names at them, and so does the first line of a script in .venv/bin. A package mirror is set as for
# any pip (PIP_INDEX_URL, pip.conf).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PY := .venv/bin/python
# Threads that wait for each other sleep: where other programs share the cores, spinning halves the speed.
export OMP_WAIT_POLICY ?= PASSIVE
PIP := $(PY) -m pip --disable-pip-version-check
INSTALL := $(PIP) install -c requirements/constraints.txt
# A process a core, each with its share of the threads (tests/conftest.py); PYTEST_ARGS=-n0 runs all in one.
IN_PROCESSES := --numprocesses logical --maxprocesses 8 --dist worksteal

# A tier is installed when the stamp with the sum of its files exists: another version of a file, or a checkout
# that was moved (the project is installed in place), asks for another stamp.
PRETRAINING := setup.py $(addprefix requirements/,constraints.txt mminstall.txt runtime.txt)
EVERYTHING := $(PRETRAINING) requirements/rotate.txt requirements/tests.txt tools/install_mmcv_ops.py tools/mim_names/backend.py
sum = $(firstword $(shell { pwd; cat $(1); } | cksum))
PRETRAINING_STAMP := .venv/.pretraining-$(call sum,$(PRETRAINING))
EVERYTHING_STAMP := .venv/.everything-$(call sum,$(EVERYTHING))

# opencv-python, which mmcv asks for, needs the system's libGL; where that is missing, the headless build of the
# same version takes its place in cv2/.
define ensure_cv2
@$(PY) -c 'import cv2' 2>/dev/null || $(INSTALL) --no-deps --force-reinstall opencv-python-headless
endef

.PHONY: help
help:  ## Say what there is
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile

.PHONY: demo
demo: $(PRETRAINING_STAMP)  ## Pretrain a small CMID and show what it learned; DATA=folder takes your own images
	$(PY) tools/demo.py $(if $(DATA),--data "$$DATA" )--work-dir work_dirs/demo

.PHONY: demo-tasks
demo-tasks: $(EVERYTHING_STAMP)  ## Pretrain, extract, and train four tasks on drawn scenes; ends with one page
	$(PY) tools/demo_tasks.py --work-dir work_dirs/demo-tasks

.PHONY: test
test: lint  ## Install everything, check the style and run every test
	$(PY) -m pytest $(IN_PROCESSES) $(PYTEST_ARGS)

.PHONY: lint
lint: $(EVERYTHING_STAMP)  ## Check the style
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

.PHONY: install
install: $(PRETRAINING_STAMP)  ## Make .venv with what pretraining needs

.PHONY: install-all
install-all: $(EVERYTHING_STAMP)  ## Add the tasks (mmcv's compiled ops, mmseg, mmdet, mmrotate), mim and the test tools

.venv/.made:
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || { \
	  echo "make: $(PYTHON) does not run or is not Python 3.10, 3.11 or 3.12: name one that is, for example 'make PYTHON=python3.11 $(MAKECMDGOALS)'." >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; \
	  exit 1; }
	$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv
	@touch $@

$(PRETRAINING_STAMP): .venv/.made
	$(INSTALL) setuptools wheel
	$(INSTALL) -r requirements/mminstall.txt -r requirements/runtime.txt
	$(ensure_cv2)
	$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f .venv/.pretraining-*
	@touch $@

# In this order: the ops are compiled against the torch of the first tier, with the test tools' ninja.
$(EVERYTHING_STAMP): $(PRETRAINING_STAMP)
	$(INSTALL) -r requirements/rotate.txt -r requirements/tests.txt
	$(ensure_cv2)
	$(PY) tools/install_mmcv_ops.py
	$(PIP) install --no-deps --no-build-isolation tools/mim_names
	$(PIP) check
	@rm -f .venv/.everything-*
	@touch $@
