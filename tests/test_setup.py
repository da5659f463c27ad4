"""The set-up holds together: one list of packages, one set of commands, one story in every file that tells it."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from typer.main import get_command

from cells import code
from conftest import ROOT
from wardbook import cli

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = {room: (ROOT / room / "README.md").read_text(encoding="utf-8") for room in ("data", "outputs", "tests", "lib")}

# PyPI name → conda-forge name, for the packages that conda-forge calls something else.
CONDA_NAMES = {"playwright": "playwright-python"}
# What conda-forge does not have; pip adds it.
PIP_ONLY = {"dataframely", "gptables", "axe-playwright-python"}

# The table of commands in outputs/README.md: make target → the commands of the right-hand column.
TARGETS = {
    target: re.findall(r"`([^`]+)`", twin)
    for target, twin in re.findall(r"^\| `make ([\w-]+)` \| .+? \| (.+?) \|$", ROOMS["outputs"], re.MULTILINE)
}


def split_requirement(requirement: str) -> tuple[str, str]:
    """`Name>=1.2` as its normalised name and its bounds."""
    name, bounds = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement).groups()
    return re.sub(r"[-_.]+", "-", name).lower(), bounds


def declared(*more: str) -> dict[str, str]:
    """Every package pyproject.toml asks for, by normalised name, with its bounds; `more` are further groups."""
    groups = [PROJECT["project"]["dependencies"], *(PROJECT["dependency-groups"][name] for name in ("dev", *more))]
    return dict(split_requirement(requirement) for group in groups for requirement in group)


# The environment ------------------------------------------------------------------------------------------------------


def test_environment_yml_asks_for_what_pyproject_asks_for():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = dict(split_requirement(entry) for entry in entries if isinstance(entry, str))
    (from_pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]

    wanted = {CONDA_NAMES.get(name, name): bounds for name, bounds in declared().items() if name not in PIP_ONLY}
    wanted |= {"python": PROJECT["project"]["requires-python"], "pip": ""}
    assert conda == wanted
    assert dict(map(split_requirement, from_pip[:-1])) == {name: declared()[name] for name in PIP_ONLY}
    assert from_pip[-1] == "-e ."


def test_every_import_is_of_a_declared_package():
    """A package that only comes along with another is gone the day that other one drops it."""
    modules = [path for room in ("lib", "tests") for path in (ROOT / room).rglob("*.py")]
    sources = {path.name: path.read_text(encoding="utf-8") for path in modules}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        sources[path.name] = "\n".join(source for _, source in code(path.stem))

    ours = {"wardbook", "bad_input", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    packages = metadata.packages_distributions()
    missing = set()
    for name, source in sources.items():
        # Only the bench may import what only the bench asks for; conda users do not get it.
        allowed = set(declared(*["bench"] * (name == "bench.py")))
        nodes = list(ast.walk(ast.parse(source)))
        named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        for module in {name.partition(".")[0] for name in named} - sys.stdlib_module_names - ours:
            if not allowed & {split_requirement(name)[0] for name in packages.get(module, [module])}:
                missing.add(f"{name} imports {module}")
    assert not missing, f"not in pyproject.toml: {sorted(missing)}"


def test_the_lock_names_one_public_registry_and_no_path():
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    sources = [package["source"] for package in lock["package"] if package["source"] != {"editable": "."}]
    (registry,) = {source["registry"] for source in sources}
    assert registry.startswith("https://") and set().union(*sources) == {"registry"}


# The commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path):
    """Run make in a copy of the set-up where `uv` only says how it was called; returns the calls and the process."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    folder = tmp_path / "a folder"
    (folder / ".venv").mkdir(parents=True)
    for name in ["Makefile", "README.md", "pyproject.toml", "uv.lock", "outputs/README.md"]:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    tools = tmp_path / "tools"
    tools.mkdir()
    log = tmp_path / "calls"
    for name in ["uv", "git"]:
        (tools / name).write_text(f"#!/bin/sh\n{{ printf '%s\\0' {name} \"$@\"; echo; }} >>'{log}'\n")
        (tools / name).chmod(0o755)

    def run(*arguments, **more):
        # make hands its own flags and variables down: a test run by `make test BOROUGH=…` must not see them.
        kept = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "WARDBOOK_RAW"}}
        environment = kept | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"} | more
        done = subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        calls = [line.split("\0")[:-1] for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return [call for call in calls if call != ["uv", "--version"]], done

    run.tools = tools
    return run


def test_each_target_is_in_readme_with_the_command_it_runs(make):
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(TARGETS) == sorted(phony[1].split())
    sync = ["uv", "sync", "--locked", "--compile-bytecode"]
    assert make("lint")[0][0] == sync, "the first target to run installs"
    printed = make("help")[1].stdout
    for target, twin in TARGETS.items():
        calls, done = make(target)
        assert done.returncode == 0, done.stderr
        assert calls == [shlex.split(command) for command in twin], target
        assert all(text in printed for text in (f"make {target}", *twin))


@pytest.mark.parametrize("borough", ["Lewisham", "Kensington and Chelsea", 'King\'s; echo `id` "x" && false'])
def test_a_borough_reaches_the_command_as_one_argument(make, borough):
    calls, _ = make("book", f"BOROUGH={borough}", "PERIOD=2023-24")
    assert calls[-1] == ["uv", "run", "wardbook", "run", "--borough", borough, "--period", "2023-24"]


def test_build_reads_the_folder_the_environment_names(make):
    assert make("build", WARDBOOK_RAW="../some where/raw")[0][-1][4:6] == ["--raw", "../some where/raw"]
    assert make("build", "RAW=x", WARDBOOK_RAW="../raw")[0][-1][4:6] == ["--raw", "x"]


def test_without_uv_or_venv_the_message_says_what_to_install(make):
    for name in ["uv", "python3"]:  # a version manager's stand-in for a uv it has not; Debian's python3 without venv
        (make.tools / name).write_text("#!/bin/sh\nexit 1\n")
        (make.tools / name).chmod(0o755)
    _, done = make("book")
    assert done.returncode == 2
    assert "apt install python3-venv" in done.stderr


def test_every_wardbook_command_in_a_readme_exists_with_its_options():
    commands = re.findall(r"uv run wardbook ([^`\n]+)", "\n".join([README, *ROOMS.values()]))
    assert len(commands) > 10
    known = get_command(cli.app).commands
    for name, *words in map(shlex.split, commands):
        options = {option for one in known[name].params for option in (*one.opts, *one.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= options, name


# What CI runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_ci_and_its_workflow_run_the_commands_that_readme_prints():
    listed = subprocess.run(["bash", ROOT / ".ci" / "run", "--list"], capture_output=True, text=True, check=True).stdout
    names = ["lint", "book", "test"]  # pytest's summary closes the output
    assert listed == "".join(f"{name}\tmake {name}\n" for name in names)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [f"bash .ci/run {name}" for name in names]


# Licences and size ----------------------------------------------------------------------------------------------------


def test_the_data_licence_names_every_publisher_and_attribution_of_the_catalogue():
    catalogue = tomllib.loads((ROOT / "data" / "catalogue.toml").read_text(encoding="utf-8"))
    licence = (ROOT / "data" / "LICENCE.md").read_text(encoding="utf-8")
    publishers = {source["publisher"] for source in catalogue["sources"].values()}
    assert {name for name in publishers if f"| {name} |" not in licence} == set()
    for entry in catalogue["licences"].values():
        for sentence in re.split(r"[.;] (?=Contains)", entry["attribution"]):
            assert sentence in licence


def test_the_example_run_names_its_edition_and_readme_shows_it():
    example = ROOT / "outputs" / "tower-hamlets" / "year-to-2026-02"
    record = json.loads((example / "run.json").read_text(encoding="utf-8"))
    manifest = json.loads((ROOT / "data" / "edition" / "manifest.json").read_text(encoding="utf-8"))
    assert record["edition"] == manifest["edition"]
    ((alt_text, path),) = re.findall(r"^!\[(.+)\]\((outputs/.+)\)$", README, flags=re.MULTILINE)
    assert alt_text in " ".join((ROOT / path).with_suffix(".txt").read_text(encoding="utf-8").split())


def test_readme_is_one_screen_long_and_points_to_each_room():
    assert len(README.splitlines()) <= 110
    assert all(f"({room}/README.md)" in README for room in ROOMS)
    assert "00_your_own_analysis" in "\n".join(README.splitlines()[:40])


def test_each_recipe_of_readme_runs_as_it_is_printed(make):
    """Without uv on PATH too: `make` finds its own."""
    recipes = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    assert len(recipes) >= 7
    for recipe in recipes:
        words = shlex.split(recipe)
        assert words[0] == "make", recipe
        calls, done = make(*words[1:])
        assert done.returncode == 0, f"{recipe}: {done.stderr}"
        assert all(word.partition("=")[2] in "\0".join(calls[-1]) for word in words[2:]), recipe


def test_no_tracked_file_is_large_and_the_example_run_is_small():
    """A file over 1.5 MB is a publisher's file, or a notebook with its data inside, until somebody argues otherwise.

    Argued: sixteen years of 679 wards by offence group, five million counts in under four megabytes.
    """
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout, or nothing is in it")
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    allowed = {"data/edition/ward_offences.parquet": 4_000_000}
    assert {name: size for name, size in sizes.items() if size > allowed.get(name, 1_500_000)} == {}
    assert sum(size for name, size in sizes.items() if name.startswith("outputs/tower-hamlets/")) < 3_000_000


# What an import costs -------------------------------------------------------------------------------------------------

IMPORT = """
import json, sys
__import__(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
LATER = {"geopandas", "statsmodels", "dask", "distributed"}
HEAVY = LATER | {"polars", "altair", "numpy", "pandas", "scipy", "papermill"}
COSTS = [("wardbook", HEAVY), ("wardbook.cli", HEAVY), ("wardbook.run.many", LATER)]


@pytest.mark.parametrize(("module", "without"), COSTS)
def test_what_is_slow_to_import_is_imported_only_where_it_is_used(module, without):
    """Seen to fail with `import polars` in `wardbook/__init__.py`; tests/bench.py times it."""
    done = subprocess.run([sys.executable, "-c", IMPORT, module], check=True, capture_output=True, text=True)
    assert not set(json.loads(done.stdout)) & without
