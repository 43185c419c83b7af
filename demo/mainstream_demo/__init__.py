"""The demo: applications trained, planned and run on the scene that ships with the product."""
