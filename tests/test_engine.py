"""The warm engine: nothing passes from one notebook to the next, and a kernel that dies takes nobody with it."""

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from test_book import PARAMETERS, tree, write_notebook
from wardbook import engine
from wardbook.run import runner

WARNS = """\
import warnings
from wardbook import periods
exec(compile("warnings.warn('once')", "m", "exec"), vars(periods) | {"warnings": warnings})
"""
# Everything that a notebook can leave behind and that `wardbook.reset` puts back.
DIRTY = {
    "names": "left = 1\ndel _i\nIn.append('x')\n'an output'",
    "builtins": "import builtins\nbuiltins.left_in_builtins = 1\nbuiltins.copyright = 7",
    "warnings": WARNS + "warnings.simplefilter('ignore')\nwarnings.showwarning = lambda *_, **__: None",
    "environment": "import os, time\nos.environ['LEFT'] = '1'\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()",
    "directory": "os.chdir('/')",
    "path": "import sys\nsys.path.insert(0, '/left')\nsys.argv.append('left')\nsys.setrecursionlimit(500)",
    "random": "import random\nimport numpy as np\nrandom.seed(1)\nnp.random.seed(1)\nimport polars as pl\npl.set_random_seed(1)",
    "numpy": "np.set_printoptions(precision=1)\nnp.seterr(divide='raise')",
    "polars": "pl.Config.set_tbl_rows(1)\npl.Config.set_fmt_float('full')\npl.Config.set_decimal_separator(',')",
    "pandas": "import pandas\npandas.set_option('display.max_rows', 2)",
    "altair": (
        "import altair as alt\nalt.renderers.enable('png')\nalt.theme.enable('dark')\nalt.data_transformers.disable_max_rows()\n"
        "alt.theme.register('left', enable=True)(lambda: {})\nimport vl_convert\n"
        "vl_convert.vegalite_to_svg(alt.Chart(pl.DataFrame({'x': [1]})).mark_point(clip=True).encode(x='x:Q').to_json())"
    ),
    "logging": (
        "import logging\nlogging.root.setLevel(10)\nlogging.disable(50)\nlogging.getLogger('left').addHandler(logging.NullHandler())\n"
        "logging.getLogger().addHandler(logging.NullHandler())"
    ),
    "package": (
        "from wardbook import places\nplaces.LONDON = 'Paris'\nplaces.left = 1\nplaces.boroughs()\n"
        "from wardbook.figures import theme\ntheme.WIDTH = 1"
    ),
    "display": (
        "shell = get_ipython()\nshell.display_formatter.formatters['text/plain'].for_type(int, lambda *_: None)\n"
        "shell.ast_node_interactivity = 'all'\nshell.events.register('pre_run_cell', lambda *_: print('left'))\n"
        "shell.input_transformers_post.append(lambda lines: lines)\nshell.set_custom_exc((KeyError,), lambda *_, **__: None)"
    ),
}
PROBE = """\
import builtins, logging, os, random, sys, time, warnings
import altair as alt, numpy as np, pandas, polars as pl
from wardbook import periods, places
from wardbook.figures import claims, comparison, engagement, maps, stops, theme, trends, workload
shell = get_ipython()
state = {
    'names': [sorted(n for n in globals() if n.startswith('left')), len(In), sorted(Out), _oh, '_1' in globals()],
    'builtins': [hasattr(builtins, 'left_in_builtins'), builtins.copyright == 7],
    'warnings': [len(warnings.filters), warnings.showwarning.__module__],
    'environment': ['LEFT' in os.environ, os.environ.get('TZ'), time.tzname],
    'directory': os.getcwd(),
    'path': ['/left' in sys.path, 'left' in sys.argv, sys.getrecursionlimit()],
    'random': [random.random() == 0.13436424411240122, np.random.random() == 0.417022004702574,
               pl.select(pl.int_range(1000).shuffle()).to_series().head(3).to_list() == SHUFFLED],
    'numpy': [np.get_printoptions()['precision'], np.geterr()['divide'], repr(np.array([1 / 3]))],
    'polars': [repr(pl.DataFrame({'a': [1.23456789e7, 2.0, 3.0]}))],
    'pandas': pandas.get_option('display.max_rows'),
    'altair': [alt.renderers.active, alt.theme.active, alt.data_transformers.options, sorted(alt.theme.names())],
    'logging': [logging.root.level, logging.root.manager.disable, len(logging.root.handlers), len(logging.getLogger('left').handlers)],
    'package': [places.LONDON, hasattr(places, 'left'), places.boroughs.cache_info().currsize, theme.WIDTH],
    'display': [shell.ast_node_interactivity, len(shell.events.callbacks['pre_run_cell']),
                len(shell.input_transformers_post), shell.custom_exceptions],
}
import json
print(json.dumps(state, default=str))
"""


@pytest.fixture(autouse=True)
def no_kernel_left():
    engine.close()
    yield
    engine.close()


def executed(path: Path, **more) -> nbformat.NotebookNode:
    out = path.with_name(f"{path.stem}.out.ipynb")
    with runner._kernel_of_this_environment():
        return papermill.execute_notebook(
            str(path),
            str(out),
            progress_bar=False,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--log-level=50"],
            **more,
        )


def warm(path: Path) -> nbformat.NotebookNode:
    return executed(path, engine_name=engine.NAME)


def outputs(notebook: nbformat.NotebookNode) -> list:
    return [(cell.execution_count, cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> dict[str, Path]:
    """A notebook that leaves everything behind, and one that looks for it."""
    base = tmp_path_factory.mktemp("engine")
    seeded = "import polars as pl\npl.set_random_seed(1)\npl.select(pl.int_range(1000).shuffle()).to_series().head(3).to_list()"
    space = {}
    exec(seeded.rsplit("\n", 1)[0] + "\nSHUFFLED = " + seeded.rsplit("\n", 1)[1], space)
    probe = PROBE.replace("SHUFFLED", repr(space["SHUFFLED"]))
    return {
        "dirty": write_notebook(base / "one", "dirty", *DIRTY.values()),
        "probe": write_notebook(base / "two", "probe", probe, WARNS, "len(In)", "1 / 3"),
    }


@pytest.mark.slow
def test_nothing_a_notebook_leaves_reaches_the_next(notebooks):
    fresh = executed(notebooks["probe"])
    warm(notebooks["dirty"])
    after = warm(notebooks["probe"])
    assert engine.spent().kernels >= 1
    found, wanted = (json.loads(made.cells[2].outputs[0].text) for made in (after, fresh))
    assert {key: found[key] for key in DIRTY} == {key: wanted[key] for key in DIRTY}
    assert outputs(after) == outputs(fresh)
    assert [cell.execution_count for cell in after.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5]


def test_one_kernel_serves_notebook_after_notebook(tmp_path):
    path = write_notebook(tmp_path, "who", "import os\nos.getpid()")
    before = engine.spent().kernels
    pids = {warm(path).cells[2].outputs[0].data["text/plain"] for _ in range(3)}
    assert (len(pids), engine.spent().kernels - before) == (1, 1)


@pytest.mark.parametrize(
    "harm",
    [
        "import os\nos._exit(1)",
        "1 / 0",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ],
    ids=["death", "error", "thread"],
)
def test_a_kernel_that_cannot_be_trusted_is_not_used_again(tmp_path, harm):
    bad, good = write_notebook(tmp_path, "bad", harm), write_notebook(tmp_path, "good", "import os\nos.getpid()")
    first = outputs(warm(good))[-1][1][0].data
    if "Thread" in harm:
        warm(bad)
    else:
        with pytest.raises(Exception, match="Kernel died|ZeroDivisionError"):
            warm(bad)
    (count, (answer,)) = outputs(warm(good))[-1]
    assert (count, answer.data == first) == (2, False)


def test_a_cell_that_kills_its_kernel_costs_only_its_own_run(tmp_path):
    folder = tmp_path / "notebooks"
    # Only in Lewisham does the second notebook end its kernel.
    write_notebook(folder, "01_first", "print(borough)")
    write_notebook(folder, "02_second", "import os\nif borough == 'Lewisham':\n    os._exit(9)\nprint(borough)")

    def start(borough):
        return runner.run(borough, "2023-24", out=tmp_path / "out", folder=folder, engine=engine.NAME)

    before = start("Camden")
    with pytest.raises(
        runner.RunFailed, match=r"02_second failed in cell \[3\] `import os`: DeadKernelError"
    ) as caught:
        start("Lewisham")
    assert caught.value.copy.is_file(), "what ran before the crash is there to look at"
    assert not (tmp_path / "out" / "lewisham" / "2023-24").exists()
    assert tree(start("Camden")) == tree(before)


def test_the_engine_is_papermills_by_its_entry_point():
    from papermill.engines import papermill_engines

    assert papermill_engines.get_engine("wardbook-warm") is engine.WarmEngine


@pytest.mark.slow
@pytest.mark.parametrize("borough", ["Kingston upon Thames"])
def test_the_outputs_of_every_notebook_equal_a_fresh_kernels(tmp_path, borough):
    """Each notebook on the kernel of those before it and of one that leaves everything behind; `make bench` compares five."""
    fresh = runner.run(borough, out=tmp_path / "fresh")
    for name in runner.notebooks():
        warm(write_notebook(tmp_path / "other", "other", *DIRTY.values(), parameters=PARAMETERS))
        same = runner.run(borough, only=[name], out=tmp_path / "warm", engine=engine.NAME)
    assert tree(same) == tree(fresh)
