SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PROFILE ?= quick
$(if $(wildcard notebooks/profiles/$(PROFILE).yaml),,$(error A profile is one of \
  $(basename $(notdir $(wildcard notebooks/profiles/*.yaml))); got PROFILE=$(PROFILE)))
REPORTS ?= reports
GPU ?=
export MPLBACKEND ?= Agg
export TF_CPP_MIN_LOG_LEVEL ?= 3
export TQDM_DISABLE ?= 1
ifdef SCHEDULER
export FER_SCHEDULER := $(SCHEDULER)
endif

ifeq ($(PROFILE),full)  # the full study is shown from its records; `make queue` trains what is missing
export FER_TRAIN ?= $(if $(SCHEDULER),always,never)
endif

# --- Python: .venv from the hashed lock, or `make PY=python ...` inside an environment of your own -----------------
VENV := .venv
PY := $(VENV)/bin/python
LOCK := requirements$(if $(GPU),-gpu).lock
READY := $(if $(filter command,$(firstword $(origin PY))),,$(VENV)/ready$(if $(GPU),-gpu))
find_python = $(firstword $(foreach name,python3.11 python3 python3.12 python3.13,$(shell $(name) -c \
  'import sys, venv, ensurepip; (3, 11) <= sys.version_info < (3, 14) and print(sys.executable)' 2>/dev/null)))

$(VENV)/ready $(VENV)/ready-gpu: $(LOCK) pyproject.toml
	@python="$(find_python)"; test -n "$$python" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed and was not found on PATH."; exit 1; }; \
	  test -x $(PY) || "$$python" -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/ready*; touch $@

BOOK_READY := $(if $(READY),$(VENV)/ready-book)
$(VENV)/ready-book: requirements-book.lock | $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# --- What an executed notebook depends on: what it imports, the sources say it -------------------------------------
RULES := reports/quick/prerequisites.mk
READER := fer_utils/study/prerequisites.py
MODULES := $(shell find fer_utils -type f -not -path '*/__pycache__/*')
ifneq ($(MAKECMDGOALS),clean)
-include $(RULES)
endif
RECORDS := $(wildcard reports/runs/*/done reports/measurements/*/done)
NEEDS_16 += $(RECORDS)
SHOWN := $(if $(filter full,$(PROFILE)),$(RECORDS))  # every notebook of the full edition shows what is on record

SOURCES := $(sort $(wildcard notebooks/[0-9][0-9]_*.ipynb))
SOLUTIONS := $(if $(filter quick,$(PROFILE)),$(wildcard $(SOURCES:notebooks/%=notebooks/solutions/%)))
EXECUTED := $(patsubst notebooks/%,$(REPORTS)/$(PROFILE)/%,$(SOURCES) $(SOLUTIONS))

$(RULES): $(MODULES) $(SOURCES) $(SOLUTIONS) $(shell find fer_utils -type d -not -name __pycache__)
	@mkdir -p $(@D); "$(or $(find_python),python3)" $(READER) > $@

.SECONDEXPANSION:
$(EXECUTED): $(REPORTS)/$(PROFILE)/%.ipynb: notebooks/%.ipynb notebooks/profiles/$(PROFILE).yaml \
  fer_utils/study/notebooks.py $(SHOWN) $$(NEEDS_$$(firstword $$(subst _, ,$$*))) | $(READY)
	@echo "$(PROFILE): $* …"
	@mkdir -p $(@D); start=$$SECONDS; \
	  { said=$$($(PY) -m fer_utils execute $< $@ --profile notebooks/profiles/$(PROFILE).yaml 2>&1 >&3); } 3>&1 || \
	  { sed -n '/^error: /,$$p' <<< "$$said" | grep . || echo "$$said"; exit 1; }; \
	  echo "$(PROFILE): $* done in $$((SECONDS - start)) s"

print-%: ; @echo '$($*)'
.PHONY: help reproduce edition queue test book book-test survival-test browser-test wheel-test webcam detector bench data tables lab lint audit lock clean
help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'
	@echo "  PROFILE=quick (default) or full;  GPU=1 for TensorFlow's CUDA build;  PY=python to use your own environment"
	@echo "  SCHEDULER=tcp://host:port trains the runs of \`reproduce\` on the workers of that Dask scheduler"

reproduce: $(EXECUTED)  ## run the study: every notebook under PROFILE (quick: and the solutions), copies in reports/PROFILE/
	@echo "$(PROFILE): $(words $(EXECUTED)) notebooks are up to date in $(REPORTS)/$(PROFILE)/"

edition: $(READY)  ## execute the full edition anew, without data, and compare what it says with the committed copies
	rm -rf build/full
	FER_DATA=$(CURDIR)/build/no-data $(MAKE) reproduce PROFILE=full REPORTS=build
	$(PY) -m fer_utils compare reports/full build/full

queue: $(READY)  ## train what the full study lacks, most valuable first, on any machine (MINUTES=, ITEMS=, WORKERS=side by side)
	$(PY) -m fer_utils queue --run $(if $(WORKERS),--workers $(WORKERS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ITEMS),--items $(ITEMS))

test: $(READY)  ## run the tests
	$(PY) -m pytest -n auto --dist loadfile

survival-test: $(READY)  ## kill trainings, searches and notebooks, fill the disk, lose workers; and what else takes minutes
	$(PY) -m pytest -n 0 -m survival

browser-test: $(READY)  ## run the live demo in a real JupyterLab and Chromium with a camera that is a file
	$(PY) -m pytest -n 0 -m browser tests/browser

wheel-test: $(READY)  ## build the wheel, install it alone in a bare environment, and predict (needs the network)
	$(PY) -m pytest -n 0 -m wheel tests/wheel

lint: $(READY)  ## check the code, the notebooks, and that imports run one way through the package
	$(PY) -m ruff check .
	$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint()" --no-logo

bench: $(READY)  ## time the live demo on two cores, two workers against one, and everything up to 16 x FER2013 (15 minutes)
	$(PY) -m fer_utils.live.measurements.bench
	$(PY) -m fer_utils.live.measurements.costs
	$(PY) -m fer_utils.study.speed_probe
	$(PY) -m fer_utils.report.benchmarks --figure $(REPORTS)/quick/growth.png

data: $(READY)  ## say which datasets are here, check their counts, and how to get the others (FETCH=fer2013 or ckplus)
	$(PY) -m fer_utils data $(if $(FETCH),--fetch $(FETCH))

BOOK := build/book
EDITION := reports/full
book: $(BOOK_READY)  ## build the book, a site of the executed notebooks and the reports, in build/book/site (no network needed)
	@rm -rf $(BOOK)
	$(PY) reports/book/sources.py $(BOOK)/sources --edition $(EDITION)
	$(PY) -m sphinx -q -W --keep-going -b html -d $(BOOK)/doctrees -c reports/book $(BOOK)/sources $(BOOK)/site
	@echo "The book is in $(BOOK)/site/index.html"

book-test: $(BOOK_READY)  ## build the book and look for broken links, pictures without words, and errors in Chromium
	$(PY) -m pytest -n 0 -m book tests/book

tables: $(READY)  ## write the results tables of README.md and reports/README.md from the records
	$(PY) -m fer_utils tables

lab: $(READY)  ## open the notebooks in JupyterLab, on this machine only
	TQDM_DISABLE=0 MPLBACKEND= $(PY) -m jupyterlab --ip=127.0.0.1 --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks \
	  --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

webcam: $(READY)  ## predicted expressions in a window, from the camera (CAMERA=0) or a file (VIDEO=path)
	$(PY) -m fer_utils.live.interface.desktop $(if $(VIDEO),--video "$$VIDEO",--camera $(or $(CAMERA),0)) $(if $(DETECTOR),--detector "$$DETECTOR")

detector: $(READY)  ## fetch YuNet, a detector of 230 KB, into the user's cache, from where every command takes it
	$(PY) -m fer_utils predict --fetch-detector

audit: $(READY)  ## look for known vulnerabilities among the locked packages (needs the network)
	$(PY) .ci/audit $(VENV)/audit $(LOCK)
	$(PY) .ci/audit $(VENV)/audit requirements-book.lock

lock:  ## resolve pyproject.toml anew into the lock files (needs uv)
	uv pip compile pyproject.toml --extra study --extra tensorflow --extra jax --extra bench --extra notebooks --extra test --extra cluster $(UV_LOCK) -o requirements.lock
	uv pip compile pyproject.toml --extra study --extra gpu --extra bench --extra notebooks --extra test --extra cluster $(UV_LOCK) -o requirements-gpu.lock
	uv pip compile pyproject.toml --extra book -c requirements.lock $(UV_LOCK) -o requirements-book.lock
UV_LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --custom-compile-command "make lock"

clean:  ## remove what the quick profile and the tools have made; records, data and .venv stay
	rm -rf reports/quick .hypothesis .pytest_cache .ruff_cache build *.egg-info
	find fer_utils tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
