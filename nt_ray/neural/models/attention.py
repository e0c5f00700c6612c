"""Self-attention over tokens, and the layer around it."""

from torch import Tensor, nn
from torch.nn import functional

from nt_ray.neural.models.dropout import Dropout


class Attention(nn.Module):
    """Multi-head self-attention: softmax(Q K' / sqrt(d)) V for each head, one product for Q, K and V.

    Source: Vaswani et al. (2017), Attention is all you need, NeurIPS.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        split = self.enter(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mixed: Tensor = self.leave(
            functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        )
        return mixed


class Layer(nn.Module):
    """Attention and a perceptron, each normalised before and added to what it saw.

    Source of the order: Xiong et al. (2020), On layer normalization in the transformer architecture, ICML.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.between = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        tokens = tokens + self.dropout(self.attention(self.before(tokens)))
        inner = self.dropout(functional.gelu(self.widen(self.between(tokens))))
        changed: Tensor = tokens + self.dropout(self.narrow(inner))
        return changed
