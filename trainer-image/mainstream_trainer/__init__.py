"""The trainer: base DNN artifacts, and Model Sets from labelled data."""
