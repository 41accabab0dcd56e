"""A model in ONNX, opened and asked row by row.

Owns: the only import of the runtime, one thread, and what a model must take and give.
Never: reads a file; learns.
Source: the ONNX specification; onnxruntime's Python API.
"""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np

from models.kernels_learner import Floats
from schemas.model_file import ModelFile, ModelFileError

COLUMNS = "columns"
PROBABILITIES = "probabilities"
_TYPES: dict[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
_CLASSES = 2


class OnnxSession:
    """One model file as a function of its columns.

    Parameters
    ----------
    file
        The model: one input of shape (rows, columns), the names of the columns as a JSON list in
        its metadata under `columns`, and an output `probabilities` of shape (rows, 2).

    Raises
    ------
        ModelFileError: onnxruntime is not installed or cannot read the file, or the model is of
            another shape.
    """

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._session = _opened(file)
        self.columns = self._columns()
        self._input, self._type = self._only_input()
        self._check_output()

    def __reduce__(self) -> tuple[type[Self], tuple[ModelFile]]:
        # What the runtime holds cannot be copied; it is opened again.
        return type(self), (self._file,)

    def _refused(self, found: str, expected: str, remedy: str) -> ModelFileError:
        return ModelFileError(self._file.path, found, expected, remedy)

    def _columns(self) -> list[str]:
        text = self._session.get_modelmeta().custom_metadata_map.get(COLUMNS, "null")
        try:
            names = json.loads(text)
        except json.JSONDecodeError:
            names = None
        named = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not named or not names or len(set(names)) != len(names):
            found = "no metadata `columns`" if text == "null" else f"metadata `columns` {text[:80]}"
            expected = "a JSON list of the distinct names of its columns"
            remedy = "Add them with onnx.helper.set_model_props"
            raise self._refused(found, expected, remedy)
        return list(names)

    def _only_input(self) -> tuple[str, type[np.floating[Any]]]:
        inputs = self._session.get_inputs()
        found = ", ".join(f"{put.name} {put.type} {put.shape}" for put in inputs)
        if len(inputs) == 1 and inputs[0].type in _TYPES and len(inputs[0].shape) == 2:
            rows, columns = inputs[0].shape
            free = not isinstance(rows, int) or rows == 1
            if free and (columns == len(self.columns) or not isinstance(columns, int)):
                return inputs[0].name, _TYPES[inputs[0].type]
        expected = f"one input tensor(float) or tensor(double) [rows, {len(self.columns)}]"
        raise self._refused(f"the inputs {found}", expected, "Convert the model with one input")

    def _check_output(self) -> None:
        outputs = {put.name: put for put in self._session.get_outputs()}
        probabilities = outputs.get(PROBABILITIES)
        if probabilities is None or probabilities.type not in _TYPES:
            found = ", ".join(f"{put.name} {put.type}" for put in outputs.values())
            expected = f"an output `{PROBABILITIES}` tensor(float) [rows, {_CLASSES}]"
            remedy = "Convert a classifier, with zipmap=False"
            raise self._refused(f"the outputs {found}", expected, remedy)
        # Shapes in the file are promises; one row shows what comes.
        shape = np.shape(self._run(np.zeros(len(self.columns))))
        if shape != (1, _CLASSES):
            found = f"an output `{PROBABILITIES}` of shape {list(shape)} for one row"
            remedy = "Convert a classifier of two classes, the second being the positive one"
            raise self._refused(found, f"[1, {_CLASSES}]", remedy)

    def _run(self, values: Floats) -> Any:
        row = values.astype(self._type).reshape(1, -1)
        return self._session.run([PROBABILITIES], {self._input: row})[0]

    def probability(self, values: Floats) -> float:
        """Return what the model says of a row, shape (columns,), of the second class."""
        return float(self._run(values)[0, 1])


def _opened(file: ModelFile) -> Any:
    try:
        # 80 MiB that only those who ask for them pay.
        import onnxruntime  # noqa: PLC0415 - an extra, loaded only when it is asked for
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - the same
    except ImportError as error:
        remedy = "Install it: pip install 'propensity[onnx]'"
        raise ModelFileError(file.path, "no onnxruntime", "onnxruntime", remedy) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(
            file.content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except (state.Fail, state.InvalidProtobuf, state.InvalidGraph, state.NotImplemented) as error:
        found = f"{len(file.content)} bytes that onnxruntime refuses: {str(error)[:200]}"
        remedy = "Export the model as ONNX for this onnxruntime"
        raise ModelFileError(file.path, found, "a model in ONNX", remedy) from error
