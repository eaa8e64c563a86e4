"""Run the ONNX checker, strict and with full shape inference, over ONNX files.

python -m venv .venv && .venv/bin/pip install onnx
.venv/bin/python scripts/train/check_onnx.py FILE...
"""

import sys

try:
    import onnx
except ModuleNotFoundError:
    sys.exit("check_onnx: the ONNX checker is not installed: pip install onnx")

failed = 0
for path in sys.argv[1:]:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        print(f"ok    {path}")
    except Exception as error:  # Whatever the checker throws is its finding.
        failed += 1
        print(f"FAIL  {path}: {error}")
sys.exit(1 if failed or len(sys.argv) < 2 else 0)
