"""Value at risk and expected shortfall, one method a file; `nt_ray.risk.measures.catalogue` names them all."""
