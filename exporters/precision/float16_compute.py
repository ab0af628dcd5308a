"""A TFLite file that asks to be computed in float16.

    before:  float32 graph
    after:   the same graph, and the metadata entry `reduced_precision_support` = "fp16accfp16"

XNNPACK then computes in float16 on cores that have such arithmetic (Armv8.2, from the Cortex-A55 and A75 on)
and in float32 on others, in any interpreter, with nothing to be switched on. Inputs and outputs stay as they
are. What makes it safe is in the graph: an attention whose denominator cannot vanish in half precision, see
`rewrites/linear_attention.py`.
"""

from __future__ import annotations

import numpy as np

from evit_deploy.exporters.tflite_metadata import read_model, write_model

KEY = b"reduced_precision_support"
VALUE = b"fp16accfp16"  # float16 values, sums in float16


def ask_for_float16(content: bytes) -> bytes:
    """A TFLite file with that request in it."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_model(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(VALUE, np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = KEY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return write_model(model)
