"""The command line, in the same process: what it prints, what it leaves, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pictures import is_drawn
from qhn.backend import BackendError
from qhn.config import file as configfile
from qhn.config.file import presets
from qhn.predict.ensemble import load_ensemble
from qhn.run.record import load_run

QUICK = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--steps", "3", "--shots", "50")


@pytest.mark.pictures
def test_run_shows_progress_and_a_page_and_leaves_pictures(qhn, tmp_path: Path) -> None:
    result = qhn("run", "figure-1", *QUICK)
    assert result.code == 0
    advice, first = result.err.splitlines()[:2]
    assert advice.startswith("the learning rate falls to 0 over 25 steps, and this run ends after 3, with θ still on")
    assert advice.endswith("--set train.optimizer.decay_steps=3 comes to rest")
    assert first.startswith("step 1/3  E ")
    assert "ETA" in result.err
    assert "best sampled network, bits" in result.out
    (directory,) = (tmp_path / "results" / "figure-1").iterdir()
    drawn = list((directory / "figures").glob("*.png"))
    assert {path.name for path in drawn} >= {"training.png", "costs.png", "decision.png"}
    assert all(map(is_drawn, drawn))
    again = qhn("run", "figure-1", *QUICK)
    assert (again.code, again.err, again.out) == (0, "", result.out)


def test_options_reach_the_run(qhn, tmp_path: Path) -> None:
    words = (
        "--layers",
        "1",
        "--order",
        "authors",
        "--seed",
        "5",
        "--backend",
        "aer-mps",
        "--set",
        "train.optimizer=sgd",
    )
    result = qhn("run", "figure-1", *QUICK, *words, "--quiet", "--results", "elsewhere")
    assert result.code == 0
    config = load_run(result.out.strip()).config
    assert result.out.startswith("elsewhere/figure-1/")
    assert (config.ansatz.num_layers, config.ansatz.order) == (1, "authors")
    assert (config.train.seed, config.train.backend, config.train.optimizer.name) == (5, "aer-mps", "sgd")
    assert (config.train.shots, config.train.steps, config.data.load().x.shape) == (50, 3, (40, 2))


def test_json_lines(qhn) -> None:
    lines = [json.loads(line) for line in qhn("run", "figure-1", *QUICK, "--json").out.splitlines()]
    assert [line["step"] for line in lines[:-1]] == [0, 1, 2]
    assert lines[-1]["outcome"] == "done"
    assert load_run(lines[-1]["run"]).steps()[-1].mean == lines[2]["mean"]


def test_resume_show_report_list(qhn) -> None:
    assert "there are no runs in" in qhn("show").err
    first = qhn("run", "figure-1", *QUICK, "--quiet").out.strip()
    run_id = Path(first).name
    assert qhn("resume", run_id[:5], "--steps", "5", "--quiet").out.strip() == first
    assert len(load_run(first).steps()) == 5
    shown = qhn("show", run_id).out
    assert "5 steps, done" in shown
    assert "choice of activation   0 → sigmoid, 1 → relu" in shown
    assert "qiskit-aer" in shown
    assert f"{first}/figures/training.png" in qhn("report").out
    listed = qhn("list").out
    assert run_id in listed
    assert "5/5" in listed
    assert all(name in listed for name in presets())


def test_stopping_by_budget_and_failing_have_their_exit_codes(qhn, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 57
    result = qhn("run", "figure-1", *QUICK, "--set", f"train.max_shots={2 * rows * 50}")
    assert result.code == 3
    assert "a step takes 2,850 shots, 0 of train.max_shots remain" in result.out

    class Failing:
        paid = False

        def compile(self, ansatz):
            return self

        def describe(self) -> dict:
            return {}

        circuit = placement = None

        def sample(self, thetas, shots, key, group=1):
            raise BackendError("the fridge is warm")

    monkeypatch.setattr("qhn.config.open_backend", lambda *settings: Failing())
    monkeypatch.setattr("qhn.run.recorder.write_circuit", lambda record, circuit: None)
    result = qhn("run", "figure-1", *QUICK, "--seed", "1")
    assert result.code == 4
    said = result.err.splitlines()[-1]
    assert said == "qhn: the fridge is warm; complete steps are kept, and qhn resume goes on"


def test_circuit_prints_or_writes(qhn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "literal circuit of ansatz hypernetwork: 4 qubits, num_layers 2, order eq5" in qhn("circuit", "figure-1").out
    assert qhn("circuit", "figure-1", "--form", "executed", "--qasm").out.startswith("OPENQASM 3.0;")
    assert (
        "4 qubits, num_layers 3, order authors" in qhn("circuit", "figure-1", "--layers", "3", "--order", "authors").out
    )
    small = {name: title for name, title in presets().items() if "-01" in name}
    monkeypatch.setattr(configfile, "presets", lambda: small)  # drawings of long chains take seconds
    written = qhn("circuit", "--output", "c").out.splitlines()
    assert len(written) == 4 * len(small) == 8
    assert all((tmp_path / path).is_file() for path in written)


def test_circuit_draws_other_kinds_and_files(qhn, tmp_path: Path) -> None:
    drawn = qhn("circuit", "figure-1", "--ansatz", "real-amplitudes", "--layers", "1").out
    assert (
        "literal circuit of ansatz real-amplitudes: 4 qubits, num_layers 1, entanglement pairwise, 8 rotations" in drawn
    )
    (tmp_path / "mine.qasm").write_text(qhn("circuit", "figure-1", "--ansatz", "iqp", "--qasm").out)
    assert "4 qubits, file mine.qasm, 7 rotations" in qhn("circuit", "figure-1", "--ansatz", "mine.qasm").out
    assert "there is no ansatz 'iqq'; did you mean 'iqp'?" in qhn("circuit", "figure-1", "--ansatz", "iqq").err


@pytest.mark.pictures
def test_landscape_prints_the_optimum_and_keeps_the_table(qhn, tmp_path: Path) -> None:
    result = qhn("landscape", "gaussian-activation", "--set", "data.samples=50")
    assert result.code == 0
    assert "of 16,384 networks; the first:" in result.out
    (folder,) = (tmp_path / "results" / "gaussian-activation").glob("landscape-*")
    costs = np.load(folder / "costs.npy")
    assert f"optimum C* = {costs.min():.8g}" in result.out
    assert is_drawn(folder / "density.png")


def test_evaluate_a_file_of_angles_and_a_run(qhn, tmp_path: Path) -> None:
    theta = np.zeros((2, 32))
    theta[1, :4] = np.pi  # RY(π) in the first block of the circuit
    for name, write in (
        ("t.npy", lambda path: np.save(path, theta)),
        ("t.npz", lambda path: np.savez(path, theta=theta)),
        ("t.json", lambda path: path.write_text(json.dumps(theta.tolist()))),
        ("t.csv", lambda path: np.savetxt(path, theta, delimiter=",")),
    ):
        write(tmp_path / name)
        result = qhn("evaluate", "figure-1", "--theta", name, "--shots", "20", "--json")
        lines = [json.loads(line) for line in result.out.splitlines()]
        assert [line["std_error"] < 1e-12 for line in lines[:2]] == [True, True]
        assert lines[0]["mean"] != lines[1]["mean"]
        assert lines[2]["distinct"] == 2
    directory = qhn("run", "figure-1", *QUICK, "--quiet").out.strip()
    assert qhn("evaluate", directory, "--shots", "500").out.startswith("row 0: E = ")


BAD = [
    (("run", "nothing"), "there is no preset 'nothing'"),
    (("run", "gone.toml"), "configuration file gone.toml does not exist"),
    (("run", "figure-1", "--shots", "0"), "train.shots: input should be greater than or equal to 1, got 0"),
    (("run", "figure-1", "--shots", "few"), "train.shots: input should be a valid integer, got 'few'"),
    (("run", "figure-1", "--set", "train.shotz=3"), "unknown key train.shotz; did you mean 'shots'?"),
    (("run", "figure-1", "--set", "train.shots"), "must be written key=value"),
    (("run", "figure-1", "--backend", "fake_nothing"), "there is no stored device 'fake_nothing'"),
    (("run", "figure-1", "--backend", "qpu"), "unknown backend 'qpu'"),
    (("run", "figure-1", "--layers", "-1"), "ansatz.num_layers"),
    (("run", "figure-1", "--nonsense"), "No such option: --nonsense"),
    (("run", "gaussian-activation", "--set", "network.hidden=[12]"), "a state vector of 50 qubits takes"),
    (("run", "gaussian-activation", "--set", "network.hidden=[20]", "--shots", "9"), "takes 2^86 bytes"),
    (("run", "figure-1", "--layers", "900"), "use fewer layers or qubits"),
    (("run", "figure-1", "--shots", "1000000000000"), "lower shots"),
    (("run", "figure-1", "--results", "/proc/nowhere"), "/proc/nowhere"),
    (("run", "figure-1", "--results", "occupied"), "occupied"),
    (("run", "figure-1", "--set", "data.file=gone.csv"), "data file gone.csv does not exist"),
    (("run", "figure-1", "--set", "data.file=mine.csv", "--set", "data.label=y"), "has no column 'y' for the label"),
    (("run", "mnist-01", "--set", "train.patience=3"), "but the data set has no validation samples; set data."),
    (("run", "figure-1", "--set", "train.patience=0"), "train.patience: input should be greater than or equal to 1"),
    (("run", "figure-1", "--set", "train.max_shots=5"), "train.max_shots is 5, the first step takes"),
    (("resume", "abc"), "there is no run 'abc'"),
    (("show", "gone"), "there is no run 'gone'"),
    (("landscape", "figure-1", "--set", "network.hidden=[7]", "--set", "data.samples=3"), "up to 24 qubits"),
    (("circuit", "figure-1", "--form", "drawn"), "unknown form 'drawn'"),
    (("baseline", "figure-1", "--method", "anealing"), "unknown method 'anealing'; did you mean 'annealing'?"),
    (("baseline", "figure-1", "--repeats", "0"), "--repeats must be at least 1, got 0"),
    (("baseline", "figure-1", "--evaluations", "0"), "--evaluations must be at least 1, got 0"),
    (("baseline", "figure-1", "--seed", "-1"), "--seed must be at least 0, got -1"),
    (("evaluate", "figure-1"), "give a file of angles with --theta"),
    (("evaluate", "figure-1", "--theta", "gone.npy"), "file of angles gone.npy does not exist"),
    (("evaluate", "figure-1", "--theta", "mine.csv"), "mine.csv holds no angles"),
    (("evaluate", "figure-1", "--theta", "short.json"), "θ has 2 angles, the circuit takes 32"),
    (("frobnicate",), "No such command 'frobnicate'"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line_and_exit_code_2(qhn, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "occupied").write_text("a file")
    (tmp_path / "mine.csv").write_text("a,b,label\n1,2,0\n2,1,1\n")
    (tmp_path / "short.json").write_text("[0.1, 0.2]")
    result = qhn(*words)
    assert result.code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert "Traceback" not in result.err
    assert "Traceback" in qhn("--debug", *words).err


def test_damage_is_one_line_and_does_not_hide_other_runs(qhn) -> None:
    first = Path(qhn("run", "figure-1", *QUICK, "--quiet").out.strip())
    second = Path(qhn("run", "figure-1", *QUICK, "--seed", "8", "--quiet").out.strip())
    (first / "checkpoint.npz").write_bytes(b"zip?")
    result = qhn("show", first.name)
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert "checkpoint.npz is damaged (it was changed" in line
    assert line.endswith("one fewer; qhn resume makes it again")
    (first / "checkpoint-before.npz").write_bytes(b"zip?")
    for words in (("show", first.name), ("resume", first.name), ("report", str(first)), ("run", "figure-1", *QUICK)):
        result = qhn(*words)
        assert result.code == 2
        assert "checkpoint.npz is damaged" in result.err
        assert len(result.err.splitlines()) == 1
    listed = qhn("list").out
    assert second.name in listed
    assert "is damaged" in listed
    assert qhn("run", "figure-1", *QUICK, "--restart", "--quiet").code == 0
    assert first.with_name(f"{first.name}~1").is_dir()


def test_no_words_show_the_help_and_version_the_version(qhn) -> None:
    from qhn import __version__

    assert (qhn().code, qhn().out) == (0, qhn("--help").out)
    assert qhn("--version").out.strip() == __version__


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['qhn', '--help']\n"
        "from qhn.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'qiskit', 'pydantic', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


EXACT = ("--backend", "exact", "--set", "data.samples=40", "--set", "data.validation_samples=30", "--steps", "3")


@pytest.mark.pictures
def test_an_exact_run_says_so_on_its_page_and_pictures(qhn, tmp_path: Path) -> None:
    result = qhn("run", "figure-1", *EXACT)
    assert result.code == 0
    assert "exact, no shots" in result.out
    assert "exact gradient, adam" in result.out
    assert "best of the most probable C" in result.out
    assert "entropy of the distribution" in result.out
    assert "sampled" not in result.out
    assert "random ones" not in result.out
    (directory,) = (tmp_path / "results" / "figure-1").iterdir()
    drawn = list((directory / "figures").glob("*.png"))
    assert {path.name for path in drawn} >= {"training.png", "costs.png"}
    assert all(map(is_drawn, drawn))
    listed = qhn("list").out
    assert " exact " in listed
    assert qhn("show").code == 0
    evaluated = qhn("evaluate", str(directory), "--json")
    first, last = (json.loads(line) for line in evaluated.out.splitlines())
    assert first["std_error"] == 0.0
    assert first["shots"] == 0
    assert last["distinct"] == 16
    sampled = qhn("evaluate", str(directory), "--backend", "aer", "--json").out.splitlines()
    assert json.loads(sampled[0])["shots"] == 300


def test_a_converged_run_ends_well(qhn) -> None:
    result = qhn("run", "figure-1", *EXACT[:-1], "200", "--set", "train.optimizer=lbfgs")
    assert result.code == 0
    assert "no component of the gradient exceeds train.tolerance = 1e-06" in result.out


def test_a_stop_rule_can_be_lifted_and_a_line_search_run_evaluated_with_shots(qhn) -> None:
    words = ("run", "figure-1", *EXACT, "--set", "train.optimizer=lbfgs")
    assert "reached train.target = 9" in qhn(*words, "--set", "train.target=9").out
    assert "3 steps done" in qhn(*words, "--set", "train.target=none").out
    result = qhn("evaluate", _only_run(), "--shots", "40", "--json")
    assert json.loads(result.out.splitlines()[0])["shots"] == 40


def test_early_stopping_is_a_good_end(qhn) -> None:
    few = ("--set", "data.samples=2", "--set", "data.means_scale=0.5", "--steps", "200")
    result = qhn("run", "gaussian-activation", "--backend", "exact", *few, "--set", "train.patience=3")
    assert result.code == 0
    assert "the validation cost has not fallen below " in result.out
    assert "--set train.patience=none goes on" in result.out
    assert " early-stopping " in qhn("list").out


def test_ensemble_compares_and_writes_what_predicts(qhn, tmp_path: Path) -> None:
    assert qhn("run", "figure-1", *QUICK, "--quiet").code == 0
    result = qhn("ensemble")
    assert result.code == 0
    assert ", step 2: " in result.out
    assert "of equal weight, the heaviest has " in result.out
    for who in ("ensemble", "most measured network", "best sampled network"):
        assert result.out.count(f"  {who} ") == 2
    folder = Path(_only_run())
    for name in ("figures/calibration.png", "figures/calibration.csv", "ensemble.npz"):
        assert str(folder / name) in result.out
        assert (folder / name).is_file()
    problem = load_run(folder).config.problem()
    predicted = load_ensemble(folder / "ensemble.npz").predict(problem.dataset.raw(problem.dataset.x))
    right = (predicted == problem.dataset.classes[problem.dataset.y.astype(int)]).mean()
    line = next(line for line in result.out.splitlines() if line.startswith("training    ensemble"))
    assert line.split()[2] == f"{right:.1%}"
    validation = [step.validation for step in load_run(folder).steps()]
    assert f", step {validation.index(min(validation))}: " in qhn("ensemble", "--step", "best-validation").out
    assert ", step 0: " in qhn("ensemble", "--step", "0").out
    for wrong, message in (
        ("3", "step must be from 0 to 2, the last of the run, got 3"),
        ("best", "last or best-validation, got 'best'"),
    ):
        refused = qhn("ensemble", "--step", wrong)
        assert refused.code == 2
        assert message in refused.err


def _only_run() -> str:
    (directory,) = (Path("results") / "figure-1").iterdir()
    return str(directory)


def test_more_qubits_than_can_be_enumerated_are_refused_without_shots(qhn) -> None:
    words = ("run", "mnist-01", "--backend", "exact", "--set", "network.hidden=[2]")
    result = qhn(*words)
    assert result.code == 2
    assert "possible up to 24 qubits; give --shots to sample" in result.err


@pytest.mark.pictures
def test_landscape_lists_minima_and_interactions(qhn, tmp_path: Path) -> None:
    result = qhn("landscape", "figure-1")
    assert "one-flip minima" in result.out
    assert "variance of C from interactions of S qubits: " in result.out
    (folder,) = (tmp_path / "results" / "figure-1").iterdir()
    names = {"density.csv", "minima.csv", "walsh.csv", "density.png", "minima.png", "walsh.png", "costs.npy"}
    assert names <= {path.name for path in folder.iterdir()}
    assert all(map(is_drawn, folder.glob("*.png")))
    rows = (folder / "minima.csv").read_text().splitlines()
    assert rows[0] == "cost,members,basin,bits"
    assert sum(int(row.split(",")[2]) for row in rows[1:]) == 16


def test_a_file_of_64_features_is_trained_on_shots_of_a_matrix_product_state(qhn, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 64)).round(3)
    names = [*(f"f{i}" for i in range(64)), "label"]
    rows = [",".join(names), *(",".join([*map(str, row), "yes" if row[:9].sum() > 0 else "no"]) for row in x)]
    (tmp_path / "wide.csv").write_text("\n".join(rows))
    (tmp_path / "wide.toml").write_text('[data]\nfile = "wide.csv"\n[network]\nhidden = []\n[ansatz]\nnum_layers = 2\n')
    words = ("wide.toml", "--backend", "exact")
    np.save("theta.npy", np.ones(520))
    for refused in (qhn("run", *words), qhn("evaluate", *words, "--theta", "theta.npy")):
        assert refused.code == 2
        assert "takes all 2^65 costs, which is possible up to 24 qubits; give --shots to sample" in refused.err
    assert qhn("run", *words, "--shots", "3", "--steps", "1").code == 0
    resumed = qhn("resume", "--steps", "2")
    assert resumed.code == 0
    assert "65 qubits, num_layers 2" in resumed.out
    assert "of 2^65" in resumed.out
    assert "optimum" not in resumed.out
    assert "matrix product state, bond dimension 2" in qhn("show").out
    assert "training.png" in qhn("report").out
    whole = qhn("run", *words, "--shots", "3", "--steps", "2", "--results", "elsewhere")
    assert whole.code == 0
    (first,), (second,) = (list(Path(name).glob("wide/*/steps.jsonl")) for name in ("results", "elsewhere"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.pictures
def test_baseline_prints_a_table_and_keeps_every_fall_of_c(qhn, tmp_path: Path) -> None:
    result = qhn("baseline", "figure-1", "--repeats", "3", "--evaluations", "9", "--set", "data.samples=40")
    assert result.code == 0
    assert "3 searches each, 9 of 16 networks evaluated; C* = " in result.out
    methods = ("random", "descent", "annealing", "cross-entropy", "product", "straight-through")
    assert all(any(line.startswith(method) for line in result.out.splitlines()) for method in methods)
    (folder,) = (tmp_path / "results" / "figure-1").glob("baseline-*")
    assert is_drawn(next(folder.glob("all-9-*-seed-0.png")))
    head, *rows = next(folder.glob("*.csv")).read_text().splitlines()
    assert head == "method,repeat,count,cost"
    names, repeats, counts, costs = zip(*(row.split(",") for row in rows), strict=True)
    assert set(zip(names, repeats, strict=True)) == {(method, str(repeat)) for method in methods for repeat in range(3)}
    assert 1 <= min(map(int, counts)) <= max(map(int, counts)) <= 9
    again = qhn("baseline", "figure-1", "--repeats", "3", "--evaluations", "9", "--set", "data.samples=40")
    assert again.out == result.out
    assert min(map(float, costs)) >= float(result.out.split("C* = ")[1].split(",")[0]) - 1e-7


def test_baseline_where_the_optimum_is_not_known(qhn) -> None:
    words = ("--set", "network.hidden=[7]", "--set", "data.samples=20", "--method", "descent", "--repeats", "2")
    result = qhn("baseline", "gaussian-activation", *words, "--evaluations", "300")
    assert result.code == 0
    assert "lowest C found, polished ones included = " in result.out
    assert "median C - lowest" in result.out
