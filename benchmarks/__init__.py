"""Figures with their floor beside them; each is run by `make bench`."""

from actors.environment import prepare

prepare()
