"""The swarm: topologies by which opinions travel and rules by which they combine."""
