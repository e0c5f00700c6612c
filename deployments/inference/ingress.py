"""A replica as Ray Serve holds it: the service and its doors."""

from ray import serve

from deployments.inference.doors import Doors
from deployments.inference.service import Service
from deployments.replica import Unlisted
from nt_ray.config.sections import Neural


@serve.deployment
@serve.ingress()
class Inference:
    """One replica."""

    def __init__(self, settings: Neural) -> None:
        self._largest_body = settings.inference.largest_request_mb << 20
        self._service = Service(settings)

    def __serve_build_asgi_app__(self) -> Unlisted:
        """Build the application of this replica."""
        return Unlisted(Doors(self._service, self._largest_body).application())

    def check_health(self) -> None:
        """Fail where aliases are no longer followed, so that Serve starts another replica."""
        if not self._service.alive:
            raise RuntimeError("The thread that follows aliases has ended.")

    def __del__(self) -> None:
        service = getattr(self, "_service", None)
        if service is not None:
            service.close()
