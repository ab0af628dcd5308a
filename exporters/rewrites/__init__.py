"""The rewrites, in the order in which they are applied to a copy of the reference."""

from evit_deploy.exporters.rewrites.pipeline import (
    EXPORT_PIPELINE,
    FLOAT16_PIPELINE,
    FOLDS,
    INT8_ONNX_PIPELINE,
    INT8_TFLITE_PIPELINE,
    PIPELINES,
    TFLITE_PIPELINE,
    Rewrite,
    apply_rewrites,
)

__all__ = [
    "EXPORT_PIPELINE",
    "FLOAT16_PIPELINE",
    "FOLDS",
    "INT8_ONNX_PIPELINE",
    "INT8_TFLITE_PIPELINE",
    "PIPELINES",
    "TFLITE_PIPELINE",
    "Rewrite",
    "apply_rewrites",
]
