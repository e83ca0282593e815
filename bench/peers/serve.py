"""The peer's side of peer.ts: greets, then answers one JSON line with one JSON line."""
import json
import os
import re
import sys


def serve(greeting, operations):
    # Libraries print to stdout; only answers may.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answers.write(json.dumps(greeting) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request.pop("do")](**request)
        except Exception as error:  # the asking side decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


INSTALL = "Debian: apt-get install --no-install-recommends python3-torch libopenblas0-openmp"


def torch_greeting():
    """PyTorch's version and its matrix library. Over Debian's reference BLAS it trains 10 times slower, which is no peer."""
    try:
        import torch
    except ImportError as missing:
        return {"absent": f"{missing} ({INSTALL})"}
    maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
    libraries = {os.path.basename(path) for path in re.findall(r"\S*/lib[^/\s]*(?:blas|mkl)[^/\s]*", maps)}
    if "openblas" not in maps and any(name.startswith("libblas") for name in libraries):
        return {"absent": f"PyTorch runs on the reference BLAS here ({INSTALL})"}
    library = "OpenBLAS" if "openblas" in maps else ", ".join(sorted(libraries)) or "its own matrix library"
    return {"ready": f"PyTorch {torch.__version__} with {library}"}
