"""Schedulers behind ``solve(problem, ...) -> Result``, and the way from manifests to a problem."""
