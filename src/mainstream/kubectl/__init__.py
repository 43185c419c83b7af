"""``kubectl mainstream``: what people ask a cluster about its boxes. It calls kubectl itself, with its logins and contexts."""
