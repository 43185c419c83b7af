"""The exact scheduler: best-first branch and bound over staircases (docs/design/exact.md)."""
