"""The catalogue of performance measures: each with a name, a unit, one stated convention and its source."""
