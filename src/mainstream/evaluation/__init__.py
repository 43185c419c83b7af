"""How good emitted events are against labelled ones (formats, Events): ``mainstream evaluate``."""
