# Short names for `uv run …` commands. The table in outputs/README.md has each beside its command; `make help` prints it;
# tests/test_setup.py runs every target with a uv that only prints and compares the two.

UV_VERSION = 0.13.8
OWN_UV = .uv/$(UV_VERSION)/bin/uv
# A uv on PATH is used if it answers (a version manager's stand-in for one it does not have fails); otherwise the project
# fetches its own into .uv/.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(OWN_UV))
INSTALLED = .venv/.installed

BOROUGH = Tower Hamlets
PERIOD =
OFFENCE = crime
FROM = year to 2025-02
TO = latest
CHART = year-change
SIZE = column
INTO = paper
RAW = $(or $(WARDBOOK_RAW),data/raw)
# Recipes read these from the environment, so a name with a blank or a quote in it stays one argument.
export BOROUGH PERIOD OFFENCE FROM TO CHART SIZE INTO RAW

.DEFAULT_GOAL := help
.PHONY: book claim export all site lab test check-all faults mutants lint notebooks fetch build bench clean help

book: $(INSTALLED)
	$(UV) run wardbook run --borough "$$BOROUGH" $${PERIOD:+--period "$$PERIOD"}

claim: $(INSTALLED)
	$(UV) run wardbook claim --borough "$$BOROUGH" --offence "$$OFFENCE" --from "$$FROM" --to "$$TO"

export: $(INSTALLED)
	$(UV) run wardbook export --borough "$$BOROUGH" --chart "$$CHART" --size "$$SIZE" --to "$$INTO"

all: $(INSTALLED)
	$(UV) run wardbook run --all

site: $(INSTALLED)
	$(UV) run wardbook site

lab: $(INSTALLED)
	$(UV) run wardbook lab

# loadfile: the cells of a notebook share a kernel, so they must go to one worker.
test: $(INSTALLED)
	$(UV) run pytest -n 2 --dist loadfile --nbval tests notebooks

# What `test` samples, whole: every borough, and the share of lines and branches that the tests reach. Twenty minutes or more.
check-all: $(INSTALLED)
	$(UV) run --group check pytest -n 2 --dist loadfile --every-borough --cov --cov-fail-under=95 tests

# An hour or more: mutants of four modules, each met by the tests that reach it. Goes on where it was stopped.
mutants: $(INSTALLED)
	$(UV) run --group check python tests/mutants.py

# 300 faults at seeded points of fetches, builds, runs, batches and the site: kills, signals, a full disk, two at once; CI samples.
faults: $(INSTALLED)
	$(UV) run python tests/faults.py

lint: $(INSTALLED)
	$(UV) run ruff check
	$(UV) run ruff format --check

notebooks: $(INSTALLED)
	$(UV) run wardbook notebooks

fetch: $(INSTALLED)
	$(UV) run wardbook fetch --borough "$$BOROUGH" --raw "$$RAW"

build: $(INSTALLED)
	$(UV) run wardbook build --raw "$$RAW" --out data/edition

# An hour or more, on a quiet machine. The group holds what it compares with, which nothing else needs.
bench: $(INSTALLED)
	$(UV) run --group bench python tests/bench.py

# Only what git ignores under these names: work/, outputs/ and data/raw/ are the reader's own and stay.
clean:
	git clean -fdXq -- .venv .uv .pytest_cache .ruff_cache .hypothesis .coverage mutants lib tests

help:
	@awk -F ' [|] ' '/^[|] `make / { gsub(/`/, ""); sub(/^[|] /, ""); sub(/ [|]$$/, ""); \
		printf "%-15s %s\n%-15s = %s\n", $$1, $$2, "", $$3 }' outputs/README.md

# --locked: install what uv.lock says or fail, never resolve anew. --compile-bytecode: where PYTHONDONTWRITEBYTECODE is
# set, every start of a kernel would otherwise compile every import again.
$(INSTALLED): uv.lock pyproject.toml $(filter .uv/%,$(UV))
	$(UV) sync --locked --compile-bytecode
	@touch $@

$(OWN_UV):
	@python3 -m venv .uv/$(UV_VERSION) || { rm -rf .uv/$(UV_VERSION); \
		echo 'No uv on PATH, and python3 could not make a virtual environment to install it in.' >&2; \
		echo 'Debian and Ubuntu keep that part of Python apart: apt install python3-venv' >&2; exit 1; }
	.uv/$(UV_VERSION)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
