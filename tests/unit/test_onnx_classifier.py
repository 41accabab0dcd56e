"""Models that were trained elsewhere: the same predictions, and errors that say what to do.

Owns: what is asked of a model file, and how it is refused.
Never: what every learner promises (test_learner_conformance).
Source: scikit-learn's own predictions as the judge.
"""

import copy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from models.onnx_classifier import OnnxClassifier
from schemas.model_file import MODEL_FILE_BYTES_MAX, ModelFile, ModelFileError, read_model_file
from tests.trained_elsewhere import COLUMNS, as_file, in_onnx, model_file, rows_elsewhere, trained


def test_it_predicts_what_the_trained_model_predicts() -> None:
    """Each probability is scikit-learn's to 1e-6, by array and by name."""
    values, _ = rows_elsewhere(200, seed=12)
    learner = OnnxClassifier(model_file())
    wanted = trained().predict_proba(values)[:, 1]
    assert learner.columns == COLUMNS
    for row, probability in zip(values, wanted, strict=True):
        features = dict(zip(COLUMNS, row.tolist(), strict=True))
        assert learner.predict_row(np.array([1.0, *row])) == pytest.approx(probability, abs=1e-6)
        assert learner.predict_proba_one(features)[True] == pytest.approx(probability, abs=1e-6)


def test_only_its_probability_learns() -> None:
    """Where positives have become more frequent, the probability follows and the order stays."""
    values, _ = rows_elsewhere(4_000, seed=13)
    logits = trained().decision_function(values) + 1.5
    labels = np.random.default_rng(1).random(4_000) < 1 / (1 + np.exp(-logits))
    learner = OnnxClassifier(model_file())
    rows = np.hstack([np.ones((4_000, 1)), values])
    before = [learner.predict_row(row) for row in rows[:100]]
    for row, label in zip(rows, labels, strict=True):
        learner.learn_row(row, float(label))
    after = [learner.predict_row(row) for row in rows[:100]]
    assert np.argsort(before).tolist() == np.argsort(after).tolist()
    said = np.mean([learner.predict_row(row) for row in rows])
    assert said == pytest.approx(labels.mean(), rel=0.05)


def test_a_file_is_read_when_its_digest_is_the_one_that_was_given(tmp_path: Path) -> None:
    """What was meant is read, whatever the case of its digits."""
    path = tmp_path / "model.onnx"
    path.write_bytes(model_file().content)
    read = read_model_file(path, sha256(model_file().content).hexdigest().upper())
    assert (read.path, read.content) == (str(path), model_file().content)
    assert OnnxClassifier(read).columns == COLUMNS


@pytest.mark.parametrize(
    ("content", "digest", "says"),
    [
        (None, "0" * 64, ["no file", "0" * 64, "correct its path"]),
        (b"other", "0" * 64, [sha256(b"other").hexdigest(), "0" * 64, "sha256: "]),
        (bytes(MODEL_FILE_BYTES_MAX + 1), "0" * 64, [str(MODEL_FILE_BYTES_MAX), "smaller"]),
    ],
    ids=["missing", "another", "too large"],
)
def test_a_file_that_is_not_the_one_is_refused(
    content: bytes | None, digest: str, says: list[str], tmp_path: Path
) -> None:
    """A missing, a large or another file is refused: file, found, expected and remedy are said."""
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_model_file(path, digest)
    assert all(word in str(caught.value) for word in [str(path), *says])


def many_classes() -> bytes:
    values, labels = rows_elsewhere()
    labels = np.where(values[:, 0] > 1.0, 2.0, labels)
    return in_onnx(LogisticRegression().fit(values, labels), COLUMNS)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (lambda: as_file(b"no model"), ["8 bytes", "a model in ONNX", "Export"]),
        (
            lambda: as_file(in_onnx(trained(), None)),
            ["no metadata `columns`", "JSON list", "set_model_props"],
        ),
        (
            lambda: as_file(in_onnx(trained(), COLUMNS[:-1])),
            ["[None, 20]", "[rows, 19]", "one input"],
        ),
        (
            lambda: as_file(in_onnx(trained(), [*COLUMNS[:-1], COLUMNS[0]])),
            ["metadata `columns`", "distinct", "set_model_props"],
        ),
        (
            lambda: as_file(in_onnx(trained(), COLUMNS, zipmap="columns")),
            ["the outputs", "`probabilities`", "zipmap=False"],
        ),
        (
            lambda: as_file(
                in_onnx(LinearRegression().fit(*rows_elsewhere()), COLUMNS, zipmap=None)
            ),
            ["the outputs variable", "`probabilities`", "classifier"],
        ),
        (lambda: as_file(many_classes()), ["[1, 3]", "[1, 2]", "two classes"]),
    ],
    ids=["bytes", "unnamed", "too few names", "a name twice", "zipmap", "a value", "three classes"],
)
def test_a_model_of_another_shape_is_refused(file: object, says: list[str]) -> None:
    """Wrong inputs, outputs or bytes are refused: file, found, expected and remedy are said."""
    assert callable(file)
    with pytest.raises(ModelFileError) as caught:
        OnnxClassifier(file())
    assert all(word in str(caught.value) for word in ["model.onnx", *says]), str(caught.value)


def test_a_state_of_another_model_is_refused() -> None:
    """The state says which file it belongs to."""
    other = as_file(in_onnx(LogisticRegression(C=0.1).fit(*rows_elsewhere()), COLUMNS))
    with pytest.raises(ValueError, match="another model"):
        OnnxClassifier(other).from_state(*OnnxClassifier(model_file()).to_state())


def test_a_copy_opens_the_model_again() -> None:
    """River copies estimators; a copy says the same."""
    learner = OnnxClassifier(model_file())
    learner.learn_one({"c0": 1.0}, True)
    row = np.ones(21)
    assert copy.deepcopy(learner).predict_row(row) == learner.predict_row(row)


def test_a_probability_beyond_the_ends_stays_a_probability() -> None:
    """A model that is certain of anything gives a probability that can still be learned from."""
    certain = LogisticRegression(C=1e12).fit([[0.0] * 20] * 50 + [[20.0] * 20] * 50, [0, 1] * 50)
    certain.coef_[:] = 1e6
    learner = OnnxClassifier(as_file(in_onnx(certain, COLUMNS)))
    for values in (np.full(21, 20.0), np.full(21, -20.0)):
        assert 0.0 < learner.predict_row(values) < 1.0
        learner.learn_row(values, 0.0)
    assert isinstance(learner.model_file, ModelFile)
