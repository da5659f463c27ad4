"""Nothing runs that was only read, nothing listens beyond this machine, nothing that leaves carries code, a person or a path."""

import json
import os
import re
import shutil
import subprocess

import httpx
import polars as pl
import pytest
import yaml

from conftest import ROOT

SOURCES = sorted((ROOT / "lib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


# Jupyter --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_running_lab_listens_on_loopback_and_refuses_who_has_no_token(lab):
    assert lab["hostname"] == "127.0.0.1" and len(lab["token"]) >= 32
    address = f"{lab['url']}api/contents"
    assert httpx.get(address, trust_env=False).status_code == 403
    assert httpx.get(address, params={"token": lab["token"]}, trust_env=False).status_code == 200


# What is read ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_read_is_executed_and_no_archive_unpacked_by_its_names(path):
    """What `make lint` does not look for; the rest it does (S and TID251 in pyproject.toml)."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<!\.)\bcompile\(|__import__\(|\.extractall\(|allow_pickle|CERT_NONE", text)


# What leaves ----------------------------------------------------------------------------------------------------------


def texts_of(path):
    """What a file shows, without its drawings: coordinates look like any number."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        data = [part for one in outputs for part in one.get("data", {}).items()]
        shown = [value for kind, value in data if kind.startswith("text/")]
        return ["".join(one) for one in [c["source"] for c in cells] + [o.get("text", "") for o in outputs] + shown]
    return re.findall(r">([^<]+)<", text) if path.suffix in (".svg", ".html") else [text]


MACHINE = re.compile(r"(?:/home/|/Users/|/root/|/tmp/|/work/|/var/folders/|[A-Z]:\\Users)[\w.-]*")
EMAIL = re.compile(r"[\w.+-]+@(?!users\.noreply)[\w-]+\.[a-z]{2,}", re.I)
PERSON = re.compile(r"\b(?:PCSO|PC|DC|PS|Sgt|Sergeant|Inspector|Insp|Constable|Supt) [A-Z][a-z]+")
LONDON_POINT = re.compile(r"\b51\.[2-7]\d{3,}\D{1,20}-?0\.[0-5]\d{3,}")


def told(text):
    """What in a text is no reader's business: a path of a machine, a mail address, an officer, a point finer than a ward."""
    return [found[0] for pattern in (MACHINE, EMAIL, PERSON, LONDON_POINT) if (found := pattern.search(text))]


def test_no_table_of_the_edition_has_a_column_for_a_person_or_a_point():
    rows = pl.read_csv(ROOT / "data" / "dictionary.csv")
    for name in rows["column"]:
        assert not re.search(r"latitude|longitude|officer$|officer_name|person|email|phone|contact", name), name
    wards = pl.read_parquet(ROOT / "data" / "edition" / "wards.parquet")
    assert wards.height == wards.select("easting", "northing").unique().height, "a point a ward, no finer"


def test_no_committed_notebook_and_no_output_of_a_run_names_a_person_a_machine_or_a_fine_point():
    """Of the committed example, which is all eight notebooks' and made again whenever what they write changes."""
    example = ROOT / "outputs" / "tower-hamlets"
    files = [path for path in example.rglob("*") if path.suffix in (".csv", ".txt", ".svg", ".json", ".html")]
    assert len(files) > 100
    for path in (*NOTEBOOKS, *files):
        for shown in texts_of(path):
            assert told(shown) == [] and str(ROOT) not in shown, f"{path}: {shown[:200]}"


# What CI may do -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_every_action_and_may_only_read_the_code(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({"contents": "read"}, {})
    for action in re.findall(r"uses: *(\S+)", text):
        assert re.search(r"@[0-9a-f]{40}$", action), f"{action} can change under us: pin a full commit"
    writes = [name for name, job in workflow["jobs"].items() if "write" in str(job.get("permissions", ""))]
    assert writes == {"captures": ["capture"], "pages": ["site", "release"]}.get(path.stem, [])
    assert "pull_request_target" not in text and "${{ github.event" not in text


@pytest.mark.skipif(not shutil.which("bash") or os.name == "nt", reason="needs bash")
@pytest.mark.parametrize(
    ("hashes", "online", "code"),
    [(True, False, 0), (False, False, 1), (True, True, 7)],
    ids=["offline", "bare", "online"],
)
def test_the_audit_fails_on_a_package_without_a_hash_and_not_for_want_of_a_network(tmp_path, hashes, online, code):
    tools = tmp_path / "tools"
    tools.mkdir()
    line = "one==1.0 \\\\\n    --hash=sha256:aa" if hashes else "one==1.0"
    uv = f'#!/bin/bash\nwhile [ "$1" != --output-file ]; do shift; done\nprintf "{line}\\n" > "$2"\n'
    curl = f"#!/bin/bash\nexit {0 if online else 6}\n"
    # What pip-audit found is what the script says.
    for name, script in (("uv", uv), ("curl", curl), ("uvx", "#!/bin/bash\nexit 7\n")):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    path = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", ROOT / ".ci" / "audit"], env=path, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("only the hashes were checked" in done.stdout) is (hashes and not online)
