"""The packages that an edge node keeps: fetched by digest, verified, never more than a limit, never less than what runs."""
