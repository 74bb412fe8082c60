#!/usr/bin/env python3
"""Derives the coefficients of cpu/math-inl.h (Debian: python3-mpmath). Weighted least squares on Chebyshev nodes with
weights that grow where the error is largest, which converges to the minimax fit; all in 50 digits.

  exp(r)  = 1 + r + r^2 q(r)          |r| <= ln(2)/2
  tanh(x) = x p(x^2) / q(x^2)         |x| <= 9
  erf(x)  = x p(x^2) / q(x^2)         |x| <= 3.925
"""
from mpmath import mp, mpf, matrix, qr_solve

mp.dps = 50


def nodes(lo, hi, n):
    return [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def fit(basis, target, scale, rounds=12):
    """Coefficients c that minimise max |scale_i (basis_i . c - target_i)|, and that maximum."""
    weight = [mpf(1)] * len(target)
    best = None
    for _ in range(rounds):
        rows = [mp.sqrt(w) * s for w, s in zip(weight, scale)]
        a = matrix([[r * b for b in line] for r, line in zip(rows, basis)])
        c, _ = qr_solve(a, matrix([r * t for r, t in zip(rows, target)]))
        errors = [abs(s * (sum(b * c[k] for k, b in enumerate(line)) - t))
                  for s, line, t in zip(scale, basis, target)]
        if best is None or max(errors) < best[1]:
            best = (c, max(errors))
        weight = [w * (e + mpf(10) ** -45) for w, e in zip(weight, errors)]
        total = sum(weight)
        weight = [w / total for w in weight]
    return list(best[0]), best[1]


def show(name, error, groups):
    print(f"{name}: relative error 2^{float(mp.log(error, 2)):.1f}")
    for label, coefficients in groups:
        print(f"  {label}, highest power first: " + ", ".join(f"{float(c):.9e}f" for c in reversed(coefficients)))


def exponential(degree):
    half = mp.log(2) / 2 * mpf("1.002")
    xs = nodes(-half, half, 64)
    c, error = fit([[x ** (k + 2) for k in range(degree - 1)] for x in xs], [mp.exp(x) - 1 - x for x in xs],
                   [mp.exp(-x) for x in xs])
    show(f"exp, degree {degree}", error, [("q", c)])


def odd_rational(name, f, limit, p_degree, q_degree):
    xs = nodes(mpf("1e-4"), limit, 80)
    denominator = [mpf(1)] * len(xs)
    for _ in range(6):  # x p - f q = 0 is linear in p and q; dividing by the last q makes it the error of p / q
        basis = [[x ** (2 * k + 1) for k in range(p_degree + 1)] + [-f(x) * x ** (2 * k) for k in range(1, q_degree + 1)]
                 for x in xs]
        c, error = fit(basis, [f(x) for x in xs], [1 / (f(x) * d) for x, d in zip(xs, denominator)], 8)
        p, q = c[:p_degree + 1], [mpf(1)] + c[p_degree + 1:]
        denominator = [sum(b * x ** (2 * k) for k, b in enumerate(q)) for x in xs]
    show(name, error, [("p", p), ("q", q)])


exponential(6)
odd_rational("tanh", mp.tanh, mpf("9.02"), 4, 4)
odd_rational("erf", mp.erf, mpf("3.93"), 5, 5)
