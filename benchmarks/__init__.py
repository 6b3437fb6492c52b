"""How fast: what bending, looking and capturing cost beside a plain forward. Run ``python -m benchmarks``."""
