"""Test-time adaptation of mesh recovery: the action's name pulls a film's poses towards it."""
