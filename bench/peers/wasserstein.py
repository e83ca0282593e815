"""POT (Python Optimal Transport) as the judge of point sets: the exact optimal mean of squared distances."""
from serve import serve

try:
    import numpy
    import ot
except ImportError as missing:
    serve({"absent": f"{missing} (Debian: apt-get install --no-install-recommends python3-pot)"}, {})
    raise SystemExit


def distance(x, y):
    """Rows of two, the same number on both sides."""
    x, y = (numpy.asarray(points, dtype=float).reshape(-1, 2) for points in (x, y))
    return {"squared": float(ot.emd2([], [], ot.dist(x, y), numItermax=int(1e8)))}


serve({"ready": f"POT {ot.__version__}"}, {"distance": distance})
