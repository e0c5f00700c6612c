"""Topologies: how opinions travel from agents to one decision, one file each."""
