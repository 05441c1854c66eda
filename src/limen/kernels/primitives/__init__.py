"""The numerical primitives every kernel is made of, in two precisions under the same names.

`plain` computes in float64 and serves float32, float16 and bfloat16 arrays; `extended` computes in
pairs of float64 (high, low) and serves float64 arrays. Both compute far more precisely than the
arrays they serve can tell, so that a kernel rounds once, at its end.

This package imports nothing: Numba loads with `plain` or `extended`.
"""
