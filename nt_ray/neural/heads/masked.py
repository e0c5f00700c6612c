"""Mean over what was observed."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of finite values where the mask is 1, as a scalar; 0 where nothing was observed.

    Values under a mask of 0 get a gradient of exactly 0. Both of one shape.
    """
    return (values * mask).sum() / mask.sum().clamp(min=1.0)
