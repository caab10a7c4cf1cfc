"""Staying current: how often tuning again pays, when it does, whether traffic is what it was. Knows numbers alone."""
