# Everything a fresh machine needs is Python >= 3.11 and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-elsewhere test-slow fuzz lint docs bench clean install ci wheel-test sdist-test
.DEFAULT_GOAL := install

install: $(STAMP)

# uv installs the 6 GB of torch in half a minute where pip needs minutes; versions are those of constraints.txt.
$(STAMP): pyproject.toml packages/genomics/pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mclstexp needs Python 3.11 or newer; found " + sys.version.split()[0] + ": run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]' --editable packages/genomics
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/mclstexp demo --out demo --overwrite

# Both distributions, the second lies in packages/genomics. A process per core, each with one thread: a third of the
# time; what is compiled is kept, or each would compile again.
test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

# Other numerics, terminals, homes, Pythons and versions; a table at the end: see docs/machines.md.
test-elsewhere: $(STAMP)
	$(BIN)/python tools/test_elsewhere.py

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Mutated inputs to every door that reads files: make fuzz N=20000; python -m fuzz --help says more.
N ?= 300
fuzz: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m fuzz --number $(N)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd packages/genomics && PYTHONPATH=src $(abspath $(BIN))/lint-imports

# Tutorials are run; those with real data where MCLSTEXP_DATA names its folder. Then open docs/_build/html/index.html.
docs: $(STAMP)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,docs]'
	OMP_NUM_THREADS=2 $(BIN)/sphinx-build -W --keep-going docs docs/_build/html

bench: $(STAMP)
	for script in benchmarks/bench_*.py benchmarks/whole_slide.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# What comes out of the package in an environment that has nothing else: it reads, fits, predicts and reports.
wheel-test: $(STAMP)
	rm -rf dist build/wheel
	$(BIN)/uv build --quiet --out-dir dist
	$(BIN)/uv venv --quiet --python $(BIN)/python build/wheel
	$(BIN)/uv pip install --quiet --python build/wheel/bin/python --constraint constraints.txt dist/*.whl
	cd build/wheel && PYTHONPATH= bin/mclstexp doctor && PYTHONPATH= bin/mclstexp demo --out demo

# The tests that are shipped, run where they are unpacked, on the wheel and the test extras: make sdist-test ONLY=tests/core.
ONLY ?= tests
sdist-test: wheel-test
	rm -rf build/sdist && mkdir -p build/sdist
	tar -xzf dist/*.tar.gz -C build/sdist --strip-components 1
	$(BIN)/uv pip install --quiet --python build/wheel/bin/python --constraint constraints.txt beartype hypothesis pydicom pytest pytest-timeout pytest-xdist
	cd build/sdist && OMP_NUM_THREADS=1 PYTHONPATH= ../wheel/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal $(ONLY)

# Every step of .github/workflows/ci.yml that one machine can take.
ci: lint test demo wheel-test docs

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
