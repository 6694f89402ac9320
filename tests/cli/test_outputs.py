"""No output takes the place of an input, of another output, or of what others wrote."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from fxsim.cli import app
from fxsim.folders import HIDDEN, held
from fxsim.network.storage import save_network
from tests.commands import TERNARY, fxsim_cli, small_network
from tests.places import MODELS

SPACE = """
variables: {bits: {set: [input.bits], to: [2, 4]}}
objectives: [loss, weight_memory_bits]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder, made the current one, with one of every input."""
    shutil.copytree(MODELS / TERNARY, tmp_path / "net", ignore=shutil.ignore_patterns(HIDDEN))
    shutil.copyfile(MODELS / TERNARY / "spec.yaml", tmp_path / "s.yaml")
    shutil.copyfile(MODELS / TERNARY / "checkpoint.npz", tmp_path / "checkpoint.npz")
    shutil.copyfile(MODELS / TERNARY / "spec.yaml", tmp_path / "net" / "network-spec.yaml")
    (tmp_path / "space.yaml").write_text(SPACE)
    np.save(tmp_path / "x.npy", np.zeros((1, 64)))
    (tmp_path / "link").symlink_to("s.yaml")
    (tmp_path / "hard.npy").hardlink_to(tmp_path / "x.npy")
    (tmp_path / "folder").symlink_to(".")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(folder):
    """Content of every file."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CASES = [
    ("train s.yaml -o s.yaml", "s.yaml", "--output and SPEC"),
    ("train s.yaml -o link", "link", "--output and SPEC"),
    ("train s.yaml -o c.npz --record folder/c.npz", "folder/c.npz", "--record and --output"),
    (
        "train s.yaml -o c.npz --record c.npz.resume",
        "c.npz.resume",
        "the state of --output and --record",
    ),
    ("noise s.yaml -o s.yaml", "s.yaml", "--output and SPEC"),
    ("noise s.yaml -o checkpoint.npz", "checkpoint.npz", "--output and --checkpoint"),
    ("noise s.yaml --checkpoint x.npy -o hard.npy", "hard.npy", "--output and --checkpoint"),
    ("simulate net --input x.npy -o x.npy", "x.npy", "--output and --input"),
    ("simulate net --input x.npy -o net/../x.npy", "net/../x.npy", "--output and --input"),
    (
        "simulate net --input x.npy -o net/network.npz",
        "net/network.npz",
        "--output and network.npz of NETWORK",
    ),
    ("fold net --luts 9999 -o net/spec.yaml", "net/spec.yaml", "--output and spec.yaml of NETWORK"),
    ("explore s.yaml --space space.yaml --store z --report z", "z", "--report and --store"),
    ("explore s.yaml --space space.yaml --store s.yaml", "s.yaml", "--store and SPEC"),
    (
        "explore s.yaml --space space.yaml --report checkpoint.npz",
        "checkpoint.npz",
        "--report and --checkpoint",
    ),
    ("explore s.yaml --space space.yaml --report space.yaml", "space.yaml", "--report and --space"),
    ("explore s.yaml --space space.yaml --pick 0 -o link", "link", "--output and SPEC"),
    (
        "quantize s.yaml --checkpoint net/network.npz -o net",
        "net/network.npz",
        "network.npz of --output and --checkpoint",
    ),
]


@pytest.mark.parametrize(("command", "path", "names"), CASES)
def test_an_output_is_no_input_and_no_other_output(command, path, names, here):
    before = everything(here)
    said = fxsim_cli(*command.split(), status=1).stderr
    last = names.partition(" and ")[0]
    assert said == f"error: {path}: {names} are the same file; give another {last}\n"
    assert everything(here) == before


DATA = """
simulate net --data mnist@set:test -o set/t10k-images-idx3-ubyte
simulate net --data mnist@set:test -o set/new.npy
simulate net --data mnist@set:test -o folder/set/raw/new.npy
simulate net --data mnist@set:test -o hard-images
train m.yaml -o set/t10k-images-idx3-ubyte
train m.yaml -o c.npz --record set/t10k-images-idx3-ubyte
noise m.yaml -o set/t10k-images-idx3-ubyte
explore m.yaml --space space.yaml --report set/t10k-images-idx3-ubyte
explore m.yaml --space space.yaml --pick 0 -o set/t10k-images-idx3-ubyte
explore m.yaml --space space.yaml --store set/new.sqlite
quantize m.yaml -o set
fold mnist-net --luts 9999 -o set/t10k-images-idx3-ubyte
verify mnist-net -o set
codesign mnist-net -o set/new
reproduce sung2015 --data mnist@set -o set
"""


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("command", DATA.strip().splitlines())
def test_no_output_is_in_a_data_set(command, given, here, monkeypatch):
    """Be it given with its name, or by the variable."""
    (here / "set" / "raw").mkdir(parents=True)
    (here / "set" / "t10k-images-idx3-ubyte").write_bytes(b"images")
    (here / "hard-images").hardlink_to(here / "set" / "t10k-images-idx3-ubyte")
    name = "mnist@set" if given else "mnist"
    if not given:
        monkeypatch.setenv("FXSIM_DATA", "set")
        command = command.replace("mnist@set", "mnist")
    text = (here / "s.yaml").read_text().replace("data: digits", f"data: {name}")
    assert name in text
    (here / "m.yaml").write_text(text)
    save_network(small_network(data=name), here / "mnist-net")
    before = everything(here)
    said = fxsim_cli(*command.split(), status=1).stderr
    option = next((o for o in ("--record", "--report", "--store") if o in command), "--output")
    path = command.split()[-1]
    reason = f"is in the data folder set of {name}; give another {option}"
    assert said == f"error: {path}: {option} {reason}\n"
    assert everything(here) == before


STORES = [
    ("explore s.yaml --space space.yaml --pick 1 -o other.sqlite", "--output", None),
    ("explore s.yaml --space space.yaml --report other.sqlite", "--report", None),
    ("simulate net --input x.npy -o other.sqlite", "--output", None),
    ("train s.yaml -o other.sqlite", "--output", None),
    ("noise s.yaml -o other.sqlite-wal", "--output", "other.sqlite"),
    ("fold net --luts 9999 -o other.sqlite-shm", "--output", "other.sqlite"),
    ("simulate net --input x.npy -o other.sqlite.lock", "--output", "other.sqlite"),
    ("explore s.yaml --space space.yaml --store other.sqlite.lock", "--store", "other.sqlite"),
    (
        "explore s.yaml --space space.yaml --store new.sqlite --report new.sqlite.lock",
        "--report",
        "new.sqlite",
    ),
]


@pytest.mark.parametrize(("command", "option", "store"), STORES)
def test_no_output_replaces_a_store(command, option, store, here):
    """Nor one of the files of a store."""
    with sqlite3.connect(here / "other.sqlite") as connection:
        connection.execute("create table results (x)")
    connection.close()
    for end in ("-wal", "-shm", ".lock"):
        (here / f"other.sqlite{end}").touch()
    before = everything(here)
    said = fxsim_cli(*command.split(), status=1).stderr
    reason = f"belongs to the store {store}" if store else "is an SQLite file, as of results"
    assert said == f"error: {command.split()[-1]}: {reason}; give another {option}\n"
    assert everything(here) == before


def test_no_output_is_among_the_locks(here):
    (here / HIDDEN).mkdir()
    said = fxsim_cli(*f"simulate net --input x.npy -o {HIDDEN}/lock".split(), status=1).stderr
    reason = f"{HIDDEN} is for fxsim alone; give another --output"
    assert said == f"error: {HIDDEN}/lock: {reason}\n"


def test_tensors_without_a_manifest_stay(here):
    """A plausible name for a float checkpoint."""
    (here / "q").mkdir()
    shutil.copyfile("s.yaml", "q/spec.yaml")
    shutil.copyfile("checkpoint.npz", "q/network.npz")
    before = everything(here)
    said = fxsim_cli("quantize", "q/spec.yaml", "--checkpoint", "x.npz", "-o", "q", status=1).stderr
    reason = "exists, and is of no network, since there is no network.yaml"
    assert said == f"error: q/network.npz: {reason}; move it away, or give another folder\n"
    assert everything(here) == before


def test_what_a_killed_save_left_is_no_input(here):
    name = f"network-{'0' * 64}.npz"
    shutil.copyfile("checkpoint.npz", f"net/{name}")
    before = everything(here)
    said = fxsim_cli("quantize", "s.yaml", "--checkpoint", f"net/{name}", "-o", "net", status=1)
    names = f"{name} of --output and --checkpoint"
    assert said.stderr == (
        f"error: net/{name}: {names} are the same file; give another {name} of --output\n"
    )
    assert everything(here) == before


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("verify little --sim icarus -o out", "icarus/run.log"),
        ("verify little --sim icarus --sim verilator -o out", "verilator/outcome_none.json"),
        ("verify zero-skip-64 --sim icarus --sim verilator -o out", "verilator/outcome_none.json"),
        ("verify mac-array-16x8 --sim icarus -o out", "icarus/run.log"),
        ("codesign net --sim icarus -o out", "verify/icarus/run.log"),
        ("codesign net --sim icarus -o out", "rtl/digits_mlp_ternary.v"),
        ("codesign net --sim icarus -o out", "results.json"),
        ("skip-study late -o out", "skip.png"),
    ],
)
def test_a_file_in_the_way_is_found_before_the_work(command, file, here, monkeypatch):
    def never(*_, **__):
        pytest.fail("must be refused before anything takes time")

    monkeypatch.setattr("fxsim.testbenches.verify.run", never)
    monkeypatch.setattr("fxsim.testbenches.units.run", never)
    monkeypatch.setattr("fxsim.simulator.evaluate.accuracy", never)
    monkeypatch.setattr("fxsim.explorer.skip.gate_gradients.from_trace", never)
    save_network(small_network(), here / "little")
    path = Path("out") / file
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    said = fxsim_cli(*command.split(), status=1).stderr
    reason = "exists, and fxsim did not write it; move it away, or give another folder"
    assert said.splitlines()[-1] == f"error: {path}: {reason}"
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("command", "path", "reason"),
    [
        ("simulate net --input x.npy -o net", "net", "is a folder, not a file"),
        ("train s.yaml -o net", "net", "is a folder, not a file"),
        ("train s.yaml -o c.npz --record x.npy/steps", "x.npy", "is a file, not a folder"),
        ("explore s.yaml --space space.yaml --report net", "net", "is a folder, not a file"),
    ],
)
def test_a_folder_in_the_way_is_found_before_the_work(command, path, reason, here, monkeypatch):
    monkeypatch.setattr("fxsim.data.load", lambda *_: pytest.fail("must be refused before"))
    assert fxsim_cli(*command.split(), status=1).stderr == f"error: {path}: {reason}\n"


@pytest.mark.parametrize(
    "command", ["quantize s.yaml -o gone", "generate net -o gone", "noise s.yaml -o gone/x.svg"]
)
def test_a_dangling_link_for_a_folder(command, here):
    (here / "gone").symlink_to("nowhere")
    said = fxsim_cli(*command.split(), status=1).stderr
    assert said == "error: gone: is a symbolic link to nowhere, which does not exist\n"


FOLDERS = ("quantize", "generate", "synth", "verify", "codesign", "skip-study", "reproduce")
"""Commands whose output is a folder; their files are refused one by one."""


def test_every_option_for_a_file_is_tested():
    """Options for a path, as the command line itself knows them."""
    read, found = {"--input", "--checkpoint", "--space"}, set()
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        for hint in get_type_hints(command.callback, include_extras=True).values():
            for option in getattr(hint, "__metadata__", ()):
                if Path in (hint.__origin__, *get_args(hint.__origin__)):
                    flags = map(str, (option.default, *(option.param_decls or ())))
                    found |= {(name, flag) for flag in flags if flag.startswith("--")}
    written = {(name, flag) for name, flag in found if flag not in read}
    folders = {(name, flag) for name, flag in written if name in FOLDERS}
    assert folders == {(name, "--output") for name in FOLDERS}
    tested = {
        (command.split()[0], part)
        for command, _, names in CASES
        for part in names.split()
        if part.startswith("--")
    }
    assert written - folders <= tested
    assert len(written - folders) == 8


def test_a_folder_with_inputs_takes_outputs(here):
    """Where nothing is replaced."""
    before = everything(here / "net")
    before.pop(here / "net" / "network.yaml")
    before.pop(here / "net" / "network.npz")
    fxsim_cli("quantize", "net", "-o", "net")
    fxsim_cli("generate", "net", "-o", "net")
    after = everything(here / "net")
    assert {path: after[path] for path in before} == before
    assert (here / "net" / "manifest.json").exists()


def test_a_file_that_is_no_network_stays(here):
    path = Path("other") / "network.yaml"
    path.parent.mkdir()
    path.write_text((here / "s.yaml").read_text())
    said = fxsim_cli("quantize", "s.yaml", "-o", "other", status=1).stderr
    reason = "exists, and is not a network; move it away, or give another folder"
    assert said == f"error: {path}: {reason}\n"
    assert path.read_text() == (here / "s.yaml").read_text()


def test_generate_leaves_what_others_wrote(here):
    save_network(small_network(), here / "little")
    (here / "out").mkdir()
    (here / "out" / "mine.v").write_text("mine")
    for _ in range(2):
        fxsim_cli("generate", "little", "-o", "out")
    (here / "out" / "manifest.json").unlink()
    (here / "out" / HIDDEN / "generate.json").unlink()
    (here / "out" / "little.v").write_text("mine")
    said = fxsim_cli("generate", "little", "-o", "out", status=1).stderr
    reason = "exists, and fxsim did not write it; move it away, or give another folder"
    assert said == f"error: out/little.v: {reason}\n"
    assert {path.name for path in (here / "out").glob("[!.]*")} == {"mine.v", "little.v"}
    assert {path.read_text() for path in (here / "out").glob("*.v")} == {"mine"}


def test_generate_clears_its_own_stale_files(here):
    """Those of another design before, but what was changed since."""
    save_network(small_network(), here / "little")
    fxsim_cli("generate", "zero-skip-64", "-o", "out")
    assert {path.name for path in (here / "out").glob("[!.]*")} == {
        *("manifest.json", "zero_skip_64.v", "zero_skip_64_weights.hex")
    }
    (here / "out" / "zero_skip_64_weights.hex").write_text("mine")
    fxsim_cli("generate", "little", "-o", "out")
    assert {path.name for path in (here / "out").glob("[!.]*")} == {
        *("manifest.json", "little.v", "zero_skip_64_weights.hex")
    }


def test_a_device_is_no_output(here):
    os.mkfifo(here / "pipe")
    said = fxsim_cli("noise", "s.yaml", "-o", "pipe", status=1).stderr
    assert said == "error: pipe: is not a regular file\n"
    assert (here / "pipe").is_fifo()


def test_a_run_that_goes_on_is_alone(here):
    """Commands that take up what they find refuse a second one at once."""
    with held(here / HIDDEN / "c.npz.lock", here):
        said = fxsim_cli("train", "s.yaml", "-o", "c.npz", status=1).stderr
    assert said == "error: c.npz: another run is writing to it\n"
    with held(here / "paper" / HIDDEN / "run.lock", here):
        said = fxsim_cli("reproduce", "tu2016", "--quick", "-o", "paper", status=1).stderr
    assert said == "error: paper: another run is writing to it\n"
