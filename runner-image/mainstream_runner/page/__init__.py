"""The runner's web page: pictures, events, what is shared and what it costs. ``server.serve_page`` is what the runner calls."""
