"""The domain given identity, a place on the Ray cluster and a life.

Importing this package prepares the environment that Ray reads when it is imported.
"""

from actors.environment import prepare

prepare()
