"""Mainstream: many video applications on one small box, the layers they have in common computed once per frame."""
