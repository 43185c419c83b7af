"""The runner: many applications over live streams, one stem computed once for all of them."""
